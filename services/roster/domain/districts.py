"""What may be said of a district: that it is open, and what it has set."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.roster.domain.scope import remembered
from services.roster.domain.units import must_know_departments
from shared.caller import Caller
from shared.contract import Happened
from shared.contracts import settings as shipped
from shared.contracts.roster import opened, settings_changed
from shared.errors import Conflict, NotFound


@dataclass(frozen=True)
class District:
    """A district that is open."""

    code: str = ""
    opened_at: datetime | None = None
    settings: dict = field(default_factory=dict)
    changes: dict[str, dict] = field(default_factory=dict)


CHANGES = {
    "opened": lambda district, data, at: replace(district, code=data["code"], opened_at=at, settings=data["settings"]),
    "settings_changed": lambda district, data, at: replace(
        district,
        settings=data["settings"],
        changes=remembered(district.changes, data["change"], data["settings"]),
    ),
}

# Departments that every district of Beijing has; a district adds to them and names them anew.
DEPARTMENTS = {
    "chengguan": "城管", "shichang": "市场监管", "weijian": "卫健", "xiaofang": "消防", "zhujian": "住建",
    "shuiwu": "水务", "gongan": "公安", "zongzhi": "综治",
}  # fmt: skip

# What holds wherever no district and no unit of it has set anything else.
CITY = {"departments": list(DEPARTMENTS)} | shipped.CITY


def evolve(district: District, fact: str, data: dict, at: datetime, actor: str) -> District:
    """Give the district as one more fact made it."""
    return CHANGES[fact](district, data, at)


def open_district(
    district: District, *, caller: Caller, now: datetime, code: str, units: list[dict], edition: str
) -> Iterator[Happened]:
    """A district opens once, with the settings that all begin with and the tree as it ships then."""
    if district.code:
        return
    communities = [unit["code"] for unit in units if unit["level"] == "community"]
    settings = {"departments": list(DEPARTMENTS)}
    yield opened(code=code, settings=settings, communities=communities, units=units, edition=edition)


def change_settings(
    district: District, *, caller: Caller, now: datetime, known: set[str], change: str, settings: dict,
    inherit: tuple[str, ...] = (),
) -> Iterator[Happened]:  # fmt: skip
    """What is not named stays as it is; what is to be inherited is the city's again."""
    if not district.code:
        raise NotFound("本区尚未开通 / This district is not open yet")
    if done := district.changes.get(change):
        if not settings.items() <= done.items():
            raise Conflict("编号已被使用,内容不同 / This id is already another change's")
        return
    must_know_departments(settings, known)
    fresh = {name: value for name, value in (district.settings | settings).items() if name not in inherit}
    yield settings_changed(change=change, settings=fresh)
