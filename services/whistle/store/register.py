"""Small views beside the whistles: whose they are, which number of its street and year each has, who leaves a seat."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from services.ledger import Store

# Whoever numbers in one street waits here for others of the same process; other processes are met at the guard.
TURNS: dict[str, threading.Lock] = {}
LATEST = datetime(9999, 1, 1)
AGAIN = timedelta(minutes=1)


class Own(Store):
    """Which whistles are somebody's own: each that they blew or joined, newest first."""

    indexes = {"own_whistles": [([("district", ASCENDING), ("person", ASCENDING), ("turn", ASCENDING)], {})]}

    def add(self, person: str, whistle: str, at: str) -> None:
        """Remember whose a whistle is, once."""
        past = int((LATEST - datetime.fromisoformat(at).replace(tzinfo=None)).total_seconds() * 1000)
        row = {"_id": f"{self.caller.district}/{person}/{whistle}", "person": person, "whistle": whistle}
        try:
            self.rows("own_whistles").insert_one(row | {"turn": f"{past:015}~{whistle}"})
        except DuplicateKeyError:
            return

    def page(self, limit: int, after: str | None) -> dict:
        """Give a page of the caller's own, by their ids."""
        asked = {"person": self.caller.actor, "turn": {"$gt": after or ""}}
        rows = list(self.rows("own_whistles").find(asked).sort("turn", 1).limit(limit + 1))
        return {
            "ids": [row["whistle"] for row in rows[:limit]],
            "next": rows[limit - 1]["turn"] if rows[limit:] else None,
        }


class Register(Store):
    """The registers of the streets, one for each year: consecutive numbers, each of one whistle.

    A register's one document holds the last number and whose it is. The next is taken only when that whistle has
    its number in its own history, so nothing is lost or given twice wherever a process dies.
    """

    def take(self, street: str, year: int, id: str, enter: Callable[[str, int], None]) -> None:
        """Have a whistle entered under the next number, once; ``enter`` writes a number into a whistle's history."""
        key = f"{street}/{year}"
        with TURNS.setdefault(f"{self.database.name}/{key}", threading.Lock()):
            while True:
                last = self.rows("registers").find_one({"_id": key})
                if self.is_numbered(id):
                    return
                if last and last["whistle"] != id and not self.is_numbered(last["whistle"]):
                    enter(last["whistle"], last["n"])
                n = last["n"] + (last["whistle"] != id) if last else 1
                if self.is_taken(key, last, n, id):
                    enter(id, n)
                    return

    def is_numbered(self, id: str) -> bool:
        row = self.rows("whistles").find_one({"_id": f"{self.caller.district}/{id}"}, {"state.number": 1})
        return bool(row and row["state"].get("number"))

    def is_taken(self, key: str, last: dict | None, n: int, id: str) -> bool:
        """Take a number, if the last one is still as it was read."""
        if last and last["n"] == n:
            return True
        if last:
            fresh = {"n": n, "whistle": id}
            return self.rows("registers").update_one({"_id": key, "n": last["n"]}, {"$set": fresh}).matched_count == 1
        try:
            self.rows("registers").insert_one({"_id": key, "n": n, "whistle": id})
        except DuplicateKeyError:
            return False
        return True


class Handovers(Store):
    """Terms that end, until the open work of who held them was passed on."""

    indexes = {"handovers": [([("due", ASCENDING)], {})]}

    def plan(self, term: str, person: str, seat: str, due: datetime) -> None:
        """Plan what is to be passed on when a term is over; terms only ever end earlier: the earliest day holds."""
        key, fresh = f"{self.caller.district}/{term}", {"person": person, "seat": seat, "due": due, "turns": 0}
        try:
            self.rows("handovers").insert_one({"_id": key, "term": term, **fresh})
        except DuplicateKeyError:
            self.rows("handovers").update_one({"_id": key, "due": {"$gt": due}}, {"$set": fresh})

    def bring_forward(self, term: str, due: datetime) -> None:
        """Have something that is planned looked at earlier."""
        asked = {"_id": f"{self.caller.district}/{term}", "due": {"$gt": due}}
        self.rows("handovers").update_one(asked, {"$set": {"due": due}})

    def due(self, most: int = 50) -> list[dict]:
        """Give what is to be passed on by now, of every district, oldest first."""
        return list(self.wide("handovers").find({"due": {"$lte": self.now()}}).sort("due", 1).limit(most))

    def done(self, row: dict) -> None:
        """Have it looked at once more a minute later, for what was called just then; after that it is forgotten."""
        same = {"_id": row["_id"], "due": row["due"]}
        if not row["turns"]:
            self.rows("handovers").update_one(same, {"$set": {"due": self.now() + AGAIN, "turns": 1}})
            return
        rows = self.rows("handovers")
        rows.collection.delete_one(rows.only(same))
