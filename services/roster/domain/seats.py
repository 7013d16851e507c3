"""What may be said of a seat, a post at a unit with one holder at a time: who holds it, who answers when."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.roster.domain.departments import must_be_known
from services.roster.domain.periods import NEVER, covers, day_before, ends, holds, meet
from services.roster.domain.scope import must_reach, remembered, was_done
from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.roster import COMMUNITY, HEAD, MAY_HOLD, SPECIALISTS, STEWARD, appointed, term_ended
from shared.errors import Conflict, Forbidden, Invalid, NotFound

# On which units a post sits; every other post is a department's, and sits on a community.
SITS = {HEAD: ("community",), STEWARD: ("building", "compound")}
SAID = {HEAD: "站长", STEWARD: "楼长"}


@dataclass(frozen=True)
class Seat:
    """A seat as its history made it; ``people`` and ``substitutes`` are for finding it."""

    post: str = ""
    unit: str = ""
    terms: list[dict] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    substitutes: list[str] = field(default_factory=list)
    changes: dict[str, dict] = field(default_factory=dict)


def on_appointed(seat: Seat, data: dict) -> Seat:
    term = {name: data[name] for name in ("term", "person", "since", "until", "substitute")}
    term |= {"note": data.get("words")}
    substitutes = [data["substitute"]] if data["substitute"] else []
    return replace(
        seat,
        post=data["post"],
        unit=data["unit"],
        terms=sorted([*seat.terms, term], key=ends),
        people=sorted({*seat.people, data["person"]}),
        substitutes=sorted({*seat.substitutes, *substitutes}),
    )


def on_term_ended(seat: Seat, data: dict) -> Seat:
    terms = [each | ({"until": data["until"]} if each["term"] == data["term"] else {}) for each in seat.terms]
    done = {"term": data["term"], "until": data["until"]}
    return replace(seat, terms=terms, changes=remembered(seat.changes, data["change"], done))


CHANGES = {"appointed": on_appointed, "term_ended": on_term_ended}


def evolve(seat: Seat, fact: str, data: dict, at: datetime, actor: str) -> Seat:
    """Give the seat as one more fact made it."""
    return CHANGES[fact](seat, data)


def seat_id(post: str, unit: str) -> str:
    return f"{post}@{unit}"


def post_and_unit(seat: str) -> tuple[str, str]:
    """Give the post and the unit that a seat's id names."""
    post, _, unit = seat.partition("@")
    return post, unit


# -- who may ---------------------------------------------------------------------------------------------------------


def may_seat(caller: Caller, post: str, unit: dict) -> None:
    """Heads are named by street or district, specialists also by their lead, stewards also by the community."""
    must_reach(caller, unit["path"], unit["code"])
    if {"district", "street"} & set(caller.roles):
        return
    if post == STEWARD and {"worker", "secretary"} & set(caller.roles):
        return
    if post not in SITS and "lead" in caller.roles and caller.department == post:
        return
    raise Forbidden(f"您不能任免这个岗位({post}) / You do not fill this post ({post})")


def fits(post: str, who: dict) -> bool:
    """Say whether a person is of the kind that holds a post."""
    roles = set(who["roles"])
    return bool(MAY_HOLD[post] & roles) if post in MAY_HOLD else bool(SPECIALISTS & roles) and who["department"] == post


def must_be_here(who: dict | None, field: str) -> dict:
    """Only people whom the district knows, and who are not suspended or dismissed, hold or stand in."""
    if who is None or not who["roles"]:
        raise Invalid("本区没有这个人 / No such person in this district", {field: ["没有 / unknown"]})
    if not who["active"]:
        raise Conflict("此人已停用或暂停 / This person is suspended or dismissed")
    return who


def must_fit(post: str, who: dict, field: str) -> None:
    if not fits(post, who):
        wanted = " / ".join(sorted(MAY_HOLD.get(post, SPECIALISTS)))
        said = SAID.get(post, post)
        raise Invalid(
            f"此人不能任{said},应为 {wanted} / Not fit for {post}: should be {wanted}",
            {field: [wanted]},
        )


def must_be_free(period: dict, leaves: list[dict]) -> None:
    """A substitute is there when they are to stand in."""
    if away := next((each for each in leaves if meet(each, period)), None):
        raise Conflict(
            f"替岗人 {away['since']} 至 {away['until']} 请假 / "
            f"The substitute is away from {away['since']} to {away['until']}"
        )


def must_sit(post: str, unit: dict, known: set[str]) -> None:
    """Each post has its level of the tree; a department's must be known."""
    if post == COMMUNITY:
        raise Invalid("社区不是岗位 / The community is no post", {"id": [post]})
    if post not in SITS:
        must_be_known(known, post)
    levels = SITS.get(post, ("community",))
    if unit["level"] not in levels:
        raise Invalid(f"岗位 {post} 设在 {'、'.join(levels)} / {post} sits on a {' or '.join(levels)}", {"id": [post]})


