"""Identity's own view of units and departments, copied from what the roster tells."""

from contextlib import suppress

from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.identity.domain import Place
from services.ledger import Store
from shared.errors import NotFound
from shared.rules.days import day_of


class Places(Store):
    """Which units and departments a district has; facts may come twice, and in any order."""

    def opened(self, data: dict, at: str) -> None:
        """Take over a district as it ships; whatever was told of since stays as it was told."""
        units = {row["code"] for row in data.get("units") or ()} | set(data["communities"]) | {data["code"]}
        units |= {f"{code[:9]}000" for code in data["communities"]}
        known = {"at": at, "until": None}
        rows = {
            "units": [{"_id": code} | known for code in sorted(units)],
            "departments": [
                {"_id": f"{data['code']}/{code}"} | known for code in data["settings"].get("departments", ())
            ],
        }
        for collection, each in rows.items():
            if each:
                with suppress(BulkWriteError):  # some of them are there already
                    self.rows(collection).insert_many(each)
        # Last: a district is open to people when it is known what it consists of.
        with suppress(DuplicateKeyError):
            self.rows("open").insert_one({"_id": self.caller.district})

    def told(self, collection: str, id: str, until: str | None, at: str) -> None:
        """Keep one thing as it was told last."""
        try:
            self.rows(collection).insert_one({"_id": id, "until": until, "at": at})
        except DuplicateKeyError:
            asked = {"_id": id, "at": {"$lte": at}}
            self.rows(collection).update_one(asked, {"$set": {"until": until, "at": at}})

    def unit_told(self, code: str, until: str | None, at: str) -> None:
        self.told("units", code, until, at)

    def department_told(self, code: str, until: str | None, at: str) -> None:
        self.told("departments", f"{self.caller.district}/{code}", until, at)

    def place(self, unit: str, department: str) -> Place:
        """Say what is known today of a unit and a department of the caller's district."""
        return Place(
            not unit or self.is_there("units", unit),
            not department or self.is_there("departments", f"{self.caller.district}/{department}"),
        )

    def is_there(self, collection: str, id: str) -> bool:
        row = self.rows(collection).find_one({"_id": id})
        return row is not None and (row["until"] is None or row["until"] >= day_of(self.now()).isoformat())

    def must_be_open(self) -> None:
        """Refuse a district that is not open; an operator belongs to none."""
        if self.caller.district and not self.rows("open").find_one({"_id": self.caller.district}):
            raise NotFound("该区尚未开通 / This district is not open yet")
