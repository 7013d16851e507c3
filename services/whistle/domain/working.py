"""What who was called does: sign, contact, report in, handle, give the result back; more time; on account."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta

from services.whistle.domain import clocks
from services.whistle.domain.acts import (
    Given,
    acting_for,
    must_be_of_community,
    must_be_open,
    must_move,
    on_the_spot,
    once,
    point,
    summons_of,
    to,
    words_of,
)  # fmt: skip
from services.whistle.domain.calling import confirm_due
from services.whistle.domain.whistles import ANSWERED, SAID, Whistle
from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.whistle import (
    contacted,
    dues_moved,
    extension_asked,
    extension_decided,
    fed_back,
    put_on,
    reported,
    scored,
    signed,
    taken_off,
    taken_up,
)  # fmt: skip
from shared.errors import Conflict, Invalid
from shared.rules.days import BEIJING, day_of

LONGEST_EXTENSION = timedelta(days=60)
LONGEST_ACCOUNT = timedelta(days=366)
OFFICE_OPENS = time(9)


@once
def sign(whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict) -> Iterator[Happened]:
    """签收: whoever signs has it in hand from now on."""
    department = acting_for(caller, whistle, given)
    must_move(whistle, department, "signed")
    yield signed(**told, department=department, person=caller.actor, **to(department))


@once
def contact(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, way: str, note: str
) -> Iterator[Happened]:
    """联系: the reporter was reached (Appeals Art. 15)."""
    department = acting_for(caller, whistle, given)
    must_move(whistle, department, "contacted")
    yield contacted(**told, department=department, way=way, words=words_of({"note": note}), **to(department))


@once
def report(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, place: Mapping | None, photos: list,
    note: str,
) -> Iterator[Happened]:  # fmt: skip
    """报到: several people of one department may come, each once; from far away is accepted and marked."""
    department = acting_for(caller, whistle, given)
    must_be_open(whistle)
    stage = summons_of(whistle, department)["stage"]
    if stage not in ("called", "signed", "contacted", "reported", "handling"):
        raise Conflict(f"{department} {SAID[stage]},不能再报到 / {department} is {stage}: it does not report in now")
    came = [each for each in whistle.reports.values() if each["person"] == caller.actor]
    if any(each["at"] >= whistle.summonses[department]["dispatched_at"] for each in came):
        raise Conflict("您已报到 / You have reported in already")
    yield reported(
        **told, department=department, person=caller.actor, **on_the_spot(whistle, place, given.rules), **point(place),
        words=words_of({"photos": photos, "note": note}),
    )  # fmt: skip


@once
def take_up(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, note: str
) -> Iterator[Happened]:
    """处置: after reporting in."""
    department = acting_for(caller, whistle, given)
    must_move(whistle, department, "handling")
    if whistle.summonses[department]["stage"] != "reported":
        raise Conflict(f"{department} 须先报到 / {department} has to report in first")
    yield taken_up(**told, department=department, words=words_of({"note": note}), **to(department))


@once
def feed_back(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, result: str, text: str, photos: list,
    outcomes: list[dict],
) -> Iterator[Happened]:  # fmt: skip
    """反馈: what was done, in words and in measures of the district's list (Appeals Art. 15)."""
    department = acting_for(caller, whistle, given)
    must_move(whistle, department, "fed_back")
    made = [measured(each, given.rules) for each in outcomes]
    dues = last_answer(whistle, department, now, given)
    yield fed_back(
        **told, department=department, result=result, outcomes=made, dues=dues,
        words=words_of({"text": text, "photos": photos}),
    )  # fmt: skip


def measured(outcome: Mapping, rules: Mapping) -> dict:
    """An outcome is counted in a measure that the district has; an amount only where the measure has a unit."""
    known = {each["measure"]: each for each in rules["outcomes"]}
    if outcome["measure"] not in known:
        names = "、".join(f"{each['measure']}({each['name']})" for each in known.values())
        raise Invalid(f"没有这种成果;可选:{names} / Choose from: {names}", {"outcomes": [outcome["measure"]]})
    unit = known[outcome["measure"]]["unit"]
    if outcome["amount"] is not None and not unit:
        raise Invalid(
            f"“{known[outcome['measure']]['name']}”只计件数 / That is counted only, it has no amount",
            {"outcomes": [outcome["measure"]]},
        )
    return {"measure": outcome["measure"], "count": outcome["count"], "amount": outcome["amount"], "unit": unit}


def last_answer(whistle: Whistle, department: str, now: datetime, given: Given) -> list[dict]:
    """Give the limit that begins to run where everybody else has answered."""
    others = (each["stage"] in ANSWERED for name, each in whistle.active.items() if name != department)
    return confirm_due(whistle, now, given) if all(others) else []


