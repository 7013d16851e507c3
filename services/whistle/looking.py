"""What somebody finds open: inboxes, how many are at which stage, and what is near a place."""

from collections.abc import Callable

from services.whistle import showing
from services.whistle.domain import open as standing
from shared.caller import PLUGIN
from shared.contracts.roster import COMMUNITY

NEAREST = 20


class Looking:
    """Asks the views of open work for one caller."""

    def __init__(self, service):
        self.of, self.caller = service, service.open.caller

    def inbox(self, scope, unit, department, limit, after, due_before, text, **wanted) -> dict:
        """Give a page of open work, what is due first at the top."""
        look, communities = self.look(scope, unit, department)
        fits = self.sieve(text, {name: value for name, value in wanted.items() if value})
        page = self.of.open.page(look, communities, limit, after, due_before, fits)
        whistles, words = self.around(page["items"])
        lines = [(row, whistles[row["whistle"]]) for row in page["items"] if row["whistle"] in whistles]
        return page | {"items": [showing.item(*line, words, self.caller, self.of.open.now()) for line in lines]}

    def counts(self, scope, unit, department) -> dict:
        look, communities = self.look(scope, unit, department)
        at_home = look.person and look.department == COMMUNITY
        return self.of.open.counts(look, communities, standing.street_of(self.caller.unit) if at_home else None)

    def near(self, category, community, **place) -> dict:
        """Give what is open of a category at a place, the nearest first."""
        standing.must_be_a_point(place)
        metres = standing.around(self.of.rules_at(community))
        places = standing.places_of(place, metres) or [community]
        rows = self.of.open.at("open_whistles", category, places)
        rows = [row for row in rows if PLUGIN not in self.caller.roles or self.caller.department in row["departments"]]
        rows = standing.near([row for row in rows if showing.may_find(row, self.caller)], place, metres)[:NEAREST]
        words = self.of.whistles.texts([row["words"] for row in rows])
        return {"items": [row | {"title": showing.words_of(row, words, self.caller).get("title")} for row in rows]}

    def look(self, scope, unit, department) -> tuple[standing.Look, list[str]]:
        """Give whose work may be looked at, and the communities that are part of it by mergers."""
        answering = self.of.answering
        becomes = answering.successors(unit) if unit and scope == "community" else ()
        look = standing.look_at(self.caller, scope, unit, department, becomes)
        return look, answering.communities(look.community) if look.community else []

    def sieve(self, text: str | None, wanted: dict) -> Callable[[list[dict]], list[dict]] | None:
        """Give what keeps the rows that somebody wants, None where they want all."""

        def fits(rows: list[dict]) -> list[dict]:
            fit = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
            if not text:
                return fit
            whistles, words = self.around(fit)
            found = {id for id, row in whistles.items() if showing.says(text, row, words, self.caller)}
            return [row for row in fit if row["whistle"] in found]

        return fits if text or wanted else None

    def around(self, rows: list[dict]) -> tuple[dict[str, dict], dict[str, dict]]:
        """Give the whistles of rows by their ids, and what was written in them."""
        whistles = self.of.open.whistles_of(rows)
        return whistles, self.of.whistles.texts([row["words"] for row in whistles.values()])
