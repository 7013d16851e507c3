"""What codes are called: departments, categories, units and people with a published card, remembered for a minute.

Only what everybody who is signed in may read in their district is kept; a name is put right within the minute.
"""

import time
from collections.abc import Callable
from typing import Any

from flask import current_app

from gateway.asking import ask, caller, may
from shared.contracts import roster
from shared.errors import Forbidden, NotFound

REMEMBERED = 60.0
MOST = 4_000
HOME = "community"


class Names:
    """The names that one gateway process knows just now."""

    def __init__(self):
        self.known: dict[tuple, tuple[float, Any]] = {}

    def get(self, key: tuple, ask_for: Callable[[], Any]) -> Any:
        at, value = self.known.get(key, (0.0, None))
        if not at or time.monotonic() - at > REMEMBERED:
            value = ask_for()
            self.known[key] = (time.monotonic(), value)
            while len(self.known) > MOST:
                del self.known[next(iter(self.known))]
        return value


def remembered(what: str, code: str, ask_for: Callable[[], Any]) -> Any:
    return current_app.extensions["huying.names"].get((caller().district, what, code), ask_for)


def every(call, order: dict) -> list[dict]:
    """Give all that a list has, page by page."""
    found, asked = [], order | {"limit": 1000}
    while True:
        page = ask(call, asked)
        found += page["items"]
        if not page.get("next"):
            return found
        asked["after"] = page["next"]


def departments() -> dict[str, dict]:
    """Give the district's departments and utilities by their codes; whoever may not know them sees codes."""
    if not may("unit.read"):
        return {}
    return remembered("departments", "", lambda: {d["code"]: d for d in ask(roster.departments, {})["items"]})


def categories() -> dict[str, dict]:
    """Give the categories of events by their codes."""
    if not may("catalogue.read"):
        return {}
    return remembered("categories", "", lambda: {c["code"]: c for c in every(roster.categories, {})})


def unit(code: str) -> dict:
    """Give one unit of the tree; one that is not there is called by its code."""

    def one() -> dict:
        try:
            return ask(roster.unit, {"code": code})
        except NotFound:
            return {"code": code, "name": code, "level": "", "path": []}

    return remembered("unit", code, one)


def places(community: str) -> list[dict]:
    """Give the compounds, buildings and entrances of a community, each below the one that it belongs to."""
    return remembered("places", community, lambda: in_order(every(roster.units, {"under": community}), community))


def in_order(units: list[dict], top: str) -> list[dict]:
    below: dict[str, list[dict]] = {}
    for each in units:
        below.setdefault(each["parent"], []).append(each)

    def walk(code: str, depth: int):
        for each in sorted(below.get(code, ()), key=lambda unit: natural(unit["code"])):
            yield each | {"depth": depth}
            yield from walk(each["code"], depth + 1)

    return list(walk(top, 0))


def natural(code: str) -> list:
    """Sort the second building before the tenth."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in code.split(".")]


def station(community: str) -> dict:
    """Give a community's published list: its head and its named specialists with their cards."""

    def one() -> dict:
        try:
            return ask(roster.station, {"community": community})
        except (NotFound, Forbidden):
            return {"community": community, "name": unit(community)["name"], "street": "", "head": None, "lines": []}

    return remembered("station", community, one)


def cards(community: str) -> dict[str, dict]:
    """Give the published cards of a community by person, each with the department that it is for."""
    found: dict[str, dict] = {}
    published = station(community)
    for line in [published["head"], *published["lines"]]:
        for card in (line and line["holder"], line and line["answers"]):
            if card:
                found[card["person"]] = card | {"post": line["post"], "department": line["department"]}
    return found


def card_for(community: str, department: str, person: str | None) -> dict | None:
    """Give the card of whoever answers for a department in a community."""
    known = cards(community)
    if person in known:
        return known[person]
    return next((card for card in known.values() if card["post"] == department), None) if not person else None


def department(code: str) -> str:
    """Give what people call a department; the community itself is called by its own name elsewhere."""
    return departments().get(code, {}).get("name", code)


def category(code: str) -> str:
    return categories().get(code, {}).get("name", code)


def measures(community: str) -> list[dict]:
    """Give what may be counted as an outcome at a unit."""

    def all_of() -> list[dict]:
        settings = {each["name"]: each["value"] for each in ask(roster.settings, {"code": community})["items"]}
        return settings.get("outcomes") or []

    return remembered("measures", community, all_of)
