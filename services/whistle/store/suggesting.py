"""What the suggestions of a district stand on, as the whistle service has it: categories heard, and whistles blown."""

import csv
import time
from functools import cache
from pathlib import Path

from pymongo import DESCENDING

from services.ledger import Store
from services.process import aside
from services.whistle.domain import suggesting as domain
from shared.contracts import events

FILE = Path(__file__).parents[3] / "deploy" / "data" / "everyday_words.csv"
NEWEST = 500  # whistles that a district learns from
FRESH = 60.0
REMEMBERED: dict[tuple[str, str], tuple[float, domain.Learned]] = {}  # bounded by Beijing's districts


@cache
def everyday() -> dict[str, tuple[str, ...]]:
    """Give the everyday words that ship, by the words of a catalogue that they stand for."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return {row["means"]: tuple(row["said"].split()) for row in csv.DictReader(file)}


class Suggesting(Store):
    """Suggestions of one district; it writes nothing."""

    def suggest(self, text: str) -> list[dict]:
        """Give which categories a text may be about."""
        names = self.names()
        return domain.suggest(text, domain.Model(names, domain.words_of(names, everyday()), self.learned()))

    def learned(self) -> domain.Learned:
        """Give what the district has learned, made anew once a minute while who asks meanwhile goes by the old.

        So a choice speaks, and an erased word is silent, a minute later at the latest.
        """
        place = self.database.name, self.caller.district
        until, learned = REMEMBERED.get(place, (0.0, None))
        if learned is None or time.monotonic() > until:
            if learned:
                REMEMBERED[place] = time.monotonic() + FRESH, learned
            learned = aside(domain.learn, self.choices())
            REMEMBERED[place] = time.monotonic() + FRESH, learned
        return learned

    def names(self) -> dict[str, str]:
        """Give the categories that may be chosen: the standard's and the district's own that are not retired."""
        mine = {"_id": {"$gte": f"{self.caller.district}/", "$lt": f"{self.caller.district}0"}}
        heard = {row["_id"].partition("/")[2]: row for row in self.rows("categories_heard").find(mine)}
        return events.shipped() | {code: row["name"] for code, row in heard.items() if not row["retired"]}

    def choices(self) -> list[domain.Choice]:
        """Give what the newest whistles chose, with what was written and is still there; of no confidential one."""
        rows = self.rows("whistles").find({}, {"history": 0}, batch_size=NEWEST)
        states = [row["state"] for row in rows.sort("state.blown_at", DESCENDING).limit(NEWEST)]
        chosen = {state["words"]: state for state in states if not state["confidential"]}
        found = []
        for row in self.rows("whistles_words").find({"_id": {"$in": list(chosen)}}):
            state, said = chosen[row["_id"]], row["said"]
            text = "\n".join(said[name]["text"] for name in ("title", "text") if name in said)
            found.append(domain.Choice(state["category"], state["blown_by"], text))
        return found
