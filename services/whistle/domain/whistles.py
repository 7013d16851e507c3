"""What may happen to a whistle next, and who may do it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.whistle import blown, called, reported, settled, words_erased
from shared.errors import Conflict, Forbidden, Invalid
from shared.rules.codes import is_within

NEXT = {
    None: {"blown"},
    "blown": {"attended"},
    "attended": {"settled"},
    "settled": set(),
}

SAID = {"blown": "已发哨", "attended": "已报到", "settled": "已销哨"}


@dataclass(frozen=True)
class Whistle:
    """A whistle as its history made it; ``words`` are references, never the words."""

    stage: str | None = None
    kind: str = ""
    category: str = ""
    community: str = ""
    called: list[str] = field(default_factory=list)
    reports: dict[str, dict] = field(default_factory=dict)
    lon: float | None = None
    lat: float | None = None
    blown_at: datetime | None = None
    blown_by: str = ""
    attended_at: datetime | None = None
    settled_at: datetime | None = None
    settled_by: str | None = None
    settlement: str | None = None
    words: str | None = None
    settlement_words: str | None = None
    erasures: dict[str, str] = field(default_factory=dict)


def on_blown(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    return replace(
        whistle, stage="blown", kind=data["kind"], category=data["category"], community=data["community"],
        called=data["called"], lon=data.get("lon"), lat=data.get("lat"), blown_at=at, blown_by=actor,
        words=data.get("words"),
    )  # fmt: skip


def on_reported(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    attendance = {"department": data["department"], "person": data["person"], "at": at, "words": data.get("words")}
    attendance |= {"lon": data.get("lon"), "lat": data.get("lat")}
    reports = whistle.reports | {data["report"]: attendance}
    if {each["department"] for each in reports.values()} < set(whistle.called):
        return replace(whistle, reports=reports)
    # Joint attendance is the normal case: the whistle is attended when every called department has come.
    return replace(whistle, reports=reports, stage="attended", attended_at=whistle.attended_at or at)


def on_settled(whistle: Whistle, data: dict, at: datetime, actor: str) -> Whistle:
    return replace(
        whistle, stage="settled", settled_at=at, settled_by=actor, settlement=data["settlement"],
        settlement_words=data.get("words"),
    )  # fmt: skip


CHANGES = {
    "blown": on_blown,
    "called": lambda whistle, data, at, actor: whistle,
    "reported": on_reported,
    "settled": on_settled,
    "words_erased": lambda whistle, data, at, actor: replace(
        whistle, erasures=whistle.erasures | {data["erasure"]: data["reason"]}
    ),
}


def evolve(whistle: Whistle, fact: str, data: dict, at: datetime, actor: str) -> Whistle:
    """Give the whistle as one more fact made it."""
    return CHANGES[fact](whistle, data, at, actor)


def point(place: dict | None) -> dict:
    return {"lon": place["lon"], "lat": place["lat"]} if place else {}


def erased_by(history: tuple[dict, ...], erasure: str) -> tuple[list[str], str]:
    """Give what an erasure erases, the references of all words written before it, and its reason."""
    step = next(each for each in history if each["data"].get("erasure") == erasure)
    return [each["words"]["ref"] for each in history[: step["n"] - 1] if "words" in each], step["data"]["reason"]


def said_before(words: dict, ref: str | None, **said) -> bool:
    """Say whether these are the words of the first time; where they are not there any more, nobody can tell."""
    known = words.get(ref, {"erased": True})
    return "erased" in known or all((known.get(name) or None) == (text or None) for name, text in said.items())


def must_be_the_same(same: bool) -> None:
    """An order that was carried out is found again by the same order only."""
    if not same:
        raise Conflict("编号已被使用,内容不同 / This id is already another order's")


def must_lead_to(whistle: Whistle, stage: str) -> None:
    """A whistle goes only where its life cycle leads."""
    if stage not in NEXT[whistle.stage]:
        raise Conflict(
            f"此哨{SAID[whistle.stage]},不能再这样办 / This whistle is {whistle.stage}: that cannot be done now"
        )


def must_be_in_unit(caller: Caller, *communities: str) -> None:
    """A community's people act for their own community, a street's for their street (Regulation Art. 5).

    After a merger they are those of any ``communities`` that the first has become.
    """
    if not any(is_within(community, caller.unit or "-") for community in communities):
        raise Forbidden("不在您的辖区 / Outside the unit that you act for")


def blow(
    whistle: Whistle, *, caller: Caller, now: datetime, rules: dict, kind: str, category: str, community: str,
    departments: list[str], title: str, text: str, place: dict | None, photos: list[str],
) -> Iterator[Happened]:  # fmt: skip
    """The four statutory kinds only, for one's own unit, to departments that the district has (Regulation Art. 5)."""
    must_lead_to(whistle, "blown")
    must_be_in_unit(caller, community)
    if len(set(departments)) != len(departments):
        raise Invalid("部门重复 / A department is named twice", {"departments": ["重复 / named twice"]})
    strangers = sorted(set(departments) - set(rules["departments"]))
    if strangers:
        known = "、".join(rules["departments"])
        raise Invalid(
            f"本区没有这些部门:{'、'.join(strangers)};可选:{known} / No such department here, choose from: {known}",
            {"departments": strangers},
        )
    at = point(place)
    words = {"title": title, "text": text, "photos": photos}
    yield blown(kind=kind, category=category, community=community, called=departments, **at, words=words)
    for department in departments:
        yield called(department=department, kind=kind, category=category, community=community, **at, to=department)