@once
def ask_extension(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, until: datetime, note: str
) -> Iterator[Happened]:
    """申请延期: before its limit runs out or after, with a reason that the reporter is told (Appeals Art. 15)."""
    department = acting_for(caller, whistle, given)
    must_be_open(whistle)
    summons = summons_of(whistle, department)
    if summons["stage"] not in clocks.OPEN_SUMMONS:
        raise Conflict(f"{department} {SAID[summons['stage']]} / {department} is {summons['stage']}: nothing to extend")
    if summons["extension"]:
        raise Conflict("已有延期申请待批 / An extension waits for a decision already")
    due = max((each["due"] for each in summons["clocks"].values() if "due" in each), default=now)
    if not max(now, due) < until <= now + LONGEST_EXTENSION:
        raise Invalid(
            "延期须晚于现有时限,且不超过 60 天 / Later than the present limit, and 60 days at the most",
            {"until": ["范围 / range"]},
        )
    yield extension_asked(**told, department=department, until=until, words=words_of({"note": note}))


@once
def decide_extension(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, department: str, granted: bool,
    note: str,
) -> Iterator[Happened]:  # fmt: skip
    """延期审批: granted, the result is due then; the reporter is told either way (Appeals Art. 15)."""
    must_be_open(whistle)
    must_be_of_community(caller, whistle, given)
    asked = summons_of(whistle, department)["extension"]
    if not asked:
        raise Conflict(f"{department} 没有延期待批 / {department} has asked for no extension")
    dues = []
    for name in ("resolve", "feed_back"):
        clock = whistle.summonses[department]["clocks"].get(name)
        if granted and clock and "met" not in clock:
            remind = asked["until"] - timedelta(days=1)
            row = {"department": department, "clock": name, "due": asked["until"], "moved": True}
            dues.append(row | ({"remind": remind} if remind > now else {}))
    yield extension_decided(**told, department=department, granted=granted, dues=dues, words=words_of({"note": note}))


@once
def put_on_account(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, obstacle: str, review: date, note: str
) -> Iterator[Happened]:
    """挂账: what nobody here can remove for now rests until a day of review; its limits rest with it."""
    must_be_open(whistle)
    must_be_of_community(caller, whistle, given)
    if whistle.stage != "dispatched":
        raise Conflict("只有办理中的哨可以挂账 / Only what is being worked at is put on account")
    if whistle.account:
        raise Conflict("已挂账 / It is on account already")
    today = day_of(now)
    if not today < review <= today + LONGEST_ACCOUNT:
        raise Invalid("复核日须在一年之内 / A day of review within a year, please", {"review": ["范围 / range"]})
    due = datetime.combine(review, OFFICE_OPENS, BEIJING)
    dues = [{"department": "", "clock": "review", "due": due}]
    yield put_on(**told, obstacle=obstacle, review=review.isoformat(), dues=dues, words=words_of({"note": note}))


@once
def take_off_account(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, note: str
) -> Iterator[Happened]:
    """销账: each limit has what was left of it when it began to rest."""
    must_be_open(whistle)
    must_be_of_community(caller, whistle, given)
    if not whistle.account:
        raise Conflict("没有挂账 / It is not on account")
    dues = clocks.after_pause(whistle, whistle.account["since"], now, given.calendar)
    yield taken_off(**told, dues=dues, words=words_of({"note": note}))


@once
def move_dues(
    whistle: Whistle, *, caller: Caller, now: datetime, given: Given, told: dict, note: str
) -> Iterator[Happened]:
    """What was promised is recomputed only when the street or the district asks for it, as the preview showed."""
    must_be_open(whistle)
    must_be_of_community(caller, whistle, given)
    if whistle.account:
        raise Conflict("挂账期间时限暂停,先销账 / Its limits rest while it is on account")
    dues = clocks.recomputed(whistle, given.rules, given.calendar)
    yield dues_moved(**told, dues=dues, words=words_of({"note": note}))


def preview(whistle: Whistle, given: Given) -> list[dict]:
    """Give what recomputing would change: each limit as it was promised and as it would be."""
    return [
        {"department": each["department"], "clock": each["clock"], "would_be": each["due"]}
        | {"due": whistle.summonses[each["department"]]["clocks"].get(each["clock"], {}).get("due")}
        for each in clocks.recomputed(whistle, given.rules, given.calendar)
    ]


def score(
    whistle: Whistle, *, caller: Caller, now: datetime, department: str, answer: str, rating: str, revision: int,
    score: float,
) -> Iterator[Happened]:  # fmt: skip
    """What the evaluation service told: a result was rated (下考上). The last revision is shown, however they come;
    what rates an earlier result than the one that stands is not."""
    summons = whistle.summonses.get(department)
    if summons and summons["answer"] and summons["answer"]["act"] == answer and summons["revision"] < revision:
        yield scored(
            department=department, rating=rating, revision=revision, score=score, community=whistle.community,
            **to(department),
        )  # fmt: skip


def ring(whistle: Whistle, *, caller: Caller, now: datetime) -> Iterator[Happened]:
    """What is due by now rings, once."""
    yield from clocks.ring(whistle, caller=caller, now=now)
