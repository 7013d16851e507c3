"""Which rows a whistle has in the views of open work, what is counted of it, and who may look at which of them."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import cos, floor, radians
from zlib import crc32

from services.whistle.domain import clocks
from services.whistle.domain.acts import is_in_unit
from services.whistle.domain.whistles import Whistle
from shared.caller import Caller
from shared.contracts.roster import COMMUNITY
from shared.errors import Forbidden, Invalid
from shared.rules.codes import DIVISION
from shared.rules.days import iso
from shared.rules.places import distance

SHARDS = 4  # a street's open whistles are counted in so many documents, so that none grows large
NOBODY = "-"
CELL = 0.005  # degrees: some 550 metres from south to north and 430 from west to east
METRES_PER_DEGREE = 111_195
NEAR_TIMES = 4  # further around than what counts as the same place: two people point at one thing from two sides
FURTHEST = 2000  # metres: further than that nobody calls near
OF_WHISTLE = ("account", "meeting", "supervised")  # marks that all summonses of a whistle share


@dataclass(frozen=True)
class Rows:
    """All that the views hold of one whistle: its own row and one per summons while it is open, one when settled.

    ``tally`` is what is counted, None when nothing is; ``gone`` are departments that have no row any more, and
    ``was_settled`` says that it was reopened, so that what was kept of it goes.
    """

    version: int
    whistle: dict | None = None
    summonses: dict[str, dict] = field(default_factory=dict)
    tally: dict | None = None
    settled: dict | None = None
    gone: list[str] = field(default_factory=list)
    was_settled: bool = False


def is_open(whistle: Whistle) -> bool:
    """Say whether anything is still to be done about a whistle; what waits for approval is open, too."""
    return whistle.stage is not None and whistle.stage not in clocks.ENDED


def turn(due: datetime | None, *names: str) -> str:
    """Give a row's place in an inbox: what is due first comes first, what is due at no time comes last."""
    return "~".join([iso(due) if due else "", *names])


def shard_of(community: str, id: str) -> str:
    """Give the document in which a whistle is counted: its street's, one of several."""
    return f"{street_of(community)}/{crc32(id.encode()) % SHARDS}"


def street_of(community: str) -> str:
    return f"{community[:9]}000"


def shards(street: str) -> list[str]:
    return [f"{street}/{n}" for n in range(SHARDS)]


def rows_of(id: str, version: int, whistle: Whistle) -> Rows:
    """Give the rows that a whistle has as it is."""
    if not is_open(whistle):
        settled = settled_row(id, whistle) if whistle.stage == "settled" else None
        return Rows(version, settled=settled, gone=list(whistle.summonses), was_settled=whistle.reopened > 0)
    summonses = {department: summons_row(id, whistle, department) for department in whistle.active}
    gone = [department for department in whistle.summonses if department not in summonses]
    return Rows(
        version, whistle_row(id, whistle), summonses, tally_of(version, whistle, summonses), gone=gone,
        was_settled=whistle.reopened > 0,
    )  # fmt: skip


def what(id: str, whistle: Whistle) -> dict:
    """Give what all rows of a whistle say of it: nothing that changes."""
    return {
        "whistle": id, "kind": whistle.kind, "category": whistle.category, "community": whistle.community,
        "street": street_of(whistle.community), "blown_at": whistle.blown_at,
    }  # fmt: skip


def whistle_row(id: str, whistle: Whistle) -> dict:
    due = clocks.next_due(whistle)
    meeting = whistle.meeting and not whistle.meeting.get("concluded_at")
    said = {"account": whistle.account, "meeting": meeting, "supervised": whistle.supervised}
    marks = {name for name, holds in said.items() if holds}
    marks = marks.union(*(marks_of(each) for each in whistle.active.values()))
    lead = whistle.lead
    return what(id, whistle) | {
        "stage": whistle.stage, "due": due, "turn": turn(due, id), "number": whistle.number, "unit": whistle.unit,
        "echelon": whistle.echelon, "marks": sorted(marks), "department": lead,
        "person": whistle.summonses[lead]["person"] if lead else None,
        "words": whistle.words, "confidential": whistle.confidential, "people": sorted(whistle.people),
        "departments": sorted(whistle.summonses), "where": where(whistle), "lon": whistle.lon, "lat": whistle.lat,
        "wake": whistle.wake,
    }  # fmt: skip


def summons_row(id: str, whistle: Whistle, department: str) -> dict:
    summons, due = whistle.summonses[department], clocks.next_due(whistle, department)
    return what(id, whistle) | {
        "department": department, "person": summons["person"], "seat": summons["seat"], "role": summons["role"],
        "stage": summons["stage"], "due": due, "turn": turn(due, id, department), "marks": marks_of(summons),
    }  # fmt: skip


def marks_of(summons: Mapping) -> list[str]:
    return [name for name, holds in (("extension", summons["extension"]), ("return", summons["returned"])) if holds]


