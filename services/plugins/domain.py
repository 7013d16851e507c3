"""What may be said of a department's plug-in, what the broker has to have for it, and what its door lets through."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from shared.caller import PLUGIN, Caller
from shared.contract import Happened
from shared.contracts.plugins import (
    ACTS,
    dropped,
    plugged_in,
    replayed,
    rotated,
    switched,
    terms_changed,
    unplugged,
)
from shared.errors import Conflict, Forbidden, Invalid, Unavailable

KEPT_CHANGES = 50
TERMS = ("title", "facts", "calls", "quota")


@dataclass(frozen=True)
class PlugIn:
    """A department's program as its district let it in; ``generation`` counts its passwords, which lie elsewhere."""

    department: str = ""
    name: str = ""
    title: str = ""
    facts: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    quota: dict = field(default_factory=dict)
    acts: bool = True
    generation: int = 0
    admitted_at: datetime | None = None
    revoked_at: datetime | None = None
    changes: dict[str, dict] = field(default_factory=dict)


# -- what each fact changes --------------------------------------------------------------------------------------------


def on_plugged_in(plugin: PlugIn, data: dict, at: datetime) -> PlugIn:
    known = {name: data[name] for name in (*TERMS, "department", "name", "acts")}
    return replace(plugin, **known, generation=1, admitted_at=at)


CHANGES = {
    "plugged_in": on_plugged_in,
    "terms_changed": lambda plugin, data, at: replace(plugin, **{name: data[name] for name in TERMS}),
    "switched": lambda plugin, data, at: replace(plugin, acts=data["acts"]),
    "rotated": lambda plugin, data, at: replace(plugin, generation=data["generation"]),
    "unplugged": lambda plugin, data, at: replace(plugin, revoked_at=at),
    "replayed": lambda plugin, data, at: plugin,
    "dropped": lambda plugin, data, at: plugin,
}


def evolve(plugin: PlugIn, fact: str, data: dict, at: datetime, actor: str) -> PlugIn:
    """Give the plug-in as one more fact made it; it remembers what was done by its last fifty changes."""
    changes = dict(list(plugin.changes.items())[1 - KEPT_CHANGES :]) | {data["change"]: asked_by(fact, data)}
    return replace(CHANGES[fact](plugin, data, at), changes=changes)


def asked_by(fact: str, data: Mapping) -> dict:
    """Give what an order is known by when it comes again: what it asked for, and nothing that came of it."""
    plain = {name: value for name, value in data.items() if name not in ("change", "count", "generation")}
    return {"fact": fact} | plain


# -- the orders --------------------------------------------------------------------------------------------------------


def was_done(plugin: PlugIn, change: str, fact: str, asked: Mapping) -> bool:
    """An order that was carried out decides nothing more; another one under its id is refused."""
    if change not in plugin.changes:
        return False
    if plugin.changes[change] != asked_by(fact, asked):
        raise Conflict("编号已被使用,内容不同 / This id is already another order's")
    return True


def must_be_plugged_in(plugin: PlugIn) -> None:
    if plugin.revoked_at:
        raise Conflict("已撤销接入;请另行接入 / It was taken off the bus for good: plug another in")


def must_have(departments: set[str], department: str) -> None:
    """A plug-in is of a department that its district has."""
    if department not in departments:
        raise Invalid(
            f"本区没有这个部门({department}) / No such department here ({department})", {"department": [department]}
        )


def plug_in(
    plugin: PlugIn, *, caller: Caller, now: datetime, change: str, departments: set[str], department: str, name: str,
    acts: bool, **terms,
) -> Iterator[Happened]:  # fmt: skip
    """A district lets a program of one of its departments in, within its own district."""
    must_have(departments, department)
    yield plugged_in(change=change, department=department, name=name, acts=acts, **terms)


def change_terms(plugin: PlugIn, *, caller: Caller, now: datetime, change: str, **terms) -> Iterator[Happened]:
    """What is left out stays as it is."""
    whole = {name: getattr(plugin, name) if terms[name] is None else terms[name] for name in TERMS}
    if was_done(plugin, change, "terms_changed", whole):
        return
    must_be_plugged_in(plugin)
    yield terms_changed(change=change, **whole)


