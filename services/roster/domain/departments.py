"""What may be said of departments, of public-service enterprises, and of their teams in the streets (科站队所)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.roster.domain.periods import covers
from services.roster.domain.scope import must_reach, remembered, was_done
from services.roster.domain.units import must_be_open
from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.roster import RESERVED, department_set, team_set
from shared.errors import Conflict, Forbidden, Invalid
from shared.rules.days import day_of


@dataclass(frozen=True)
class Department:
    """A department as its district calls it; blank while it is as all districts know it."""

    name: str = ""
    kind: str = "department"
    phone: str | None = None
    until: str | None = None
    changes: dict[str, dict] = field(default_factory=dict)


@dataclass(frozen=True)
class Team:
    """A team that a department has stationed in a street."""

    department: str = ""
    unit: str = ""
    name: str = ""
    phone: str | None = None
    until: str | None = None
    changes: dict[str, dict] = field(default_factory=dict)


def evolve(thing: Department | Team, fact: str, data: dict, at: datetime, actor: str) -> Department | Team:
    """Give a department or a team as one more fact made it; each fact says the whole of it."""
    whole = {name: value for name, value in data.items() if name not in ("change", "code")}
    return replace(thing, **whole, changes=remembered(thing.changes, data["change"], whole))


def set_department(
    department: Department, *, caller: Caller, now: datetime, change: str, code: str, name: str, kind: str,
    phone: str | None, until: date | None,
) -> Iterator[Happened]:  # fmt: skip
    """A department has a name and perhaps an end; the words for who is no department are not free."""
    asked = {"name": name, "kind": kind, "phone": phone, "until": until and str(until)}
    if was_done(department.changes, change, asked):
        return
    if code in RESERVED:
        raise Invalid(f"{code} 是岗位名,不能作部门代码 / {code} is the name of a post", {"code": [code]})
    yield department_set(change=change, code=code, **asked)


def set_team(
    team: Team, *, caller: Caller, now: datetime, known: set[str], street: dict, change: str, department: str,
    unit: str, name: str, phone: str | None, until: date | None,
) -> Iterator[Happened]:  # fmt: skip
    """A team is of a department of the district, in one of its streets; it keeps both."""
    must_reach(caller, street["path"], street["code"])
    if "lead" in caller.roles and caller.department != department:
        raise Forbidden("只能设本部门的科站队所 / A lead sets teams of their own department only")
    asked = {"department": department, "unit": unit, "name": name, "phone": phone, "until": until and str(until)}
    if was_done(team.changes, change, asked):
        return
    must_be_known(known, department)
    if street["level"] != "street":
        raise Invalid("科站队所设在街道 / A team is stationed in a street", {"unit": [street["level"]]})
    must_be_open(street, str(day_of(now)))
    if team.unit and (team.department, team.unit) != (department, unit):
        raise Conflict("部门和街道不能改,请另设 / Its department and street stay: station another team")
    yield team_set(change=change, **asked)


def must_be_known(known: set[str], department: str) -> None:
    """Only a department of the district has teams, specialists and rules."""
    if department not in known:
        raise Invalid(
            f"本区没有这个部门({department}) / No such department here ({department})", {"department": [department]}
        )


def known(departments: list[dict], day: str) -> set[str]:
    """Give the codes of the departments that a district has at a day."""
    return {each["code"] for each in departments if covers({"until": each["until"]}, day)}