def settled_row(id: str, whistle: Whistle) -> dict:
    """Give what is kept of a settled whistle, so that the same at the same place is known to come again."""
    known = ("category", "unit", "lon", "lat", "settled_at")
    return {"whistle": id} | {name: getattr(whistle, name) for name in known} | {"where": where(whistle)}


# -- what is counted -------------------------------------------------------------------------------------------------


def key_of(person: str | None) -> str:
    """Give the name under which somebody's summonses are counted: a dot would mean something else to the database."""
    return (person or NOBODY).replace(".", "_")


def tally_of(version: int, whistle: Whistle, summonses: Mapping[str, Mapping]) -> dict:
    """Give what is counted of an open whistle; each summons with a digest, so that one sees which have changed."""
    digests = {
        department: hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()[:12]
        for department, row in summonses.items()
    }
    return {
        "version": version,
        "whistle": f"{whistle.stage}/{whistle.community}",
        "summonses": {
            department: f"{row['stage']}/{key_of(row['person'])}/{digests[department]}"
            for department, row in summonses.items()
        },
    }


def counts_of(tally: Mapping | None) -> Counter:
    """Give where a whistle counts: at ``whistles.<community>.<stage>`` and ``summonses.<department>.<who>.<stage>``."""
    if tally is None:
        return Counter()
    stage, community = tally["whistle"].split("/")
    found = Counter([f"whistles.{community}.{stage}"])
    for department, said in tally["summonses"].items():
        stage, person, _ = said.split("/")
        found[f"summonses.{department}.{person}.{stage}"] += 1
    return found


def moved(before: Mapping | None, after: Mapping | None) -> dict[str, int]:
    """Give what a count changes by when a whistle moves on."""
    change = counts_of(after)
    change.subtract(counts_of(before))
    return {path: n for path, n in change.items() if n}


def changed(before: Mapping, after: Mapping | None) -> list[str]:
    """Give the departments of which the row has changed or is new."""
    rows = after["summonses"] if after else {}
    return [department for department, said in rows.items() if before["summonses"].get(department) != said]


def summed(sums: Iterable[Mapping[str, int]]) -> dict:
    """Add counts by stage up; a stage where nothing is is left out."""
    total: Counter = Counter()
    for each in sums:
        total.update(each)
    stages = {stage: n for stage, n in sorted(total.items()) if n}
    return {"stages": stages, "total": sum(stages.values())}


def sums_in(row: Mapping) -> Counter:
    """Give the sums that a tally holds, by where they count; what is nought is left out."""
    found: Counter = Counter()
    for community, stages in row.get("whistles", {}).items():
        found.update({f"whistles.{community}.{stage}": n for stage, n in stages.items()})
    for department, people in row.get("summonses", {}).items():
        for person, stages in people.items():
            found.update({f"summonses.{department}.{person}.{stage}": n for stage, n in stages.items()})
    return Counter({path: n for path, n in found.items() if n})


def recounted(tallies: Iterable[Mapping]) -> Counter:
    """Count the rows of a tally anew."""
    return sum(map(counts_of, tallies), Counter())


def flat(key: str, rows: Rows) -> dict[str, dict]:
    """Give all rows of a whistle by ``<collection>/<key>``."""
    own = {"open_whistles": rows.whistle, "settled_whistles": rows.settled, "tallies": rows.tally}
    found = {f"{collection}/{key}": row for collection, row in own.items() if row}
    return found | {f"open_summonses/{key}/{department}": row for department, row in rows.summonses.items()}


# -- where ------------------------------------------------------------------------------------------------------------


def cell_of(lon: float, lat: float) -> str:
    return f"{floor(lon / CELL)},{floor(lat / CELL)}"


def cells_around(lon: float, lat: float, metres: float) -> list[str]:
    """Give the cells that a circle touches."""
    north = metres / METRES_PER_DEGREE
    east = north / cos(radians(min(abs(lat) + north, 89)))
    columns = range(floor((lon - east) / CELL), floor((lon + east) / CELL) + 1)
    rows = range(floor((lat - north) / CELL), floor((lat + north) / CELL) + 1)
    return [f"{column},{row}" for column in columns for row in rows]


def where(whistle: Whistle) -> list[str]:
    """Give the words by which a whistle is found at its place: its cell, its unit and its community."""
    cell = [cell_of(whistle.lon, whistle.lat)] if whistle.lon is not None else []
    return [*cell, *([whistle.unit] if whistle.unit else []), whistle.community]


def metres_between(a: Mapping, b: Mapping) -> float | None:
    """Give the metres between two things, None where one has no point."""
    if a.get("lon") is None or b.get("lon") is None:
        return None
    return distance({"lon": a["lon"], "lat": a["lat"]}, {"lon": b["lon"], "lat": b["lat"]})


