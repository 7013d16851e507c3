"""What may be said of somebody who holds seats: when they are away and who answers then, and their name card."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.roster.domain.periods import day_before, meet
from services.roster.domain.scope import must_act_for, remembered, was_done
from services.roster.domain.seats import must_be_free, must_be_here
from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.roster import card_published, card_withdrawn, leave_ended, leave_taken
from shared.errors import Conflict, Invalid, NotFound


@dataclass(frozen=True)
class Holder:
    """When somebody is away; ``substitutes`` is for finding whom somebody stands in for."""

    leaves: dict[str, dict] = field(default_factory=dict)
    substitutes: list[str] = field(default_factory=list)
    changes: dict[str, dict] = field(default_factory=dict)


@dataclass(frozen=True)
class Card:
    """A published name card; its ``words`` are a reference, None where there is none to see."""

    words: str | None = None
    hours: list[dict] = field(default_factory=list)
    changes: dict[str, dict] = field(default_factory=dict)


def on_leave_taken(holder: Holder, data: dict) -> Holder:
    leave = {name: data[name] for name in ("since", "until", "substitute")}
    substitutes = [data["substitute"]] if data["substitute"] else []
    return replace(
        holder,
        leaves=holder.leaves | {data["absence"]: leave | {"asked_until": data["until"]}},
        substitutes=sorted({*holder.substitutes, *substitutes}),
    )


def on_leave_ended(holder: Holder, data: dict) -> Holder:
    leave = holder.leaves[data["absence"]] | {"until": day_before(data["back"])}
    done = {"absence": data["absence"], "back": data["back"]}
    return replace(
        holder,
        leaves=holder.leaves | {data["absence"]: leave},
        changes=remembered(holder.changes, data["change"], done),
    )


CHANGES = {"leave_taken": on_leave_taken, "leave_ended": on_leave_ended}


def evolve(holder: Holder, fact: str, data: dict, at: datetime, actor: str) -> Holder:
    """Give the holder as one more fact made it."""
    return CHANGES[fact](holder, data)


def evolve_card(card: Card, fact: str, data: dict, at: datetime, actor: str) -> Card:
    """Give the card as one more fact made it."""
    if fact == "card_published":
        done = {"hours": data["hours"]}
        return Card(data["words"], data["hours"], remembered(card.changes, data["change"], done))
    return Card(changes=remembered(card.changes, data["change"], {}))


def take_leave(
    holder: Holder, *, caller: Caller, now: datetime, who: dict | None, path: list[str], other: dict | None,
    leaves: list[dict], covered: list[dict], person: str, absence: str, since: date, until: date,
    substitute: str | None,
) -> Iterator[Happened]:  # fmt: skip
    """Somebody is away; their substitute is there, and nobody who is away then counts on them.

    ``leaves`` are the substitute's own; ``covered`` the periods in which this person stands in for others.
    """
    who = must_be_here(who, "person")
    must_act_for(caller, person, who, path)
    period = {"since": str(since), "until": str(until)}
    if known := holder.leaves.get(absence):
        asked = {"since": known["since"], "until": known["asked_until"], "substitute": known["substitute"]}
        if asked != period | {"substitute": substitute}:
            raise Conflict("编号已被使用,内容不同 / This id is already another absence's")
        return
    if until < since:
        raise Invalid("结束早于开始 / It would end before it begins", {"until": [f"≥ {since}"]})
    if any(meet(each, period) for each in holder.leaves.values()):
        raise Conflict("这些天已请过假 / This person is away on some of these days already")
    if taken := next((each for each in covered if meet(each, period)), None):
        raise Conflict(
            f"{taken['since']} 至 {taken['until']} 须替别人,不能请假 / "
            f"Stands in for somebody from {taken['since']} to {taken['until']}"
        )
    if substitute:
        if substitute == person:
            raise Invalid("替岗人不能是本人 / Nobody stands in for themselves", {"substitute": ["本人 / the same"]})
        other = must_be_here(other, "substitute")
        if not is_same_kind(who, other):
            raise Invalid(
                "替岗人须是同部门或同类人员 / A substitute is of the same kind", {"substitute": ["不符 / unfit"]}
            )
        must_be_free(period, leaves)
    yield leave_taken(absence=absence, substitute=substitute, **period)


def is_same_kind(who: dict, other: dict) -> bool:
    """A specialist is stood in for by their department, others by somebody with a role in common."""
    if who["department"] or other["department"]:
        return who["department"] == other["department"]
    return bool(set(who["roles"]) & set(other["roles"]))


def end_leave(
    holder: Holder, *, caller: Caller, now: datetime, who: dict | None, path: list[str], person: str, absence: str,
    change: str, back: date,
) -> Iterator[Happened]:  # fmt: skip
    """Somebody is back earlier; on or before the first day of their leave, it never was."""
    must_act_for(caller, person, who or {}, path)
    known = holder.leaves.get(absence)
    if known is None:
        raise NotFound("没有这次请假 / No such absence")
    back = max(str(back), known["since"])
    if was_done(holder.changes, change, {"absence": absence, "back": back}):
        return
    if day_before(back) >= known["until"]:
        raise Conflict(f"这次请假到 {known['until']} 为止 / This absence ends on {known['until']} already")
    yield leave_ended(absence=absence, change=change, back=back)


def stands_in(person: str, leaves: list[dict], terms: list[dict]) -> list[dict]:
    """Give the periods in which a person answers for others who are away.

    ``leaves`` are those others' with ``person`` whose it is; ``terms`` those that name this person as substitute.
    """
    named = [each for each in terms if each["substitute"] == person]

    def counts_on(leave: dict) -> bool:
        by_term = any(term["person"] == leave["person"] and meet(term, leave) for term in named)
        return leave["substitute"] == person or (not leave["substitute"] and by_term)

    return [each for each in leaves if counts_on(each)]


def publish_card(
    card: Card, *, caller: Caller, now: datetime, who: dict | None, path: list[str], person: str, change: str,
    name: str, phone: str, title: str, hours: list[dict], said: dict | None = None,
) -> Iterator[Happened]:  # fmt: skip
    """What is published of a person is their duty's; name and phone are words, and can be withdrawn.

    ``said`` are the words that were published under this change before, None where there are none to compare.
    """
    who = must_be_here(who, "person")
    must_act_for(caller, person, who, path)
    words = {"name": name, "phone": phone} | ({"title": title} if title else {})
    if was_done(card.changes, change, {"hours": hours}):
        if said not in (None, words):
            raise Conflict("编号已被使用,内容不同 / This id is already another change's")
        return
    yield card_published(change=change, hours=hours, words=words)


def withdraw_card(
    card: Card, *, caller: Caller, now: datetime, who: dict | None, path: list[str], person: str, change: str
) -> Iterator[Happened]:
    """A card is withdrawn once; whoever was dismissed since is withdrawn too."""
    must_act_for(caller, person, who or {}, path)
    if was_done(card.changes, change, {}):
        return
    if card.words is None:
        raise Conflict("没有公示中的名片 / No card is published")
    yield card_withdrawn(change=change)


def withdrawn_by(history: tuple[dict, ...], change: str) -> list[str]:
    """Give the references of all words that were published before a withdrawal."""
    step = next(each for each in history if each["data"].get("change") == change)
    return [each["words"]["ref"] for each in history[: step["n"]] if "words" in each]
