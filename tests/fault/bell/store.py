"""What the bell asks Mongo."""

from pymongo.errors import DuplicateKeyError

from services.ledger import Ledger, Store
from tests.fault.bell import domain


class Deadlines(Ledger):
    service, collection, kind, evolve = "bell", "deadlines", domain.Deadline, staticmethod(domain.evolve)
    indexes = {"deadlines": [([("state.is_open", 1)], {})]}

    def due(self):
        return [row["id"] for row in self.wide("deadlines").find({"state.is_open": True}, {"id": 1}).limit(50)]


class Strokes(Store):
    def count(self, fact: dict) -> int:
        """Count one stroke as it is handled; gives how often this one was."""
        try:
            self.rows("strokes").insert_one({"_id": fact["id"], "times": 1, "manner": fact["data"].get("manner")})
        except DuplicateKeyError:
            self.rows("strokes").update_one({"_id": fact["id"]}, {"$inc": {"times": 1}})
        return self.rows("strokes").find_one({"_id": fact["id"]})["times"]