def is_at(thing: Mapping, place: Mapping, metres: float) -> bool:
    """Say whether a thing is at the same place: within so many metres, or at the very same unit of a community."""
    away = metres_between(thing, place)
    return (away is not None and away <= metres) or (bool(place["unit"]) and thing["unit"] == place["unit"])


def around(rules: Mapping) -> int:
    """Give how far around somebody is shown what is near, in metres."""
    return min(NEAR_TIMES * rules["recurs_metres"], FURTHEST)


def must_be_a_point(place: Mapping) -> None:
    if (place["lon"] is None) != (place["lat"] is None):
        raise Invalid("经纬度须同时填写 / Longitude and latitude, both or neither", {"lon": ["请填写 / required"]})


def places_of(place: Mapping, metres: float) -> list[str]:
    """Give the words by which what is at a place is found."""
    near = cells_around(place["lon"], place["lat"], metres) if place.get("lon") is not None else []
    return near + ([place["unit"]] if place["unit"] else [])


def recurrence_of(whistle: Whistle, settled: Iterable[Mapping], rules: Mapping) -> str | None:
    """Give the newest of what was settled at the same place in the district's days before a whistle was blown."""
    until, since = whistle.blown_at, whistle.blown_at - timedelta(days=rules["recurs_days"])
    fit = [
        row
        for row in settled
        if since <= row["settled_at"] <= until and is_at(row, vars(whistle), rules["recurs_metres"])
    ]
    return max(fit, key=lambda row: (row["settled_at"], row["whistle"]))["whistle"] if fit else None


def near(rows: Iterable[Mapping], place: Mapping, metres: float) -> list[dict]:
    """Give what is open at a place, the nearest first, then the newest; without point and unit all of a community."""
    is_said = place["unit"] or place["lon"] is not None
    found = [
        {**row, "distance": round(away) if (away := metres_between(row, place)) is not None else None}
        for row in rows
        if not is_said or is_at(row, place, metres)
    ]
    newest = sorted(found, key=lambda row: row["blown_at"], reverse=True)
    return sorted(newest, key=lambda row: (row["distance"] is None, row["distance"] or 0))


def number_of(street: str, year: int, n: int) -> str:
    """Write a number as an office writes it: the street, the year, and which of the year it is."""
    return f"{street}〔{year}〕{n:04}号"


# -- who may look at what ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """Whose open work is asked for: summonses of a person or a department, or whistles of a unit; one of them."""

    person: str = ""
    department: str = ""
    community: str = ""
    street: str = ""
    district: str = ""


def is_above_all(caller: Caller) -> bool:
    """Say whether somebody sees the whole district: who runs or observes it."""
    return not caller.department and not {"district", "observer", "city_observer"}.isdisjoint(caller.roles)


def look_at(caller: Caller, scope: str, unit: str | None, department: str | None, becomes: Iterable[str]) -> Look:
    """A specialist sees their own and their department's, a community's people their unit, a street's their street.

    ``becomes`` are the asked unit and what it has become by mergers.
    """
    if scope != "department" and department:
        raise Invalid(
            "只有按部门查看时才写部门 / A department only with the scope `department`", {"department": [scope]}
        )
    if scope in ("mine", "department") and unit:
        raise Invalid("按本人或部门查看时不写单位 / No unit with the scopes `mine` and `department`", {"unit": [scope]})
    if scope == "mine":
        return Look(person=caller.actor, department=caller.department or COMMUNITY)
    if scope == "department":
        asked = department or caller.department
        if not asked:
            raise Invalid("请写明部门 / Which department?", {"department": ["请填写 / required"]})
        if asked != caller.department and not is_above_all(caller):
            raise Forbidden("只能查看本部门 / One's own department only")
        return Look(department=asked)
    if caller.department:
        raise Forbidden("部门人员查看本人和本部门的 / A department's people see their own and their department's")
    if scope == "district":
        if unit not in (None, caller.district):
            raise Invalid("这不是本区 / That is not this district", {"unit": [unit]})
        if not is_above_all(caller):
            raise Forbidden("只能查看本辖区 / The unit that you act for only")
        return Look(district=caller.district)
    return within_reach(caller, scope, unit or caller.unit, becomes)


def within_reach(caller: Caller, scope: str, unit: str, becomes: Iterable[str]) -> Look:
    """A community or a street that the caller acts for, or commands from above."""
    unit = unit.partition(".")[0]
    is_street = unit.endswith("000")
    if not DIVISION.fullmatch(unit) or is_street != (scope == "street"):
        said = {"street": ("街道", "street"), "community": ("社区", "community")}[scope]
        raise Invalid(f"请写明{said[0]}代码 / The code of a {said[1]}, please", {"unit": [unit or "请填写 / required"]})
    reached = unit == caller.unit if is_street else is_in_unit(caller, unit, *becomes)
    if not reached and not (is_above_all(caller) and unit.startswith(caller.district)):
        raise Forbidden("只能查看本辖区 / The unit that you act for only")
    return Look(street=unit) if is_street else Look(community=unit)
