"""What may be said of a district: that it is open, and what it has set."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.roster import opened, settings_changed
from shared.errors import Conflict


@dataclass(frozen=True)
class District:
    """A district that is open."""

    code: str = ""
    opened_at: datetime | None = None
    settings: dict = field(default_factory=dict)
    changes: dict[str, dict] = field(default_factory=dict)


def last_fifty(changes: dict) -> dict:
    """A change is found again among the last fifty; a district's settings change rarely."""
    return dict(list(changes.items())[-49:])


CHANGES = {
    "opened": lambda district, data, at: replace(district, code=data["code"], opened_at=at, settings=data["settings"]),
    "settings_changed": lambda district, data, at: replace(
        district,
        settings=data["settings"],
        changes=last_fifty(district.changes) | {data["change"]: data["settings"]},
    ),
}

# Departments that every district of Beijing has; a district changes them in its settings.
DEPARTMENTS = ["chengguan", "shichang", "weijian", "xiaofang", "zhujian", "shuiwu", "gongan", "zongzhi"]


def evolve(district: District, fact: str, data: dict, at: datetime, actor: str) -> District:
    """Give the district as one more fact made it."""
    return CHANGES[fact](district, data, at)


def open_district(
    district: District, *, caller: Caller, now: datetime, code: str, communities: list[str]
) -> Iterator[Happened]:
    """A district opens once, with the settings that all begin with."""
    yield opened(code=code, settings={"departments": DEPARTMENTS}, communities=communities)


def change_settings(
    district: District, *, caller: Caller, now: datetime, change: str, settings: dict
) -> Iterator[Happened]:
    """What is not named stays as it is."""
    if known := district.changes.get(change):
        if not settings.items() <= known.items():
            raise Conflict("编号已被使用,内容不同 / This id is already another change's")
        return
    yield settings_changed(change=change, settings=district.settings | settings)
