"""Limits: when each stage is due, what is rung and whom it is told, and what a pause makes of it.

What is promised at dispatch is frozen on the whistle (接诉即办 Regulation Art. 13): a later change of limits or of the
calendar moves nothing unless somebody asks for it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from shared.contract import Happened
from shared.contracts.settings import CLOCKS
from shared.contracts.whistle import overdue, reminded
from shared.rules.calendar import Calendar, YearUnknown

OF_SUMMONS = CLOCKS[:-1]
NATURAL = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1), "days": timedelta(days=1)}
# What an act of a summons answers, beside what came before it: whoever stands on the spot has signed for it.
MEETS = {
    "signed": ("sign",),
    "contacted": ("sign", "contact"),
    "reported": ("sign", "contact", "report"),
    "fed_back": OF_SUMMONS,
    "called_off": OF_SUMMONS,
}
OPEN_SUMMONS = ("called", "signed", "contacted", "reported", "handling", "returned")
ENDED = ("settled", "withdrawn", "rejected", "merged")


def moment(text: str | datetime | None) -> datetime | None:
    """Read a moment as a fact carries it."""
    return datetime.fromisoformat(text) if isinstance(text, str) else text


def limit_for(limits: list[dict], kind: str, category: str, clock: str) -> dict | None:
    """The row of this very kind decides before one for all kinds, then the longest part of the category."""
    fit = [
        each for each in limits
        if each["clock"] == clock and each["kind"] in (kind, "*")
        and (each["category"] == "*" or category.startswith(each["category"]))
    ]  # fmt: skip
    return max(fit, key=lambda each: (each["kind"] != "*", len(each["category"].rstrip("*"))), default=None)


def due_after(limit: Mapping, since: datetime, calendar: Calendar) -> dict:
    """Give ``{due, remind, working}`` of a limit that runs from a moment; a year without holidays is said, not guessed:
    ``{due: None, unknown: 2027}``."""
    unit, amount = limit["unit"], limit["amount"]
    working = unit.startswith("working_")
    try:
        due = calendar.add_working(since, amount, unit[8:]) if working else since + amount * NATURAL[unit]
    except YearUnknown as error:
        return {"due": None, "unknown": error.year}
    remind = due - timedelta(minutes=limit["remind"])
    return {"due": due} | ({"remind": remind} if since < remind < due else {}) | ({"working": True} if working else {})


def dues_of(department: str, kind: str, category: str, rules: Mapping, calendar: Calendar, since: datetime) -> list:
    """Give what is promised to a summons at its dispatch, one row for each clock that has a limit."""
    limits = ((clock, limit_for(rules["limits"], kind, category, clock)) for clock in OF_SUMMONS)
    return [
        {"department": department, "clock": clock} | due_after(limit, since, calendar)
        for clock, limit in limits
        if limit
    ]


def fresh(due: Mapping) -> dict:
    """Give a clock as it begins to run: nothing in it that need not be said."""
    kept = {name: due[name] for name in ("working", "unknown", "moved") if due.get(name)}
    return kept | {name: moment(due[name]) for name in ("due", "remind") if due.get(name)}


def is_running(clock: Mapping) -> bool:
    return "met" not in clock and "due" in clock


def is_late(clock: Mapping) -> bool:
    """Say whether a limit was not kept: it was met too late, or it has rung that it ran out."""
    reminders = 1 if "remind" in clock else 0
    return clock["met"] > clock["due"] if "met" in clock and "due" in clock else clock.get("rung", 0) > reminders


def running(whistle) -> Iterator[tuple[str, str, dict]]:
    """Yield ``(department, clock, state)`` of all that runs: nothing of what ended, no summons while on account."""
    if whistle.stage in (*ENDED, "awaiting"):
        return
    for name, clock in whistle.clocks.items():
        if is_running(clock) and (name == "review" or whistle.stage == "answered"):
            yield "", name, clock
    if not whistle.account:
        for department, summons in whistle.summonses.items():
            if summons["stage"] in OPEN_SUMMONS:
                for name, clock in summons["clocks"].items():
                    if is_running(clock):
                        yield department, name, clock


def alarms(name: str, clock: Mapping, ladder: list[dict]) -> list[tuple[datetime, str, int]]:
    """Give all that a clock will ring, ``(when, whom, step)``: a reminder as step 0, then rung after rung."""
    before = [(clock["remind"], "specialist", 0)] if "remind" in clock else []
    rungs = [{"after": 0, "to": "street"}] if name == "review" else ladder
    return before + [
        (clock["due"] + timedelta(minutes=rung["after"]), rung["to"], step) for step, rung in enumerate(rungs, 1)
    ]


def wake(whistle) -> datetime | None:
    """Give when the next alarm of a whistle rings; a timer finds it by that."""
    coming = []
    for _, name, clock in running(whistle):
        coming += [each[0] for each in alarms(name, clock, whistle.ladder)[clock.get("rung", 0) :][:1]]
    return min(coming, default=None)


def next_due(whistle, department: str | None = None) -> datetime | None:
    """Give the next limit that runs out, of the whistle or of one summons."""
    return min((each["due"] for whose, _, each in running(whistle) if department in (None, whose)), default=None)


def ring(whistle, *, caller, now: datetime) -> Iterator[Happened]:
    """Rings all that is due by now, in the order in which it was; what has rung does not ring again."""
    coming = []
    for department, name, clock in running(whistle):
        for when, whom, step in alarms(name, clock, whistle.ladder)[clock.get("rung", 0) :]:
            if when <= now:
                coming.append((when, department, name, step, whom, clock["due"]))
    for _, department, name, step, whom, due in sorted(coming, key=lambda each: each[:4]):
        person = whistle.summonses.get(department, {}).get("person")
        said = {"department": department, "clock": name, "due": due, "person": person, "community": whistle.community}
        to = {"to": department} if department and department != "community" else {}
        yield overdue(step=step, told=whom, **said, **to) if step else reminded(**said, **to)


def after_pause(whistle, since: datetime, now: datetime, calendar: Calendar) -> list[dict]:
    """Give the dues of what rested since a moment: each has what was left of it then, in its own kind of time."""
    found = []
    for department, summons in whistle.summonses.items():
        for name, clock in summons["clocks"].items() if summons["stage"] in OPEN_SUMMONS else ():
            if not is_running(clock):
                continue
            left, row = clock["due"] - since, {"department": department, "clock": name, "moved": True}
            try:
                due = clock["due"] + (now - since)
                if "working" in clock and left > timedelta():
                    hours = calendar.working_between(since, clock["due"]).total_seconds() / 3600
                    due = calendar.add_working(now, hours)
            except YearUnknown as error:
                found.append(row | {"due": None, "unknown": error.year})
                continue
            remind = {"remind": due - (clock["due"] - clock["remind"])} if "remind" in clock else {}
            found.append(row | {"due": due, "working": "working" in clock} | remind)
    return found


def recomputed(whistle, rules: Mapping, calendar: Calendar) -> list[dict]:
    """Give the dues that today's limits and calendar would promise, from the moment of each dispatch on.

    Only for what still runs or could not be known; what was extended or has rested stays as it was decided then.
    """
    found = []
    for department, summons in whistle.summonses.items():
        if summons["stage"] not in OPEN_SUMMONS or whistle.stage in ENDED:
            continue
        since = summons["dispatched_at"]
        for due in dues_of(department, whistle.kind, whistle.category, rules, calendar, since):
            clock = summons["clocks"].get(due["clock"])
            stays = clock is not None and ("met" in clock or "moved" in clock or clock.get("due") == due["due"])
            if not stays:
                found.append(due)
    return found
