"""Who is let in, and who is put out."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.identity import admitted, dismissed, revoked
from shared.errors import Conflict, Forbidden, Invalid


@dataclass(frozen=True)
class Person:
    """A person as the platform knows them; the name is a reference to words."""

    roles: list[str] = field(default_factory=list)
    unit: str = ""
    department: str = ""
    active: bool = False
    dismissals: dict[str, dict] = field(default_factory=dict)
    words: str | None = None


@dataclass(frozen=True)
class Revocation:
    """Tokens of one subject, a person or a session, made before a moment are no longer good."""

    subject: str = ""
    before: str = ""
    reason: str = ""


def on_admitted(person: Person, data: dict) -> Person:
    known = {key: data[key] for key in ("roles", "unit", "department")}
    return replace(person, active=True, words=data.get("words"), **known)


PERSON_CHANGES = {
    "admitted": on_admitted,
    "dismissed": lambda person, data: replace(
        person,
        active=False,
        dismissals=person.dismissals | {data["revocation"]: {"before": data["before"], "reason": data["reason"]}},
    ),
}


def evolve_person(person: Person, fact: str, data: dict, at: datetime, actor: str) -> Person:
    """Give the person as one more fact made them."""
    return PERSON_CHANGES[fact](person, data)


def evolve_revocation(revocation: Revocation, fact: str, data: dict, at: datetime, actor: str) -> Revocation:
    """A revocation happens once and stays."""
    return Revocation(data["subject"], data["before"], data["reason"])


def admit(
    person: Person,
    *,
    caller: Caller,
    now: datetime,
    name: str,
    roles: list[str],
    unit: str,
    department: str,
) -> Iterator[Happened]:
    """Roles are scoped to a unit of the person's own district; a specialist is some department's."""
    if unit and not unit.startswith(caller.district):
        raise Invalid("单位不在本区 / The unit is not in this district", {"unit": [unit]})
    if ("specialist" in roles) != bool(department):
        raise Invalid(
            "专员须有部门,其他人没有 / A specialist has a department, others have none", {"department": [department]}
        )
    yield admitted(roles=roles, unit=unit, department=department, words={"name": name})


def dismiss(
    person: Person,
    *,
    caller: Caller,
    now: datetime,
    self_id: str,
    revocation: str,
    before: datetime,
    reason: str,
) -> Iterator[Happened]:
    """Whoever is put out is out everywhere; nobody puts out themselves."""
    if known := person.dismissals.get(revocation):
        if known["reason"] != reason:
            raise Conflict("编号已被使用,内容不同 / This id is already another revocation's")
        return
    if self_id == caller.actor:
        raise Forbidden("不能停用自己 / Nobody puts out themselves")
    yield dismissed(revocation=revocation, before=before, reason=reason)


def revoke(
    revocation: Revocation, *, caller: Caller, now: datetime, subject: str, before: datetime, reason: str
) -> Iterator[Happened]:
    """Tokens made before a moment of real time are no longer good."""
    yield revoked(subject=subject, before=before, reason=reason)