def report(
    whistle: Whistle, *, caller: Caller, now: datetime, report: str, place: dict | None, photos: list[str], words: dict
) -> Iterator[Happened]:
    """Only a called department reports in, through one of its own people; several of them may come."""
    if known := whistle.reports.get(report):
        there = {"lon": known["lon"], "lat": known["lat"]} == {"lon": None, "lat": None} | point(place)
        before = there and said_before(words, known["words"], photos=photos)
        must_be_the_same(known["person"] == caller.actor and before)
        return
    if not caller.department:
        raise Forbidden("只有部门专员可以报到 / Only a department's specialist reports in")
    if caller.department not in whistle.called:
        raise Forbidden(f"此哨没有召集{caller.department} / {caller.department} was not called")
    if whistle.stage == "settled":
        must_lead_to(whistle, "attended")
    if any(each["person"] == caller.actor for each in whistle.reports.values()):
        raise Conflict("您已报到 / You have reported in already")
    yield reported(
        report=report, department=caller.department, person=caller.actor, community=whistle.community, **point(place),
        words={"photos": photos} if photos else {},
    )  # fmt: skip


def settle(
    whistle: Whistle,
    *,
    caller: Caller,
    now: datetime,
    settlement: str,
    note: str,
    photos: list[str],
    words: dict,
    successors: tuple[str, ...] = (),
) -> Iterator[Happened]:
    """The community settles, and only when every called department has reported in."""
    if whistle.settlement == settlement:
        before = said_before(words, whistle.settlement_words, note=note, photos=photos)
        must_be_the_same(whistle.settled_by == caller.actor and before)
        return
    must_be_in_unit(caller, whistle.community, *successors)
    if whistle.stage == "blown":
        absent = sorted(set(whistle.called) - {each["department"] for each in whistle.reports.values()})
        raise Conflict(f"尚未报到:{'、'.join(absent)} / Not reported in yet: {', '.join(absent)}")
    must_lead_to(whistle, "settled")
    yield settled(settlement=settlement, community=whistle.community, words={"note": note, "photos": photos})


def erase(whistle: Whistle, *, caller: Caller, now: datetime, erasure: str, reason: str) -> Iterator[Happened]:
    """Words may be erased by right; that they were, when and why stays (PIPL Arts 19, 47)."""
    if erasure in whistle.erasures:
        must_be_the_same(whistle.erasures[erasure] == reason)
        return
    yield words_erased(erasure=erasure, reason=reason, community=whistle.community)
