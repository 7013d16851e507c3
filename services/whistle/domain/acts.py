"""What every act has in common: what it is told of the world, that it happens once, and who may do it for whom."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import wraps

from services.whistle.domain import clocks
from services.whistle.domain.whistles import NEXT, NEXT_OF_SUMMONS, SAID, Whistle
from shared.caller import PLUGIN, Caller
from shared.contract import Happened
from shared.contracts.roster import COMMUNITY
from shared.errors import Conflict, Forbidden, NotFound
from shared.rules.calendar import Calendar
from shared.rules.codes import is_within
from shared.rules.places import distance

WORDS = ("title", "text", "address", "expected", "note", "minutes", "where", "photos")
SIDE = ("steward", "worker", "secretary", "street", "district")


@dataclass(frozen=True)
class Given:
    """What an act is told of the world.

    ``rules`` are the settings at the whistle's place and ``policy`` their version; ``answers`` say who answers for a
    department there, by name and seat; ``rule`` is the dispatch catalogue's; ``successors`` are what the community
    has become; ``target`` is what a whistle is to be merged into; ``staff`` hold a seat of a department, or stand in;
    ``path`` is the place that is named and all above it, as the tree is today, empty where there is no such place.
    """

    rules: Mapping = field(default_factory=dict)
    policy: int = 0
    calendar: Calendar = field(default_factory=Calendar)
    answers: Mapping[str, Mapping] = field(default_factory=dict)
    rule: Mapping | None = None
    successors: tuple[str, ...] = ()
    target: Whistle | None = None
    staff: frozenset[str] = frozenset()
    path: tuple[str, ...] = ()


def calendar_of(rules: Mapping) -> Calendar:
    """Make the calendar that holds at a place of the district's own days."""
    days = {date.fromisoformat(each["day"]): each["worked"] for each in rules["calendar"]["days"]}
    return Calendar(days, rules["calendar"]["years"])


# -- once --------------------------------------------------------------------------------------------------------------


