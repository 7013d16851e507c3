"""What the roster asks: its districts in Mongo, and the divisions that ship with the project."""

import csv
from functools import cache
from pathlib import Path

from services.ledger import Ledger
from services.roster.domain import districts as domain
from services.roster.domain.units import type_of
from services.roster.store.blank import BlankFirst
from shared.contracts.permissions import may
from shared.errors import Invalid, NotFound
from shared.rules.codes import is_within

EDITION = "国家统计局 2023"
DIVISIONS = Path(__file__).parents[3] / "deploy" / "data" / "beijing_divisions_2023.csv"


@cache
def divisions() -> tuple[dict, ...]:
    """Read Beijing's divisions: ``{code, name, level, parent}`` ordered by code.

    Units whose township segment is 4xx (economic zones, airports, parks) or whose community segment is 400 or more are
    not administrative divisions and are left out: what remains is the official 343 streets and townships.
    """
    with DIVISIONS.open(encoding="utf-8-sig", newline="") as file:
        rows = [
            {"code": row["code12"], "name": row["name"], "level": row["level"], "parent": row["parent_code"]}
            for row in csv.DictReader(file)
            if int(row["code12"][6:9]) < 400 and int(row["code12"][9:]) < 400
        ]
    return tuple(sorted(rows, key=lambda row: row["code"]))


@cache
def district_names() -> dict[str, str]:
    """Give Beijing's sixteen districts by their six digits."""
    return {row["code"][:6]: row["name"] for row in divisions() if row["level"] == "district"}


class Districts(BlankFirst, Ledger):
    """The districts that are open."""

    service, collection, kind, evolve = "roster", "districts", domain.District, staticmethod(domain.evolve)

    def tree(self, code: str) -> list[dict]:
        """Give the streets and communities of one of Beijing's districts as they ship, by their codes."""
        if code not in district_names():
            known = "、".join(f"{code} {name}" for code, name in district_names().items())
            raise Invalid(f"北京没有这个区;可选:{known} / No such district in Beijing: {known}", {"code": [code]})
        return [
            row
            | {"type": type_of(row["code"], row["level"], row["name"])}
            | ({"parent": code} if row["level"] == "street" else {})
            for row in divisions()
            if row["code"].startswith(code) and row["level"] in ("street", "community")
        ]

    def shown(self, record) -> dict:
        if not record.version:
            raise NotFound("本区尚未开通 / This district is not open yet")
        return vars(record.state) | {"version": record.version, "name": district_names()[record.state.code]}

    def all_open(self) -> list[dict]:
        """Give the districts that the caller may see: their own, or all of them for an operator or city observer."""
        if self.caller.district:
            return [self.shown(self.get(self.caller.district))]
        if not may(self.caller.roles, "district.visit", self.caller.adjusted):
            self.caller.must("district.open")
        return [self.shown(self.record_of(row)) for row in self.wide("districts").find({}, {"history": 0})]

    def under(self, unit: str | None, limit: int, after: str | None) -> dict:
        """Give a page of the divisions under one unit of the caller's district, by their codes."""
        own = self.caller.district
        unit = unit or own
        if own and not unit.startswith(own):
            raise NotFound("本区没有这个区划 / No such division in this district")
        found = [row for row in divisions() if is_within(row["code"], unit) and row["code"] > (after or "")]
        return {"items": found[:limit], "next": found[limit - 1]["code"] if len(found) > limit else None}
