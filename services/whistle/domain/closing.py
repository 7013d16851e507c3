"""How a whistle ends, and how it comes back: confirmed on the spot, settled, reopened, withdrawn, merged, erased."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from services.whistle.domain import clocks
from services.whistle.domain.acts import (
    Given,
    is_of_community,
    must_be_of_community,
    must_be_open,
    must_be_reporter,
    must_lead_to,
    on_the_spot,
    once,
    point,
    words_of,
)  # fmt: skip
from services.whistle.domain.calling import call_into, released
from services.whistle.domain.whistles import Whistle
from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.roster import COMMUNITY
from shared.contracts.whistle import confirmed, joined, merged, parted, reopened, settled, withdrawn, words_erased
from shared.errors import Conflict, Forbidden, Invalid

COMMANDERS = frozenset({"secretary", "street", "district"})


@once
def confirm(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, solved: bool, place: Mapping | None,
    photos: list, note: str,
) -> Iterator[Happened]:  # fmt: skip
    """The community or the reporter looks on the spot, with a photo of their own; not solved, it is worked at again."""
    if caller.department:
        raise Forbidden("由社区或反映人确认,不由承办部门 / The community or the reporter confirms, not who handled it")
    must_be_reporter(caller, whistle, given)
    must_be_open(whistle)
    if whistle.stage == "dispatched":
        waiting = [name for name, each in whistle.active.items() if each["stage"] not in ("fed_back", "rated")]
        raise Conflict(f"尚未反馈:{'、'.join(waiting)} / Not fed back yet: {', '.join(waiting)}")
    must_lead_to(whistle, "confirmed")
    must_be_on_the_spot(whistle, place, photos, given) if solved else None
    handled = {each["person"] for each in whistle.reports.values() if each["department"] == COMMUNITY}
    if solved and caller.actor in handled and whistle.people - {caller.actor}:
        raise Forbidden("请由反映人或他人确认 / Whoever handled it does not confirm it: the reporter or another does")
    dues = begun_again(whistle, now, given) if not solved else []
    yield confirmed(
        **told, solved=solved, **on_the_spot(whistle, place, given.rules), **point(place), dues=dues,
        words=words_of({"photos": photos, "note": note}),
    )  # fmt: skip


def must_be_on_the_spot(whistle: Whistle, place: Mapping | None, photos: list, given: Given) -> None:
    """Where the district wants it, solved is what was seen: with a photo, and at the whistle's place."""
    if not given.rules["confirm_on_spot"]:
        return
    if not photos:
        raise Invalid("请附现场照片 / A photo from the spot, please", {"photos": ["请填写 / required"]})
    if whistle.lon is not None and not place:
        raise Invalid("请注明所在位置 / Where you are, please", {"place": ["请填写 / required"]})
    seen = on_the_spot(whistle, place, given.rules)
    if seen["far"]:
        metres = seen["distance"]
        raise Invalid(
            f"距现场 {metres} 米,请到现场确认 / {metres} m away: confirm it there", {"place": [f"{metres} m"]}
        )


def begun_again(whistle: Whistle, now: datetime, given: Given) -> list[dict]:
    """Give what is promised of who leads when it is handled again: the limits for the result, from now on."""
    dues = clocks.dues_of(whistle.lead, whistle.kind, whistle.category, given.rules, given.calendar, now)
    return [each for each in dues if each["clock"] in ("resolve", "feed_back")]


@once
def settle(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, result: str, reason: str | None,
    note: str, photos: list,
) -> Iterator[Happened]:  # fmt: skip
    """销哨: only when every summons is answered and it was seen to be solved; unsolved only with a lawful reason."""
    must_be_of_community(caller, whistle, given)
    must_be_open(whistle)
    if whistle.stage == "dispatched":
        waiting = [name for name, each in whistle.active.items() if each["stage"] not in ("fed_back", "rated")]
        raise Conflict(f"尚未反馈:{'、'.join(waiting)} / Not fed back yet: {', '.join(waiting)}")
    must_lead_to(whistle, "settled")
    if result == "solved":
        if reason:
            raise Invalid("已解决的哨没有未解决原因 / What is solved has no such reason", {"reason": [reason]})
        if whistle.stage != "confirmed":
            raise Conflict("须先现场确认已解决 / It has to be confirmed on the spot first")
    elif not reason:
        raise Invalid("未解决须注明原因 / Unsolved needs a reason", {"reason": ["请填写 / required"]})
    days = given.rules["reopen_days"]
    yield settled(
        **told, result=result, reason=reason, reopen_until=now + timedelta(days=days) if days else None,
        words=words_of({"note": note, "photos": photos}),
    )  # fmt: skip