def digest_of(name: str, order: Mapping) -> str:
    """Give what an order is known by when it comes again: all of it but the words, of which no trace may stay."""
    plain = {key: value for key, value in order.items() if key not in WORDS}
    text = json.dumps([name, plain], sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def words_of(order: Mapping) -> dict:
    """Give what a person wrote in an order, nothing that is empty."""
    return {name: order[name] for name in WORDS if order.get(name)}


def said_before(words: Mapping, ref: str | None, order: Mapping) -> bool:
    """Say whether these are the words of the first time; where they are not there any more, nobody can tell."""
    said = words_of(order)
    if ref is None:
        return not said
    known = words.get(ref, {"erased": True})
    return "erased" in known or {name: text for name, text in known.items() if text} == said


def must_be_the_same(same: bool) -> None:
    """An order that was carried out is found again by the same order only."""
    if not same:
        raise Conflict("编号已被使用,内容不同 / This id is already another order's")


def is_known(whistle: Whistle, *, caller: Caller, act: str, name: str, order: Mapping, words: Mapping) -> bool:
    """Say whether this very order was carried out; another one under its id is refused."""
    known = whistle.acts.get(act)
    if known:
        order_before, by, ref = known
        same = (order_before, by) == (digest_of(name, order), caller.actor)
        must_be_the_same(same and said_before(words, ref, order))
    return bool(known)


def once(rule: Callable[..., Iterator[Happened]]) -> Callable[..., Iterator[Happened]]:
    """Make an act of a rule: the same order again decides nothing, and finds what it did."""

    @wraps(rule)
    def decide(
        whistle: Whistle, *, caller: Caller, now: datetime, given: Given, words: Mapping, act: str, **order
    ) -> Iterator[Happened]:
        if is_known(whistle, caller=caller, act=act, name=rule.__name__, order=order, words=words):
            return
        told = {"act": act, "order": digest_of(rule.__name__, order), "community": whistle.community}
        yield from rule(whistle, caller=caller, now=now, given=given, told=told, **order)

    return decide


# -- may it happen -----------------------------------------------------------------------------------------------------


def must_lead_to(whistle: Whistle, *stages: str) -> None:
    """A whistle goes only where its life cycle leads."""
    if not NEXT[whistle.stage].intersection(stages):
        raise Conflict(
            f"此哨{SAID[whistle.stage]},不能这样办 / This whistle is {whistle.stage}: that cannot be done now"
        )


def must_be_open(whistle: Whistle) -> None:
    """What has ended is not worked at; it may be reopened, or taken out of what it was merged into."""
    if whistle.stage in clocks.ENDED or whistle.stage == "awaiting":
        raise Conflict(
            f"此哨{SAID[whistle.stage]},不能这样办 / This whistle is {whistle.stage}: that cannot be done now"
        )


def summons_of(whistle: Whistle, department: str) -> dict:
    """Give the summons of a department that is called."""
    if department not in whistle.active:
        raise Forbidden(f"此哨没有召集{department} / {department} is not called")
    return whistle.summonses[department]


def must_move(whistle: Whistle, department: str, stage: str) -> dict:
    """A summons goes only where its life cycle leads; gives it."""
    must_be_open(whistle)
    summons = summons_of(whistle, department)
    if stage not in NEXT_OF_SUMMONS[summons["stage"]]:
        raise Conflict(
            f"{department} {SAID[summons['stage']]},不能这样办 / {department} is {summons['stage']}: not now"
        )
    return summons


# -- who may do it -----------------------------------------------------------------------------------------------------


def is_in_unit(caller: Caller, *communities: str) -> bool:
    """Say whether somebody acts for one of these communities: of its own, of a unit above it, or of a place in it."""
    unit = caller.unit or "-"
    return any(is_within(community, unit) or unit.startswith(f"{community}.") for community in communities)


def must_be_in_unit(caller: Caller, *communities: str) -> None:
    """A community's people act for their own community, a street's for their street (Regulation Art. 5).

    After a merger they are those of any ``communities`` that the first has become.
    """
    if not is_in_unit(caller, *communities):
        raise Forbidden("不在您的辖区 / Outside the unit that you act for")


def is_of_community(caller: Caller, whistle: Whistle, given: Given) -> bool:
    """Say whether somebody acts for the whistle's community, or commands it from above."""
    side = not caller.department and not set(SIDE).isdisjoint(caller.roles)
    return side and is_in_unit(caller, whistle.community, *given.successors)


def must_be_of_community(caller: Caller, whistle: Whistle, given: Given) -> None:
    """Who acts for the community, or commands it: no department, and nobody who merely lives there."""
    if caller.department or set(SIDE).isdisjoint(caller.roles):
        raise Forbidden("由社区或街道办理,不由部门 / That is the community's or the street's, not a department's")
    must_be_in_unit(caller, whistle.community, *given.successors)


def must_be_reporter(caller: Caller, whistle: Whistle, given: Given) -> None:
    """Who reported it, or the community for them."""
    if caller.actor not in whistle.people and not is_of_community(caller, whistle, given):
        raise Forbidden("只有反映人或其社区可以这样办 / Only who reported it, or their community, may do that")


def must_be_ones_own(whistle: Whistle, caller: Caller) -> None:
    """What somebody else reported is not there for a resident."""
    if caller.actor not in whistle.people:
        raise NotFound("没有这一件 / No such thing among yours")


def concerns(whistle: Whistle, caller: Caller) -> bool:
    """A department's program reads what its department was called to; people of a district read all of it."""
    return PLUGIN not in caller.roles or caller.department in whistle.summonses


def must_concern(whistle: Whistle, caller: Caller) -> None:
    if not concerns(whistle, caller):
        raise NotFound("没有召集过本部门 / Your department was not called to any such thing")


def acting_for(caller: Caller, whistle: Whistle, given: Given) -> str:
    """Give for whom somebody works at a whistle: their department, or the community where it is called itself."""
    if caller.department:
        summons_of(whistle, caller.department)
        return caller.department
    summons_of(whistle, COMMUNITY)
    must_be_of_community(caller, whistle, given)
    return COMMUNITY


# -- what facts carry --------------------------------------------------------------------------------------------------


def to(department: str) -> dict:
    """Give to whom a fact about a summons is told: its department alone, or everybody where it is the community's."""
    return {} if department == COMMUNITY else {"to": department}


def point(place: Mapping | None) -> dict:
    return {"lon": place["lon"], "lat": place["lat"]} if place else {}


def on_the_spot(whistle: Whistle, place: Mapping | None, rules: Mapping) -> dict:
    """Compare a place with the whistle's: metres, and whether that is too far; nothing where either is not known."""
    if not place or whistle.lon is None:
        return {"distance": None, "far": False}
    metres = distance({"lon": whistle.lon, "lat": whistle.lat}, place)
    return {"distance": round(metres), "far": metres > rules["report_within"]}