def appoint(
    seat: Seat, *, caller: Caller, now: datetime, unit: dict, known: set[str], who: dict | None, other: dict | None,
    leaves: list[dict], post: str, term: str, person: str, since: date, until: date | None, substitute: str | None,
    note: str = "",
) -> Iterator[Happened]:  # fmt: skip
    """One person holds a seat from a day to a day, and nobody else in that time; ``leaves`` are the substitute's."""
    may_seat(caller, post, unit)
    period = {"since": str(since), "until": until and str(until)}
    if is_known(seat, term, person, period["since"], substitute):
        return
    must_sit(post, unit, known)
    if period["until"] and period["until"] < period["since"]:
        raise Invalid("结束早于开始 / It would end before it begins", {"until": [f"≥ {since}"]})
    if not holds(unit, period):  # also who is to stay for good: whoever closes a unit looks for them
        raise Conflict(f"{unit['name']}在此期间不存在或已撤销 / {unit['code']} is not open all that time")
    must_fit(post, must_be_here(who, "person"), "person")
    if substitute:
        if substitute == person:
            raise Invalid("替岗人不能是本人 / Nobody stands in for themselves", {"substitute": ["本人 / the same"]})
        must_fit(post, must_be_here(other, "substitute"), "substitute")
        must_be_free(period, leaves)
    if taken := next((each for each in seat.terms if meet(each, period)), None):
        raise Conflict(
            f"此岗 {taken['since']} 至 {taken['until'] or '今后'} 已有人 / "
            f"Somebody holds this seat from {taken['since']} to {taken['until'] or 'now on'}"
        )
    words = {"note": note} if note else {}
    order = {"post": post, "unit": unit["code"], "term": term, "person": person, "substitute": substitute}
    yield appointed(**order, **period, words=words)


def is_known(seat: Seat, term: str, person: str, since: str, substitute: str | None) -> bool:
    """Say whether this very appointment was made already; another one under its id is refused."""
    for each in seat.terms:
        if each["term"] == term:
            if (each["person"], each["since"], each["substitute"]) != (person, since, substitute):
                raise Conflict("编号已被使用,内容不同 / This id is already another term's")
            return True
    return False


def end_term(
    seat: Seat, *, caller: Caller, now: datetime, unit: dict, term: str, change: str, until: date
) -> Iterator[Happened]:
    """A term ends earlier than it would; on the day before its first, it never was."""
    may_seat(caller, seat.post, unit)
    if was_done(seat.changes, change, {"term": term, "until": str(until)}):
        return
    known = next((each for each in seat.terms if each["term"] == term), None)
    if known is None:
        raise NotFound("此岗没有这个任期 / This seat has no such term")
    if str(until) < day_before(known["since"]):
        raise Invalid("早于任期开始 / Before the term begins", {"until": [f"≥ {day_before(known['since'])}"]})
    if str(until) > (known["until"] or NEVER):
        raise Conflict(f"任期已于 {known['until']} 结束 / The term ends on {known['until']} already")
    yield term_ended(post=seat.post, unit=seat.unit, term=term, change=change, until=str(until))


def hand_over(seat: Seat, *, change: str, since: date, **order) -> Iterator[Happened]:
    """The running term ends the day before, the next one begins; both or neither."""
    last, (post, unit) = day_before(str(since)), (order["post"], order["unit"])
    if is_known(seat, order["term"], order["person"], str(since), order["substitute"]):
        return
    running = next((each for each in seat.terms if covers(each, str(since)) or covers(each, last)), None)
    if running is None:
        raise Conflict("此岗那天没有人,请直接任岗 / Nobody holds this seat then: appoint instead")
    if running["since"] >= str(since):
        raise Conflict(f"现任 {running['since']} 才上任 / The one there begins on {running['since']} only")
    if running["person"] == order["person"]:
        raise Conflict("接任的就是现任 / This person holds the seat already")
    ended = []
    if (running["until"] or NEVER) > last:
        ended = [term_ended(post=post, unit=unit["code"], term=running["term"], change=change, until=last)]
    after = on_term_ended(seat, ended[0].data) if ended else seat
    # Both are decided before either is told, so that nothing ends without the next one beginning.
    yield from [*ended, *appoint(after, since=since, **order)]


def carried(
    seat: Seat, *, caller: Caller, now: datetime, post: str, unit: str, term: str, old: dict, since: str
) -> Iterator[Happened]:
    """Who held a seat of a community that is merged or split holds it in the other one too, if nobody else does."""
    period = {"since": max(since, old["since"]), "until": old["until"]}
    if any(each["term"] == term or meet(each, period) for each in seat.terms):
        return
    order = {"post": post, "unit": unit, "term": term, "person": old["person"], "substitute": old["substitute"]}
    yield appointed(**order, **period)


def ended(seat: Seat, *, caller: Caller, now: datetime, term: str, change: str, since: str) -> Iterator[Happened]:
    """A seat of a community that is merged ends with it; a term that was to begin later never was."""
    known = next(each for each in seat.terms if each["term"] == term)
    until = day_before(max(since, known["since"]))
    if change in seat.changes or (known["until"] or NEVER) <= until:
        return
    yield term_ended(post=seat.post, unit=seat.unit, term=term, change=change, until=until)


def running(seat: Seat, day: str) -> list[dict]:
    """Give the terms that last to a day or longer."""
    return [each for each in seat.terms if meet(each, {"since": day})]


# -- who answers -----------------------------------------------------------------------------------------------------


def term_at(terms: list[dict], day: str) -> dict | None:
    """Give the term that covers a day."""
    return next((each for each in terms if covers(each, day)), None)


def is_there(person: str, day: str, leaves: dict[str, list[dict]], active: set[str]) -> bool:
    """Say whether somebody works on a day."""
    return person in active and not any(covers(each, day) for each in leaves.get(person, ()))


def who_answers(terms: list[dict], day: str, leaves: dict[str, list[dict]], active: set[str]) -> str | None:
    """Give who answers for a seat on a day: the holder; else the leave's substitute; else the term's; else nobody."""
    term = term_at(terms, day)
    if term is None:
        return None
    absence = next((each for each in leaves.get(term["person"], ()) if covers(each, day)), {})
    asked = (term["person"], absence.get("substitute"), term["substitute"])
    return next((each for each in asked if each and is_there(each, day, leaves, active)), None)