def switch(plugin: PlugIn, *, caller: Caller, now: datetime, change: str, acts: bool) -> Iterator[Happened]:
    """The one setting between program and people."""
    if was_done(plugin, change, "switched", {"acts": acts}):
        return
    must_be_plugged_in(plugin)
    yield switched(change=change, acts=acts)


def rotate(plugin: PlugIn, *, caller: Caller, now: datetime, change: str) -> Iterator[Happened]:
    """A new password makes the one before it worthless."""
    if was_done(plugin, change, "rotated", {}):
        return
    must_be_plugged_in(plugin)
    yield rotated(change=change, generation=plugin.generation + 1)


def unplug(plugin: PlugIn, *, caller: Caller, now: datetime, change: str) -> Iterator[Happened]:
    """For good; unplugging it once more changes nothing."""
    if not was_done(plugin, change, "unplugged", {}) and not plugin.revoked_at:
        yield unplugged(change=change)


def settle_parked(
    plugin: PlugIn, *, caller: Caller, now: datetime, change: str, count: int, reason: str | None = None
) -> Iterator[Happened]:
    """What was put aside was heard again, or dropped for a reason; it is said how much of it."""
    if was_settled(plugin, change, reason):
        return
    told = {"change": change, "count": count}
    yield dropped(**told, reason=reason) if reason else replayed(**told)


def was_settled(plugin: PlugIn, change: str, reason: str | None = None) -> bool:
    return was_done(plugin, change, "dropped" if reason else "replayed", {"reason": reason} if reason else {})


# -- what the broker has to have for it --------------------------------------------------------------------------------

# The oldest goes first where a plug-in lets too much wait: it is put aside, in a queue beside it that is bounded as
# well. A publisher is never told no for its sake: whoever tells a fact must not suffer from who does not hear it.
HEARD = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 20,
    "x-overflow": "drop-head",
    "x-dead-letter-strategy": "at-most-once",  # the other way would tell publishers no
    "x-dead-letter-routing-key": "parked",  # on its own exchange
    # Two of one program: the second waits until the first is gone, so that facts come in order.
    "x-single-active-consumer": True,
}
PARKED = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 1_000,
    "x-overflow": "drop-head",
    "x-max-length": 100_000,
    "x-max-length-bytes": 104_857_600,
}
# Questions are kept in memory and for a moment only; too many are refused by the broker itself.
ASKED = {
    "x-queue-type": "classic",
    "x-max-length": 64,
    "x-max-length-bytes": 1_048_576,
    "x-overflow": "reject-publish",
    "x-message-ttl": 5_000,
    "x-single-active-consumer": True,
}
ANSWERED = {
    "x-queue-type": "classic",
    "x-max-length": 256,
    "x-max-length-bytes": 16_777_216,
    "x-overflow": "drop-head",
    "x-message-ttl": 60_000,
}
LIMITS = {"max-connections": 5, "max-channels": 20}
QUEUES = ("facts", "parked", "calls", "replies")


def user_of(district: str, plugin: PlugIn) -> str:
    """Give the login of a plug-in, by which everybody knows whose it is."""
    return f"{PLUGIN}-{district}-{plugin.department}-{plugin.name}"


def exactly(*names: str) -> str:
    """Give the regular expression for these names and no others."""
    return "^(" + "|".join(re.escape(name) for name in names) + ")$"


def permissions(user: str) -> dict[str, str]:
    """It declares and binds nothing, writes into its own exchange and reads two queues of its own."""
    return {"configure": "^$", "write": exactly(user), "read": exactly(f"{user}.facts", f"{user}.replies")}


def queues(user: str) -> dict[str, dict]:
    """Give its queues with their arguments."""
    return {
        f"{user}.facts": HEARD | {"x-dead-letter-exchange": user},
        f"{user}.parked": PARKED,
        f"{user}.calls": ASKED,
        f"{user}.replies": ANSWERED,
    }


