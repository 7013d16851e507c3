"""People, what was revoked, and what districts changed of the table of roles."""

from collections.abc import Callable
from datetime import datetime

from pymongo import ASCENDING

from services.identity import domain
from services.ledger import Ledger, Record
from shared.contracts.rows import normal_login
from shared.errors import Invalid, NotFound
from shared.rules.days import iso

EVERYBODY = 5_000  # people of one unit or role that a list looks through


def within(unit: str) -> dict:
    """Give the question for a unit and all that lies below it."""
    return {"$regex": f"^{unit[:9] if unit.endswith('000') and len(unit) == 12 else unit}"}


class People(Ledger):
    """The people of one district; operators and city observers are people of none."""

    erasing = "corrected"
    service, collection, kind, evolve = "identity", "people", domain.Person, staticmethod(domain.evolve_person)
    indexes = {"people": [([("district", ASCENDING), ("state.unit", ASCENDING)], {})]}

    def shown(self, record: Record, mask: Callable[[dict], dict] = domain.masked) -> dict:
        """Give a person as a screen may show them: masked, unless the caller is meant to see all."""
        words = record.words.get(record.state.words, {})
        said = mask({key: words.get(key) for key in ("name", "login", "phone")})
        return vars(record.state) | said | {"id": record.id, "district": record.district, "version": record.version}

    def seen(self, id: str) -> Record:
        """Find a person of the caller's own unit; of another unit there is none to be found."""
        record = self.get(id)
        if not domain.may_see(self.caller, record.state.unit):
            raise NotFound(f"本单位没有这个人({id}) / No such person in this unit ({id})")
        return record

    def seen_of(self, ids: list[str]) -> list[str]:
        """Give the ids of those people whom the caller looks after: of their department if they have one, or unit."""
        rows = self.rows("people").find({"_id": {"$in": [self.key(id) for id in ids]}}, {"history": 0})
        known = [(row["id"], domain.Person(**row["state"])) for row in rows]
        own = self.caller.department
        return [id for id, who in known if (own == who.department if own else domain.may_see(self.caller, who.unit))]

    def said(self, id: str, correction: str) -> tuple[int, dict]:
        """Give a person's version, and what is known of them: under this correction where it was made already."""
        record = self.get(id, history=True)
        made = (each["words"]["ref"] for each in record.history if each["data"].get("correction") == correction)
        said = record.words.get(next(made, record.state.words), {})
        return record.version, {} if "erased" in said else said

    def forget_old(self, record: Record) -> None:
        """Forget what was known of a person before it was put right."""
        self.forget([ref for ref in record.refs if ref != record.state.words], "corrected")

    def page(self, role, unit, department, active, login, limit: int, after: str | None) -> dict:
        """Give a page of the people of the caller's unit by their logins; ``after`` is the last one's id."""
        chosen = self.chosen(role, unit, department, active)
        asked: dict = {} if chosen is None else {"person": {"$in": chosen}}
        begins = normal_login(login or "")
        asked["_id"] = {"$gte": begins, "$lt": begins + "\U0010ffff"} if begins else {"$gte": ""}
        if after:
            last = self.rows("accounts").find_one({"person": after})
            if last is None:
                raise Invalid("页码无效 / That is not a page of ours", {"after": ["无效 / unknown"]})
            asked["_id"] |= {"$gt": last["_id"]}
        accounts = list(self.rows("accounts").find(asked, {"person": 1}).sort("_id", 1).limit(limit + 1))
        ids = [account["person"] for account in accounts[:limit]]
        rows = self.rows("people").find({"_id": {"$in": [self.key(id) for id in ids]}}, {"history": 0})
        found = {row["id"]: self.record_of(row) for row in rows}
        items = self.with_words([found[id] for id in ids if id in found])
        return {"items": [self.shown(each) for each in items], "next": ids[-1] if len(accounts) > limit else None}

    def chosen(self, role, unit, department, active) -> list[str] | None:
        """Give the ids of those who fit, within the caller's own unit; None for the whole district."""
        if unit and not domain.may_see(self.caller, unit):
            raise NotFound(f"您的单位之下没有这个单位({unit}) / No such unit within yours ({unit})")
        unit = unit or self.caller.unit
        said = {"state.roles": role, "state.department": department, "state.active": active}
        asked = {key: value for key, value in said.items() if value is not None}
        if unit != self.caller.district:
            asked["state.unit"] = within(unit)
        if not asked:
            return None
        return [row["id"] for row in self.rows("people").find(asked, {"id": 1}).limit(EVERYBODY)]

    def of_units(self, units: list[str]) -> list[str]:
        """Give the ids of the people of some units."""
        return [row["id"] for row in self.rows("people").find({"state.unit": {"$in": units}}, {"id": 1})]


class Revocations(Ledger):
    """What was revoked: one record each, for there is no end to them."""

    service, collection, kind = "identity", "revocations", domain.Revocation
    evolve = staticmethod(domain.evolve_revocation)
    indexes = {"revocations": [([("state.before", ASCENDING)], {})]}

    def since(self, moment: datetime) -> list[dict]:
        """Give what was revoked since a moment, in every district: a gateway must refuse all of it."""
        asked = {"state.before": {"$gte": iso(moment)}}
        rows = self.wide("revocations").find(asked, {"state": 1}, batch_size=1000)
        return [row["state"] | {"before": datetime.fromisoformat(row["state"]["before"])} for row in rows]


class Roles(Ledger):
    """What a district changed of the table of roles: a record for each role that it has ever changed."""

    service, collection, kind, evolve = "identity", "roles", domain.Role, staticmethod(domain.evolve_role)

    def get(self, id: str, history: bool = False) -> Record:
        """Find a role of this district; one that nobody changed yet is as the table says."""
        try:
            return super().get(id, history)
        except NotFound:
            return Record(id, self.caller.district, 0, self.kind())

    def here(self, district: str) -> dict[str, Record]:
        """Give what a district has changed, by role; at sign-in the district is that of the person who comes."""
        rows = self.wide("roles").find({"district": district}, {"history": 0})
        return {row["id"]: self.record_of(row) for row in rows}
