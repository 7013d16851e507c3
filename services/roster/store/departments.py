"""What the roster asks of departments and their teams."""

from pymongo import ASCENDING

from services.ledger import Ledger, Record
from services.roster.domain import departments as domain
from services.roster.domain.districts import DEPARTMENTS
from services.roster.store.blank import BlankFirst
from shared.rules.days import day_of


class Departments(BlankFirst, Ledger):
    """The departments of a district, by their codes; those that all districts have need no record."""

    service, collection, kind, evolve = "roster", "departments", domain.Department, staticmethod(domain.evolve)
    indexes = {"departments": [([("district", ASCENDING)], {})]}

    def shown(self, record: Record) -> dict:
        return vars(record.state) | {"code": record.id, "version": record.version}

    def all(self) -> list[dict]:
        """Give all departments of the district; some dozens at the most."""
        found = {
            code: {"code": code, "version": 0, "name": name, "kind": "department", "phone": None, "until": None}
            for code, name in DEPARTMENTS.items()
        }
        for row in self.rows("departments").find({}, {"history": 0}):
            found[row["id"]] = self.shown(self.record_of(row))
        return [found[code] for code in sorted(found)]

    def known(self) -> set[str]:
        """Give the codes of the departments that the district has today."""
        return domain.known(self.all(), str(day_of(self.now())))


class Teams(BlankFirst, Ledger):
    """The teams that departments have stationed in streets."""

    service, collection, kind, evolve = "roster", "teams", domain.Team, staticmethod(domain.evolve)
    indexes = {
        "teams": [
            ([("district", ASCENDING), ("state.unit", ASCENDING)], {}),
            ([("district", ASCENDING), ("state.department", ASCENDING)], {}),
        ]
    }

    def shown(self, record: Record) -> dict:
        return vars(record.state) | {"id": record.id, "version": record.version}

    def page(self, unit: str | None, department: str | None, limit: int, after: str | None) -> dict:
        """Give a page of teams by their ids: a street's, a department's, or the district's."""
        asked = {"state.unit": unit} if unit else {"state.department": department} if department else {}
        rows = self.rows("teams").find(asked, {"history": 0}).sort("id", ASCENDING)
        found = [self.shown(self.record_of(row)) for row in rows if row["id"] > (after or "")]
        found = [each for each in found if department in (None, each["department"])]
        return {"items": found[:limit], "next": found[limit - 1]["id"] if len(found) > limit else None}
