"""What the evaluation service asks Mongo: its ratings, and its own copy of what was fed back and what was merged."""

import uuid
from collections.abc import Collection
from datetime import UTC, datetime

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from services.evaluation import domain
from services.ledger import Ledger, Record, Store
from shared.errors import Invalid
from shared.rules.days import day_of

LOOK = 200
NEWEST = ("state.rated_at", DESCENDING)


def rating_id(whistle: str, department: str, answer: str) -> str:
    """Give the id of the one rating that a result has, so that two cannot be given, whatever the timing."""
    return str(uuid.uuid5(uuid.UUID(whistle), f"{department}/{answer}"))


class Ratings(Ledger):
    """The ratings of one district, one record for each result that was rated."""

    service, collection, kind, evolve = "evaluation", "ratings", domain.Rating, staticmethod(domain.evolve)
    erasing = "notes_erased"
    indexes = {
        "ratings": [
            ([("district", ASCENDING), ("state.whistle", ASCENDING)], {}),
            ([("district", ASCENDING), NEWEST], {}),
            ([("district", ASCENDING), ("state.department", ASCENDING), NEWEST], {}),
            ([("district", ASCENDING), ("state.community", ASCENDING), NEWEST], {}),
        ]
    }

    def of_whistle(self, whistle: str) -> list[Record]:
        """Give all ratings of one whistle, the first given first."""
        rows = self.rows("ratings").find({"state.whistle": whistle}, {"history": 0})
        records = [self.record_of(row) for row in rows]
        return self.with_words(sorted(records, key=lambda each: (each.state.rated_at, each.id)))

    def newest(
        self, department: str | None, span: tuple[datetime, datetime], limit: int, after: str | None,
        absorbed: Collection[str],
    ) -> dict:  # fmt: skip
        """Give a page of what the caller may read, newest first; ``after`` is where the page before ended."""
        since, before = span
        asked: dict = {}
        if department := department or self.caller.department:
            asked = {"state.department": department}
        # With what was merged into it, a community's are found by day: for $in beside a range the embedded database
        # walks the whole collection.
        elif not absorbed and domain.is_a_community(self.caller.unit):
            asked = {"state.community": self.caller.unit}
        asked["state.rated_at"] = {"$gte": since, "$lt": before}
        if after:
            asked["state.rated_at"] = {"$gte": since, "$lte": min(moment_of(after), before)}
        records, here, seen = [], "", 0
        rows = self.rows("ratings").find(asked, {"history": 0}, batch_size=limit + LOOK)
        # A few more than the page: what is not this reader's is left out by looking, one millisecond told apart by ids.
        for row in rows.sort([NEWEST, ("id", ASCENDING)]).limit(limit + LOOK):
            if len(records) == limit:
                return {"items": self.with_words(records), "next": here}
            seen += 1
            record = self.record_of(row)
            here = f"{record.state.rated_at.isoformat()}~{record.id}"
            if after and here.partition("~")[0] == after.partition("~")[0] and record.id <= after.partition("~")[2]:
                continue
            if domain.may_read(record.state, self.caller, absorbed):
                records.append(record)
        return {"items": self.with_words(records), "next": here if seen == limit + LOOK else None}


def moment_of(cursor: str) -> datetime:
    """Read where the page before ended."""
    try:
        return datetime.fromisoformat(cursor.partition("~")[0]).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("页码无效 / That is not a page of ours", {"after": ["无效 / unknown"]}) from None


class Answers(Store):
    """What departments fed back, as the whistle told it: one row for each whistle, each step under its number.

    Facts may come late, twice and in another order: the same steps lie in the row in the end.
    """

    def hear(self, fact: dict) -> None:
        """Keep one step of a whistle."""
        n, data = fact["id"].rpartition("/")[2], fact["data"]
        step = {"fact": fact["type"], "department": data["department"], "community": data["community"]}
        step |= {"act": data["act"], "by": fact["actor"]} if fact["type"] == "fed_back" else {}
        key, rows = f"{self.caller.district}/{fact['subject']}", self.rows("answers_heard")
        try:
            rows.insert_one({"_id": key, "heard": {f"n{n}": step}})
        except DuplicateKeyError:
            rows.update_one({"_id": key}, {"$set": {f"heard.n{n}": step}})

    def of(self, whistle: str) -> dict[str, dict]:
        """Give the steps of a whistle that were heard."""
        row = self.rows("answers_heard").find_one({"_id": f"{self.caller.district}/{whistle}"})
        return row["heard"] if row else {}


class Mergers(Store):
    """Which communities became part of which, so that whoever acts for one now rates what was the other's."""

    indexes = {"mergers_heard": [([("district", ASCENDING), ("into", ASCENDING)], {})]}

    def hear(self, fact: dict) -> None:
        """Keep what was merged; a community becomes part of another once."""
        data = fact["data"]
        for code in sorted(set(data["communities"]) - {data["into"]}):
            row = {"into": data["into"], "since": data["since"]}
            try:
                self.rows("mergers_heard").insert_one({"_id": code, **row})
            except DuplicateKeyError:
                self.rows("mergers_heard").update_one({"_id": code}, {"$set": row})

    def absorbed(self) -> list[str]:
        """Give the communities that are part of the caller's by today, and what was part of those."""
        found: list[str] = []
        waiting, today = [self.caller.unit], day_of(self.now()).isoformat()
        while waiting and domain.is_a_community(self.caller.unit):
            rows = self.rows("mergers_heard").find({"into": {"$in": waiting}})
            waiting = [row["_id"] for row in rows if row["since"] <= today and row["_id"] not in found]
            found += waiting
        return found
