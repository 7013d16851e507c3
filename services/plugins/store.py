"""What the plugins service asks Mongo: the plug-ins, their names and passwords, and how they stand on the broker."""

import base64
import hashlib
import secrets
from datetime import timedelta

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from services.ledger import Ledger, Record, Store
from services.plugins import domain
from shared.errors import Conflict
from shared.rules.days import day_of
from shared.running import real_now


class PlugIns(Ledger):
    """The plug-ins of one district."""

    service, collection, kind, evolve = "plugins", "plugins", domain.PlugIn, staticmethod(domain.evolve)
    indexes = {"plugins": [([("district", ASCENDING)], {})]}

    def page(self, department: str | None) -> list[Record]:
        """Give all plug-ins of the district, those of one department where it is named; some dozens at the most."""
        records = [self.record_of(row) for row in self.rows("plugins").find({}, {"history": 0})]
        found = [each for each in records if department in (None, each.state.department)]
        return sorted(found, key=lambda each: (each.state.department, each.state.name))

    def everywhere(self) -> list[Record]:
        """Give the plug-ins of all districts."""
        return [self.record_of(row) for row in self.wide("plugins").find({}, {"history": 0})]


class Names(Store):
    """Whose name is whose: a plug-in's login stands in histories, so it is given once and never again."""

    def claim(self, user: str, id: str) -> None:
        """Claim a login for a plug-in; another's is refused."""
        try:
            self.rows("names").insert_one({"_id": user, "plugin": id})
        except DuplicateKeyError:
            if not self.rows("names").find_one({"_id": user, "plugin": id}):
                raise Conflict(f"名称已被使用({user}) / That name is taken ({user})") from None


class Passwords(Store):
    """The hash of each plug-in's password, as RabbitMQ wants it; the password itself is nowhere."""

    def renew(self, user: str, generation: int) -> str | None:
        """Make the password of a generation, once; None where it was made before."""
        password, salt = secrets.token_urlsafe(24), secrets.token_bytes(4)
        hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
        fresh = {"hash": hashed, "generation": generation}
        try:
            self.rows("passwords").insert_one({"_id": user, **fresh})
        except DuplicateKeyError:
            older = {"_id": user, "generation": {"$lt": generation}}
            if not self.rows("passwords").update_one(older, {"$set": fresh}).matched_count:
                return None
        return password

    def hash_of(self, user: str, generation: int) -> tuple[str, int]:
        """Give the hash of a generation, and that; where there is none yet nobody comes in, by an older one neither."""
        row = self.rows("passwords").find_one({"_id": user, "generation": generation})
        return (row["hash"], generation) if row else ("", 0)


class Departments(Store):
    """This service's own copy of which departments a district has."""

    indexes = {"departments_heard": [([("district", ASCENDING)], {})]}

    def hear(self, fact: dict, codes: list[str], until: str | None = None) -> None:
        """Keep departments as a fact says them, over what is older."""
        version = int(fact["id"].rpartition("/")[2]) if fact["type"] == "department_set" else 0
        for code in codes:
            key, row = f"{self.caller.district}/{code}", {"code": code, "until": until, "version": version}
            try:
                self.rows("departments_heard").insert_one({"_id": key, **row})
            except DuplicateKeyError:
                older = {"_id": key, "version": {"$lt": version}}
                self.rows("departments_heard").update_one(older, {"$set": row})

    def known(self) -> set[str]:
        rows = self.rows("departments_heard").find({})
        return domain.of_district(list(rows), day_of(self.now()))


class Watched(Store):
    """How each plug-in stood on the broker when it was seen last, whichever replica looked."""

    def note(self, user: str, seen: dict) -> dict:
        """Note what was seen, unless another has a moment ago; gives what is known then."""
        row, now = self.of(user), real_now()
        if row and row["at"] > now - timedelta(seconds=2):
            return row
        before = row or {"marks": [], "total": seen["total"]}
        came = seen["total"] - before["total"] if seen["total"] >= before["total"] else seen["total"]
        fresh = {"at": now, "marks": domain.marked(before["marks"], came, seen["backlog"], now.timestamp())} | seen
        if not row:
            try:
                self.rows("watched").insert_one({"_id": user, **fresh})
            except DuplicateKeyError:
                return self.of(user)
        elif not self.rows("watched").update_one({"_id": user, "at": row["at"]}, {"$set": fresh}).matched_count:
            return self.of(user)
        return fresh

    def of(self, user: str) -> dict | None:
        return self.rows("watched").find_one({"_id": user})

    @staticmethod
    def traffic(row: dict | None) -> dict | None:
        """Give it as it is shown."""
        if not row:
            return None
        oldest = real_now().timestamp() - row["marks"][0][0] if row["marks"] else 0
        return {name: row[name] for name in ("backlog", "parked", "connected")} | {"oldest": max(0, int(oldest))}
