"""What the figures service asks Mongo: buckets of rows, each fact in them once."""

from datetime import datetime

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from services.figures import domain
from services.ledger import Store
from shared.contracts.figures import COUNTED


class Heard(Store):
    """One row for each fact heard, kept in the bucket of its district, kind and day together with their count."""

    indexes = {"heard": [([("district", ASCENDING), ("day", ASCENDING), ("fact", ASCENDING)], {})]}

    def hear(self, fact: dict) -> None:
        """Keep a fact's row; the same fact again finds it and changes nothing (one guarded write)."""
        id, at = fact["id"], datetime.fromisoformat(fact["time"])
        found = domain.bucket(self.caller.district, fact["type"], at, id)
        fresh = {"heard.id": {"$ne": id}}
        row = {"id": id, "subject": fact["subject"], "hash": fact["hash"]}
        change = {"$push": {"heard": row}, "$inc": {"count": 1}}
        rows, key = self.rows("heard"), {"_id": found["_id"]}
        if rows.update_one(key | fresh, change).matched_count or rows.find_one(key | {"heard.id": id}):
            return
        try:
            rows.insert_one(found | {"heard": [row], "count": 1})
        except DuplicateKeyError:
            rows.update_one(key | fresh, change)

    def sums(self, since: str, before: str) -> list[dict]:
        """Give ``{day, fact, count}`` of each day and kind, from ``since`` on and before ``before``."""
        counted: dict[tuple[str, str], int] = {}
        # Not $lte: the embedded database finds nothing then, where more keys of the index follow.
        asked = {"day": {"$gte": since, "$lt": before}, "fact": {"$in": list(COUNTED)}}
        for row in self.rows("heard").find(asked, {"heard": 0}, batch_size=1000):
            counted[row["day"], row["fact"]] = counted.get((row["day"], row["fact"]), 0) + row["count"]
        return [{"day": day, "fact": fact, "count": count} for (day, fact), count in sorted(counted.items())]

    def rows_of(self, day: str, fact: str, limit: int, after: str | None) -> dict:
        """Give a page of the rows behind one count, by their id."""
        found: list[dict] = []
        for row in self.rows("heard").find({"day": day, "fact": fact}, batch_size=64):
            found += [heard for heard in row["heard"] if heard["id"] > (after or "")]
        found.sort(key=lambda heard: heard["id"])
        return {"items": found[:limit], "next": found[limit - 1]["id"] if len(found) > limit else None}