def bindings(user: str, plugin: PlugIn) -> set[tuple[str, str, str]]:
    """Give every binding of its queues: (exchange, queue, routing key); its own exchange bears its name.

    Of the facts that were chosen it hears its own department's in its own district; of its own exchange the door hears
    the calls that were chosen, and what it puts aside lies beside it.
    """
    caller = Caller.of_plugin(user)
    found = {(user, f"{user}.parked", "parked"), (user, f"{user}.facts", "again")}
    found.add(("replies", f"{user}.replies", f"{user}.replies"))
    found |= {(user, f"{user}.calls", call) for call in plugin.calls}
    for fact in plugin.facts:
        service, _, name = fact.partition(".")
        found.add((f"{service}.events", f"{user}.facts", f"{name}.{caller.district}.{caller.department}"))
    return found


def policy(user: str, plugin: PlugIn) -> dict:
    """Give what bounds its queue: a policy, for a queue's own arguments stay as they were declared."""
    most = {"max-length": plugin.quota["backlog"], "max-length-bytes": plugin.quota["bytes"]}
    return {"pattern": exactly(f"{user}.facts"), "apply-to": "queues", "priority": 10, "definition": most}


# -- what the door lets through ----------------------------------------------------------------------------------------


def may_ask(plugin: PlugIn, call: str) -> None:
    """A plug-in asks what it was given to ask; where people act, it does not."""
    if plugin.revoked_at or call not in plugin.calls:
        raise Forbidden(f"没有获准调用 {call} / This plug-in was not given {call}")
    if call in ACTS and not plugin.acts:
        raise Forbidden("本部门现由人工办理 / People act for this department now, and not its program")


class OverQuota(Unavailable):
    """It travels as what it is, a passing no: whoever waits a moment is heard."""

    def __init__(self, rate: int):
        super().__init__(f"超过配额:每秒 {rate} 次,请稍后再试 / Over its quota of {rate} calls a second: please wait")

    def to_message(self) -> dict:
        return super().to_message() | {"kind": "Unavailable"}


class Bucket:
    """So many in each second, and at first as many at once."""

    def __init__(self, rate: int, now: float):
        self.rate, self.left, self.at = rate, float(rate), now

    def take(self, now: float) -> float:
        """Take one; gives 0, or how many seconds there will be none yet."""
        self.left = min(self.rate, self.left + max(0.0, now - self.at) * self.rate)
        self.at = now
        if self.left < 1:
            return (1 - self.left) / self.rate
        self.left -= 1
        return 0.0


# -- how long the first of what waits has waited -----------------------------------------------------------------------

MOST_MARKS = 120


def marked(marks: list[list[float]], came: int, waits: int, now: float) -> list[list[float]]:
    """Give the marks ``[moment, how many came until then]`` of what still waits, the oldest first.

    The broker of 3.10 does not tell how old the head of a queue is: it is worked out from how many came and how many
    are left, as it is first in, first out. ``came`` counts what came since the marks before.
    """
    fresh = [list(each) for each in marks]
    if came:
        fresh.append([now, came])
    over = sum(count for _, count in fresh) - waits
    while fresh and over > 0:
        taken = min(over, fresh[0][1])
        fresh[0][1] -= taken
        over -= taken
        if not fresh[0][1]:
            fresh.pop(0)
    if over < 0:  # what was not seen coming is taken for the newest
        fresh.append([now, -over])
    while len(fresh) > MOST_MARKS:  # neighbours become one, as old as the older
        fresh = [
            [one[0], one[1] + (other[1] if other else 0)]
            for one, other in zip(fresh[::2], [*fresh[1::2], *([None] * (len(fresh) % 2))], strict=True)
        ]
    return fresh


def of_district(departments: list[dict], day: date) -> set[str]:
    """Give the departments that a district has at a day."""
    return {each["code"] for each in departments if not each["until"] or each["until"] >= day.isoformat()}
