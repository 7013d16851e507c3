"""What the roster asks of the tree: the records of what a district changed in it, and every unit as it is now."""

from contextlib import suppress

from pymongo import ASCENDING
from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.ledger import Ledger, Record, Store
from services.roster.domain import units as domain
from services.roster.domain.periods import covers
from services.roster.store.blank import BlankFirst
from services.roster.store.districts import district_names
from shared.errors import NotFound
from shared.rules.days import day_of

CHUNK = 200


class Units(BlankFirst, Ledger):
    """The units that a district founded or changed, by their codes; the others are as they ship."""

    service, collection, kind, evolve = "roster", "units", domain.Unit, staticmethod(domain.evolve)

    indexes = {
        "units": [
            ([("state.due", ASCENDING)], {"sparse": True}),
            ([("district", ASCENDING), ("state.absorbed", ASCENDING)], {}),
        ]
    }

    def due(self) -> list[tuple[str, str]]:
        """Give the units, with their districts, whose plans are for today or before."""
        asked = {"state.due": {"$lte": str(day_of(self.now()))}}
        return [(row["district"], row["id"]) for row in self.wide("units").find(asked, {"district": 1, "id": 1})]

    def gone(self, communities: list[str]) -> set[str]:
        """Give those communities that have become part of another."""
        rows = self.rows("units").find({"state.absorbed": {"$in": communities}}, {"state.absorbed": 1})
        return {code for row in rows for code in row["state"]["absorbed"]}

    def found(self, code: str, **order) -> Record:
        """Found a unit of which there should be no record yet, in one write; where there is one, as any change."""
        blank = Record(code, self.caller.district, 0, self.kind())
        now = self.now()
        happened = list(domain.found(blank.state, caller=self.caller, now=now, code=code, **order))
        return self.record(blank, happened, now) or self.change(code, domain.found, code=code, **order)


class Tree(Store):
    """Every unit of a district as it is now, with the way to it: copied from what is told, as often as it is told."""

    indexes = {
        "units_now": [
            ([("district", ASCENDING), ("parent", ASCENDING)], {}),
            ([("district", ASCENDING), ("path", ASCENDING)], {}),
            ([("district", ASCENDING), ("level", ASCENDING)], {}),
        ]
    }

    # -- ask ----------------------------------------------------------------------------------------------------------

    def find(self, code: str) -> dict | None:
        """Find one unit of this district, closed ones too."""
        return self.rows("units_now").find_one({"_id": code})

    def row(self, code: str) -> dict:
        """Give one unit of this district; another district's is not found either."""
        if row := self.find(code):
            return row
        raise NotFound(f"本区没有这个单位({code}) / No such unit in this district ({code})")

    def several(self, codes: list[str]) -> dict[str, dict]:
        """Give several units by their codes, those that there are."""
        return {row["code"]: row for row in self.rows("units_now").find({"_id": {"$in": sorted(set(codes))}})}

    def way(self, code: str) -> list[dict]:
        """Give the units from the district down to one."""
        row = self.row(code)
        found = self.several(row["path"])
        return [*(found[each] for each in row["path"] if each in found), row]

    def children(self, code: str) -> list[dict]:
        """Give what hangs directly on a unit, closed or not."""
        return list(self.rows("units_now").find({"parent": code}))

    def under(self, unit: str, level: str | None = None, direct: bool = False, after: str = ""):
        """Walk the units below one in the order of their codes, beginning after a code."""
        asked: dict = {"path": unit}
        if direct:
            asked = {"parent": unit}
        elif unit == self.caller.district:
            # The whole district: by its level, or simply by the codes.
            asked = {"level": level} if level else {"_id": {"$gt": max(after, unit), "$lt": f"{unit}:"}}
        for row in self.rows("units_now").find(asked, batch_size=CHUNK).sort("_id", ASCENDING):
            if row["code"] > after and level in (None, row["level"]):
                yield row

    def page(
        self, under: str, at: str, level: str | None, pilot: bool | None, direct: bool, name: str | None, limit: int,
        after: str | None,
    ) -> dict:  # fmt: skip
        """Give a page of the units below one that were there on a day."""
        found = []
        for row in self.under(self.row(under)["code"], level, direct, after or ""):
            called = not name or any(name in each for each in (row["name"], *row["aliases"]))
            if covers(row, at) and called and pilot in (None, bool(row["pilot"])):
                found.append(row)
            if len(found) > limit:
                break
        return {"items": found[:limit], "next": found[limit - 1]["code"] if len(found) > limit else None}

    # -- copy ---------------------------------------------------------------------------------------------------------

    def ships(self, units: list[dict]) -> None:
        """Copy the tree as it ships, where nothing newer is known of a unit."""
        district = self.caller.district
        blank = {"aliases": [], "since": None, "until": None, "into": None, "split_from": None, "pilot": ""}
        blank |= {"settings": {}, "pilot_settings": {}, "version": 0}
        top = {"code": district, "level": "district", "type": "区", "name": district_names()[district], "parent": None}
        parents = {unit["code"]: unit["parent"] for unit in units}
        rows = [{"_id": district, **top, **blank, "path": []}]
        for unit in units:
            above = [unit["parent"]]
            while above[0] in parents:
                above.insert(0, parents[above[0]])
            rows.append({"_id": unit["code"], **unit, **blank, "path": above})
        try:
            self.rows("units_now").insert_many(rows)
        except BulkWriteError as error:
            if any(each["code"] != 11000 for each in error.details["writeErrors"]):
                raise

    def has(self, unit: dict, version: int) -> bool:
        """Say, by one question, whether a unit is here as it was told, or newer, with the way to it as it is now."""
        found = self.several([unit["code"], unit["parent"]])
        row, above = found.get(unit["code"]), found.get(unit["parent"])
        if not row or not above or row["version"] < version:
            return False
        return (row["parent"], row["path"]) == (above["code"], [*(above["path"] or []), above["code"]])

    def put(self, record: Record, above: dict | None = None) -> dict:
        """Copy a unit as its record says, unless what we have is newer; gives the row.

        ``above`` is what it hangs on, where it was founded just now: nothing hangs on it yet, so that the way to it
        can be written with it, in one write.
        """
        state = record.state
        fresh = dict(state.unit) | {"settings": state.settings, "pilot_settings": state.pilot_settings}
        fresh["version"] = record.version
        fresh["plans"] = [{"plan": id, **plan} for id, plan in sorted(state.plans.items())]
        if above and record.version == 1:
            row = {"_id": record.id, **fresh, "path": [*above["path"], above["code"]]}
            with suppress(DuplicateKeyError):  # heard of already, or by a worker before this one
                self.rows("units_now").insert_one(row)
                return row | {"district": self.caller.district}
        asked = {"_id": record.id, "version": {"$lt": record.version}}
        if not self.rows("units_now").update_one(asked, {"$set": fresh}).matched_count and state.unit:
            with suppress(DuplicateKeyError):
                self.rows("units_now").insert_one({"_id": record.id, **fresh, "path": None})
        return self.find_way(record.id)

    def find_way(self, code: str) -> dict:
        """Write down the way to a unit anew, and to all below it where it is another one; gives the row."""
        row = self.row(code)
        above = self.find(row["parent"]) if row["parent"] else None
        path = [*(above["path"] or []), above["code"]] if above else [each for each in [row["parent"]] if each]
        if row["path"] != path:
            self.rows("units_now").update_one({"_id": code}, {"$set": {"path": path}})
            for child in self.children(code):
                self.find_way(child["code"])
        return row | {"path": path}