@once
def reopen(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, photos: list, note: str
) -> Iterator[Happened]:
    """The reporter, or the community for them, within the district's days; who led handles it again."""
    must_be_reporter(caller, whistle, given)
    must_lead_to(whistle, "dispatched")
    if whistle.stage != "settled":
        raise Conflict("只有已销的哨可以重办 / Only what was settled is reopened")
    if not whistle.reopen_until or now > whistle.reopen_until:
        raise Conflict("已过重办期限,请另发新哨 / The days for reopening are over: please blow a new one")
    words = words_of({"photos": photos, "note": note})
    if whistle.lead:
        yield reopened(**told, dues=begun_again(whistle, now, given), words=words)
        return
    raise Conflict("无承办部门,请另发新哨 / Nobody is called there: please blow a new one")


@once
def withdraw(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, note: str
) -> Iterator[Happened]:
    """撤回: by whoever blew it, or whoever commands their community, before anybody has come; never others' matter."""
    if caller.actor != whistle.blown_by:
        must_be_of_community(caller, whistle, given)
        if COMMANDERS.isdisjoint(caller.roles):
            raise Forbidden("由发哨人、社区书记或街道撤回 / Who blew it withdraws it, or the secretary or the street")
    must_lead_to(whistle, "withdrawn")
    if whistle.people != {whistle.blown_by}:
        raise Conflict("另有他人反映此事,不能撤回 / Others have reported it too: it cannot be withdrawn")
    if whistle.reports:
        raise Conflict("已有人报到,不能撤回 / Somebody has reported in: it cannot be withdrawn")
    yield withdrawn(**told, words=words_of({"note": note}))
    yield from released(list(whistle.active), whistle, told=told, given=given, now=now)


@once
def join(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, place: Mapping | None, photos: list,
    note: str,
) -> Iterator[Happened]:  # fmt: skip
    """共同反映: a further reporter of the same matter is told what comes of it; what is confidential is joined only by
    the community's own people, for whoever joins reads what was written."""
    must_be_open(whistle)
    if whistle.confidential and not is_of_community(caller, whistle, given):
        raise Forbidden("此件保密,请另发一哨 / That one is confidential: please blow your own")
    if caller.actor in whistle.people:
        raise Conflict("您已反映此事 / You have reported it already")
    yield joined(
        act=told["act"], order=told["order"], community=whistle.community, person=caller.actor,
        words=words_of({"photos": photos, "note": note}),
    )  # fmt: skip


@once
def merge(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, into: str, note: str
) -> Iterator[Happened]:
    """并案: one matter is worked at once; everybody who reported it is a reporter of the other, never of a secret."""
    must_be_of_community(caller, whistle, given)
    must_lead_to(whistle, "merged")
    must_be_open(given.target)
    if given.target.confidential:
        raise Conflict("保密件不能作为主件,请将保密件并入公开件 / Nothing is merged into what is confidential")
    if given.target.category[:2] != whistle.category[:2]:
        raise Invalid("类别不同,不能并案 / They are of different classes", {"into": [into]})
    yield merged(**told, into=into, words=words_of({"note": note}))
    yield from released(list(whistle.active), whistle, told=told, given=given, now=now)


def absorb(whistle: Whistle, *, caller: Caller, now: datetime, people: list[str], source: str) -> Iterator[Happened]:
    """Whoever reported what was merged into this one is a reporter of this one; heard again, nobody is one twice."""
    for person in people:
        known = any(each["from_whistle"] == source and each["person"] == person for each in whistle.reporters)
        if not known and person != whistle.blown_by:
            yield joined(person=person, community=whistle.community, from_whistle=source)


@once
def part(whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, note: str) -> Iterator[Happened]:
    """拆案: it lives on by itself; whom it called before is called again, with new limits."""
    must_be_of_community(caller, whistle, given)
    if whistle.stage != "merged":
        raise Conflict("没有并案 / It was not merged")
    yield parted(**told, into=whistle.merged_into, words=words_of({"note": note}))
    yield from called_anew(whistle, given, now)


def called_anew(whistle: Whistle, given: Given, now: datetime) -> Iterator[Happened]:
    for n, department in enumerate(whistle.asked):
        yield call_into(whistle, department, "assist" if n else "lead", given=given, now=now)


def fall_out(whistle: Whistle, *, caller: Caller, now: datetime, given: Given, into: str) -> Iterator[Happened]:
    """What was merged into something that had ended, or that was merged into this at the same moment, lives on."""
    if whistle.stage == "merged" and whistle.merged_into == into:
        yield parted(into=into, community=whistle.community)
        yield from called_anew(whistle, given, now)


@once
def erase(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, reason: str
) -> Iterator[Happened]:
    """Words may be erased by right; that they were, when and why stays (PIPL Arts 19, 47)."""
    yield words_erased(**told, reason=reason)


def erased_by(history: tuple[dict, ...], erasure: str) -> tuple[list[str], str]:
    """Give what an erasure erases, the references of all words written before it, and its reason."""
    step = next(each for each in history if each["data"].get("act") == erasure and each["fact"] == "words_erased")
    return [each["words"]["ref"] for each in history[: step["n"] - 1] if "words" in each], step["data"]["reason"]
