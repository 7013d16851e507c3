"""What the roster asks Mongo for its dispatch catalogue: a district's own categories, and its rules."""

from contextlib import suppress

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from services.ledger import Ledger, Record
from services.roster.domain import catalogue as domain
from services.roster.store.districts import divisions
from shared.contracts import events
from shared.errors import Conflict, Invalid, NotFound

READ = 200  # rows that are read beyond a page at once


def set_in(ledger: Ledger, id: str, decide, version: int | None, **order) -> Record:
    """Change a record, or begin it where there is none yet: the client names it by what it is about."""
    try:
        return ledger.change(id, decide, version, **order)
    except NotFound:
        if version:
            raise
    try:
        return ledger.begin(id, decide, **order)
    except Conflict:  # two began it at once, and the other was first: this one changes it
        return ledger.change(id, decide, version, **order)


def page(items: list[dict], limit: int, cursor) -> dict:
    """Give the first so many, and where the next page begins."""
    return {"items": items[:limit], "next": cursor(items[limit - 1]) if len(items) > limit else None}


class Categories(Ledger):
    """The categories of a district's own, beside those of the standard."""

    service, collection, kind, evolve = "roster", "categories", domain.Category, staticmethod(domain.evolve_category)
    indexes = {"categories": [([("district", ASCENDING), ("id", ASCENDING)], {})]}

    def local(self) -> list[dict]:
        """Give the district's own categories, retired ones too."""
        return [self.shown(self.record_of(row)) for row in self.rows("categories").find({}, {"history": 0})]

    def codes(self) -> set[str]:
        """Give every code that is in use here."""
        return {*events.shipped(), *(row["code"] for row in self.local() if not row["retired"])}

    def set(self, code: str, version: int | None, **order) -> dict:
        """Name a category of the district's own, or retire it."""
        local = {row["code"] for row in self.local() if not row["retired"]}
        known = {"shipped": events.shipped().keys(), "classes": events.classes().keys(), "local": local}
        return self.shown(set_in(self, code, domain.set_category, version, code=code, **known, **order))

    def listing(self, under: str | None, limit: int, after: str | None) -> dict:
        """Give a page of all categories, the standard's and the district's own, by their codes."""
        standard = [
            {"code": code, "name": name, "scheme": events.SCHEME, "retired": False, "version": 0}
            | {"major": events.classes()[code[:2]]}
            for code, name in events.shipped().items()
        ]
        start = "" if under in (None, "*") else under
        found = [
            row for row in standard + self.local() if row["code"].startswith(start) and row["code"] > (after or "")
        ]
        return page(sorted(found, key=lambda row: row["code"]), limit, lambda row: row["code"])

    def shown(self, record: Record) -> dict:
        state = record.state
        of = {"scheme": events.LOCAL, "major": events.classes().get(state.code[:2], ""), "version": record.version}
        return vars(state) | of


class Rules(Ledger):
    """Who handles what where: one record for each pair of category and unit."""

    service, collection, kind, evolve = "roster", "rules", domain.Rule, staticmethod(domain.evolve_rule)
    indexes = {
        "rules": [
            ([("district", ASCENDING), ("id", ASCENDING)], {}),
            ([("district", ASCENDING), ("state.catalogue", ASCENDING)], {}),
        ]
    }

    # Whoever sets or removes a rule holds the catalogue (Claims), so that its versions have one order.

    def set(self, category: str, unit: str, version: int | None, catalogue: int | None = None, **order) -> dict:
        """Say who handles a category at a unit; ``catalogue`` is the version that it has now, where that is known."""
        pair = {"category": category, "unit": unit, "is_unit": self.is_unit(unit)}
        pair["catalogue"] = (self.catalogue() if catalogue is None else catalogue) + 1
        return self.noted(set_in(self, f"{category}@{unit}", domain.set_rule, version, **pair, **order))

    def remove(self, category: str, unit: str, version: int | None, change: str) -> dict:
        """Say it no longer."""
        pair = {"category": category, "unit": unit, "change": change, "catalogue": self.catalogue() + 1}
        return self.noted(self.change(f"{category}@{unit}", domain.remove_rule, version, **pair))

    def catalogue(self) -> int:
        """Give the version that the catalogue of the district has now."""
        row = self.rows("catalogues").find_one({"_id": self.caller.district})
        known = row["version"] if row else 0
        # Whoever wrote a rule last may have been cut off before it was noted.
        return known + bool(self.rows("rules").find_one({"state.catalogue": known + 1}, {"_id": 1}))

    def noted(self, record: Record) -> dict:
        """Note that the catalogue has come so far; gives the rule."""
        asked, number = {"_id": self.caller.district}, record.state.catalogue
        if not self.rows("catalogues").find_one(asked):
            with suppress(DuplicateKeyError):
                self.rows("catalogues").insert_one(asked | {"version": number})
        self.rows("catalogues").update_one(asked | {"version": {"$lt": number}}, {"$set": {"version": number}})
        return shown(record)

    def as_of(self, catalogue: int, limit: int, after: str | None, **asked) -> dict:
        """Give a page of the rules as they stood in a version of the catalogue."""
        if catalogue > (newest := self.catalogue()):
            raise Invalid(f"目录只到第 {newest} 版 / The catalogue has come to version {newest}", {"as_of": [newest]})
        rows, found = self.rows("rules").find({"id": {"$gt": after or ""}}, batch_size=limit + READ), []
        for row in rows.sort([("district", ASCENDING), ("id", ASCENDING)]):
            version, rule = domain.as_of(row["history"], catalogue)
            is_asked = all(value in (None, getattr(rule, name)) for name, value in asked.items())
            if version and not rule.removed and is_asked:
                found.append(vars(rule) | {"version": version})
            if len(found) > limit:
                break
        return page(found, limit, lambda rule: f"{rule['category']}@{rule['unit']}")

    def is_unit(self, code: str) -> bool:
        """Say whether the district has this unit: now, or as the divisions ship where no tree was heard of yet."""
        if code == self.caller.district or self.rows("units_now").find_one({"_id": code}):
            return True
        if not code.startswith(self.caller.district) or self.rows("units_now").find_one({}):
            return False
        return any(row["code"] == code and row["level"] != "district" for row in divisions())

    def listing(
        self, category: str | None, unit: str | None, limit: int, after: str | None, as_of: int | None = None
    ) -> dict:
        """Give a page of the rules that stand, by category and unit; of one category or one unit where asked so."""
        if as_of is not None:
            return self.as_of(as_of, limit, after, category=category, unit=unit)
        rows = self.rows("rules").find({"id": {"$gte": after or ""}}, {"history": 0}, batch_size=limit + READ)
        found = []
        for row in rows.sort([("district", ASCENDING), ("id", ASCENDING)]):
            rule = row["state"]
            if row["id"] == after:
                continue
            if not rule["removed"] and category in (None, rule["category"]) and unit in (None, rule["unit"]):
                found.append(shown(self.record_of(row)))
            if len(found) > limit:
                break
        return page(found, limit, lambda rule: f"{rule['category']}@{rule['unit']}")


def shown(record: Record) -> dict:
    return vars(record.state) | {"version": record.version}
