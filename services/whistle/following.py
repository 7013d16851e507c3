"""What follows when a whistle's facts are heard: safe to repeat, whichever step was the last before a crash."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta

from services.ledger import Record
from services.whistle.domain import answering as answers
from services.whistle.domain import calling, closing
from services.whistle.domain import open as standing
from services.whistle.domain.clocks import ENDED
from shared.errors import Conflict, Unavailable
from shared.rules.days import day_of


@contextmanager
def in_turn() -> Iterator[None]:
    """Have a fact come again a little later where others are at its whistle just now: that is never its own fault."""
    try:
        yield
    except Conflict as error:
        raise Unavailable(error.detail) from error


class Following:
    """Carries out, in the whistle's own history, what a fact means for a whistle."""

    def __init__(self, service):
        self.of = service

    def enter(self, id: str) -> None:
        """Enter a whistle in its street's register of the year, and name what was settled at the same place before."""
        record = self.of.whistles.bare(id)
        street, year = standing.street_of(record.state.community), day_of(record.state.blown_at).year

        def number(whose: str, n: int) -> None:
            self.number(record if whose == id else self.of.whistles.bare(whose), street, year, n)

        if record.state.number is None:
            self.of.register.take(street, year, id, number)

    def number(self, record: Record, street: str, year: int, n: int) -> None:
        state, rules = record.state, self.of.rules_at(record.state.community)
        places = standing.places_of(vars(state), rules["recurs_metres"])
        settled = self.of.open.at("settled_whistles", state.category, places)
        order = {
            "number": standing.number_of(self.of.answering.name_of(street), year, n),
            "recurrence_of": standing.recurrence_of(state, settled, rules),
        }
        with in_turn():
            self.of.whistles.change(record, calling.enter, **order)

    def absorb(self, id: str) -> None:
        """Make all who reported a whistle that was merged reporters of what it was merged into, wherever that went."""
        state = self.of.whistles.bare(id).state
        if state.merged_into:
            order = {"people": sorted(state.people), "source": id}
            with in_turn():
                self.of.whistles.change(state.merged_into, closing.absorb, **order)

    def fall_out(self, id: str, into: str, at: datetime) -> None:
        """Let a whistle live on that was merged into one which had ended, or back into this one, at the same moment."""
        state, seen, target = self.of.whistles.bare(id).state, {id}, into
        if state.merged_into != into:
            return
        while target and target not in seen:
            seen.add(target)
            found = self.of.whistles.bare(target).state
            target = found.merged_into
        had_settled = found.stage == "settled" and found.settled_at <= at
        if target or had_settled or found.stage in ("withdrawn", "rejected"):
            given = self.of.given(state, state.asked)
            with in_turn():
                self.of.whistles.change(id, closing.fall_out, given=given, into=into)

    def plan_leave(self, person: str, absence: str, since: str, until: str, substitute: str | None, **_) -> None:
        """Plan that open work goes to whoever stands in when a leave begins, and back when it is over."""
        begins = answers.over_at(str(date.fromisoformat(since) - timedelta(days=1)))
        self.of.handovers.plan(f"{absence}.out", person, "", begins)
        if substitute:
            self.of.handovers.plan(f"{absence}.back", substitute, "", answers.over_at(until))

    def plan_return(self, absence: str, back: str) -> None:
        """Somebody is back earlier than was said."""
        self.of.handovers.bring_forward(
            f"{absence}.back", answers.over_at(str(date.fromisoformat(back) - timedelta(days=1)))
        )

    def plan_without(self, person: str) -> None:
        """Somebody is not there any more: their open work goes to whoever answers now."""
        self.of.handovers.plan(f"{person}.gone.{int(self.of.open.now().timestamp())}", person, "", self.of.open.now())

    def plan(self, post: str, unit: str, term: str) -> None:
        """Plan what becomes of somebody's open work when their term ends."""
        seat = f"{post}@{unit}"
        known = next((each for each in self.of.answering.terms(seat) if each["term"] == term), None)
        if known and known.get("until"):
            self.of.handovers.plan(term, known["person"], seat, answers.over_at(known["until"]))
        if known:  # what found nobody finds somebody then
            begins = answers.over_at(str(date.fromisoformat(known["since"]) - timedelta(days=1)))
            self.of.handovers.plan(f"{term}.in", "", seat, begins)

    def pass_on(self, row: dict) -> None:
        """Pass the open work of whoever left a seat on to whoever answers there now."""
        self.of.answering.look_anew()
        who, seat = row["person"] or None, row["seat"]
        post, _, unit = seat.partition("@")
        for each in self.of.open.seated(who, seat) if who else self.of.open.unheld(post, unit):
            order = {"department": each["department"], "left": who}
            state = self.of.whistles.bare(each["whistle"]).state
            if state.stage not in ENDED:
                given = self.of.given(state, [each["department"]])
                with suppress(Conflict):  # others are at it: it is looked at once more
                    self.of.whistles.change(each["whistle"], calling.pass_on, given=given, **order)
        self.of.handovers.done(row)
