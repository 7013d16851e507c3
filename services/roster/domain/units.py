"""What may be said of a unit of the tree: where it hangs, what it is called, since when and until when."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.roster.domain.periods import covers, day_before, ends, holds
from services.roster.domain.scope import must_reach, remembered
from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.roster import (
    LEVELS,
    plan_dropped,
    restructuring_planned,
    unit_changed,
    unit_founded,
    unit_settings_changed,
    unit_split,
    units_merged,
)
from shared.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from shared.rules.days import day_of

# On what each level hangs; a building may stand in a community without a compound around it.
ABOVE = {
    "street": ("district",),
    "community": ("street",),
    "compound": ("community",),
    "building": ("compound", "community"),
    "entrance": ("building",),
}
SAID = dict(zip(LEVELS, ("区", "街道", "社区", "小区", "楼", "单元"), strict=True))
KINDS = {
    "street": ("街道", "镇", "乡", "地区"),
    "community": ("社区", "村"),
    "compound": ("小区",),
    "building": ("楼",),
    "entrance": ("单元",),
}
IS = ("code", "level", "type", "name", "aliases", "parent", "since", "until", "into", "split_from", "pilot")


@dataclass(frozen=True)
class Unit:
    """What a district founded or changed; ``unit`` is empty while it is as it ships.

    ``absorbed`` are the communities that were merged into it; ``due`` is the day of the first of its ``plans``.
    """

    unit: dict = field(default_factory=dict)
    founded: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    pilot_settings: dict = field(default_factory=dict)
    absorbed: list[str] = field(default_factory=list)
    plans: dict[str, dict] = field(default_factory=dict)
    due: str | None = None
    changes: dict[str, dict] = field(default_factory=dict)


def order_of(data: dict) -> dict:
    """Give what a fact says beside the whole unit: for a change, what has become of it."""
    return {name: value for name, value in data.items() if name != "change"}


def with_plans(before: Unit, plans: dict[str, dict], **fresh) -> Unit:
    """Give a unit with other plans, and the day when the first of them is due."""
    due = min((plan["since"] for plan in plans.values()), default=None)
    return replace(before, plans=plans, due=due, **fresh)


def without_plan(before: Unit, plan: str, **fresh) -> Unit:
    return with_plans(before, {id: each for id, each in before.plans.items() if id != plan}, **fresh)


def on_units_merged(unit: Unit, data: dict) -> Unit:
    absorbed = [*unit.absorbed, *data["communities"]]
    return without_plan(unit, data["change"], unit=data["unit"], absorbed=absorbed)


CHANGES = {
    "unit_founded": lambda unit, data: replace(unit, unit=data["unit"], founded=data["unit"]),
    "unit_changed": lambda unit, data: replace(unit, unit=data["unit"]),
    "units_merged": on_units_merged,
    "unit_split": lambda unit, data: without_plan(unit, data["change"]),
    "restructuring_planned": lambda unit, data: with_plans(unit, unit.plans | {data["change"]: order_of(data)}),
    "plan_dropped": lambda unit, data: without_plan(unit, data["plan"]),
    "unit_settings_changed": lambda unit, data: replace(
        unit, settings=data["settings"], pilot_settings=data["pilot_settings"]
    ),
}


def evolve(unit: Unit, fact: str, data: dict, at: datetime, actor: str) -> Unit:
    """Give the unit as one more fact made it."""
    after = CHANGES[fact](unit, data)
    if "change" not in data:
        return after
    return replace(after, changes=remembered(after.changes, data["change"], order_of(data)))


def type_of(code: str, level: str, name: str) -> str:
    """Give the type of a shipped unit, which its official name ends with."""
    if level == "district":
        return "区"
    if level == "street":
        return next((each for each in ("街道", "地区", "镇", "乡") if name.endswith(each)), "街道")
    return "村" if name.endswith(("村", "村委会", "村民委员会")) else "社区"


def as_it_is(unit: Unit, row: dict) -> dict:
    """Give the whole unit: as its own record says, or as it ships."""
    return unit.unit or {name: row[name] for name in IS}


def must_be_open(row: dict, day: str) -> None:
    """Nothing begins on a unit that is not there on that day."""
    if not covers(row, day):
        raise Conflict(f"{row['name']}在 {day} 不存在或已撤销 / {row['code']} is not open on {day}")


def may_change(caller: Caller, level: str, path: list[str], code: str) -> None:
    """Streets and communities are the district's to found and change, places below their community's."""
    if level == "district":
        raise Forbidden("区本身不能在这里改 / The district itself is not changed here")
    if level in ("street", "community"):
        caller.must("unit.change")
    must_reach(caller, path, code)


def must_hang(level: str, above: dict, code: str) -> None:
    """Each level hangs on the one above, never on itself or on what hangs on it."""
    if code == above["code"] or code in above["path"]:
        raise Conflict("不能挂在自己或自己的下级 / A unit cannot hang on itself or on what is below it")
    if above["level"] not in ABOVE[level]:
        wanted = "、".join(SAID[each] for each in ABOVE[level])
        raise Invalid(
            f"{SAID[level]}须挂在{wanted}下 / A {level} hangs on a {' or '.join(ABOVE[level])}",
            {"parent": [f"这是{SAID[above['level']]} / This is a {above['level']}"]},
        )


def must_begin_with(level: str, code: str, parent: str) -> None:
    """A code goes on from the one above: three digits more down to the community, a segment more below."""
    if level in ("street", "community"):
        start = parent[: 6 if level == "street" else 9]
        rest = code[len(start) :]
        good = len(code) == 12 and code.startswith(start) and (rest[3:] == "000" if level == "street" else True)
        good = good and rest[:3] != "000"
    else:
        start = f"{parent}."
        good = code.startswith(start) and "." not in code[len(start) :]
    if not good:
        raise Invalid(
            f"代码须以上级代码开头({start}…) / The code must begin with the parent's ({start}…)",
            {"code": [f"{start}…"]},
        )


def found(
    unit: Unit, *, caller: Caller, now: datetime, above: dict | None, taken: dict | None, code: str, parent: str,
    level: str, type: str, name: str, aliases: list[str], since: date,
) -> Iterator[Happened]:  # fmt: skip
    """A unit comes to be on an open unit of the level above, under a code that nobody had."""
    if above is None:
        raise NotFound(f"没有这个上级({parent}) / No such unit to hang on ({parent})")
    may_change(caller, level, above["path"], above["code"])
    fresh = {
        "code": code, "level": level, "type": type, "name": name, "aliases": aliases, "parent": parent,
        "since": str(since), "until": None, "into": None, "split_from": None, "pilot": "",
    }  # fmt: skip
    if unit.founded == fresh:
        return
    if taken or unit.unit:
        raise Conflict(f"代码已被使用({code}),撤销的也不再用 / This code is taken ({code}), be its unit closed or not")
    must_hang(level, above, code)
    must_begin_with(level, code, parent)
    if type not in KINDS[level]:
        raise Invalid(f"{SAID[level]}的类型应为 {'、'.join(KINDS[level])} / Not a type of a {level}", {"type": [type]})
    if not holds(above, {"since": str(since)}):
        must_be_open(above, str(since))
        raise Conflict(f"上级 {above['name']} 将撤销 / {parent} is about to close")
    yield unit_founded(unit=fresh)


def changed(unit: Unit, row: dict, change: str, **fresh) -> Iterator[Happened]:
    """A unit is something else from now on; the same change again is nothing new."""
    whole = as_it_is(unit, row)
    if change in unit.changes:
        known = unit.changes[change].get("unit", {})
        if any(known.get(name) != value for name, value in fresh.items()):
            raise Conflict("编号已被使用,内容不同 / This id is already another change's")
        return
    yield unit_changed(change=change, unit=whole | fresh)


def change_unit(
    unit: Unit, *, caller: Caller, now: datetime, row: dict, above: dict | None, change: str,
    name: str | None, aliases: list[str] | None, parent: str | None,
) -> Iterator[Happened]:  # fmt: skip
    """A unit gets another name, or hangs elsewhere with all that is below it."""
    may_change(caller, row["level"], row["path"], row["code"])
    fresh = {"name": name, "aliases": aliases, "parent": parent}
    fresh = {key: value for key, value in fresh.items() if value is not None}
    if change not in unit.changes:
        must_be_open(as_it_is(unit, row), str(day_of(now)))
        if parent and above is None:
            raise NotFound(f"没有这个上级({parent}) / No such unit to hang on ({parent})")
        if parent:
            must_hang(row["level"], above, row["code"])
            must_reach(caller, above["path"], above["code"])
            must_be_open(above, str(day_of(now)))
            if row["level"] in ("street", "community"):
                must_begin_with(row["level"], row["code"], parent)
    yield from changed(unit, row, change, **fresh)


def mark(unit: Unit, *, caller: Caller, now: datetime, row: dict, change: str, pilot: str) -> Iterator[Happened]:
    """A unit is a pilot of something, or no longer."""
    must_reach(caller, row["path"], row["code"])
    if row["level"] == "district":
        raise Conflict("整个区不是试点 / A whole district is no pilot")
    yield from changed(unit, row, change, pilot=pilot.strip())


def close(
    unit: Unit, *, caller: Caller, now: datetime, row: dict, hanging: list[str], change: str, until: date
) -> Iterator[Happened]:
    """A unit ends when nothing hangs on it any more; ``hanging`` is what would still be open after that day."""
    may_change(caller, row["level"], row["path"], row["code"])
    if change not in unit.changes:
        whole = as_it_is(unit, row)
        if str(until) < ends(whole)[0]:
            raise Invalid("最后一天早于设立 / It would end before it began", {"until": [f"≥ {whole['since']}"]})
        if str(until) > ends(whole)[1]:
            raise Conflict(f"已于 {whole['until']} 撤销 / It closed on {whole['until']}")
        if hanging:
            some = "、".join(hanging[:5])
            raise Conflict(f"还有挂在上面的:{some} / Something still hangs on it: {some}")
    yield from changed(unit, row, change, until=str(until))


def must_be_a_community(row: dict) -> None:
    if row["level"] != "community":
        raise Invalid(f"{row['name']}不是社区 / {row['code']} is no community", {"code": [row["level"]]})


def was_ordered(unit: Unit, change: str, **said) -> bool:
    """Say whether a restructuring was ordered already, be it planned or carried out; another one is refused."""
    known = unit.changes.get(change)
    if known and any(known.get(name) != value for name, value in said.items()):
        raise Conflict("编号已被使用,内容不同 / This id is already another change's")
    return known is not None


def merge(
    unit: Unit, *, caller: Caller, now: datetime, row: dict, others: list[dict], gone: set[str], change: str,
    since: date, name: str | None,
) -> Iterator[Happened]:  # fmt: skip
    """Communities of one street become one of them, on a day that has come; until then it is a plan."""
    must_reach(caller, row["path"], row["code"])
    communities = [each["code"] for each in others]
    if was_ordered(unit, change, communities=communities, since=str(since)):
        return
    happened = list(merging(unit, row=row, others=others, gone=gone, change=change, since=str(since), name=name))
    if since > day_of(now):
        said = {"unit": row["code"], "kind": "merger", "since": str(since), "name": name}
        happened = [restructuring_planned(change=change, communities=communities, new=None, places=[], **said)]
    yield from happened


def merging(
    unit: Unit, *, row: dict, others: list[dict], gone: set[str], change: str, since: str, name: str | None
) -> Iterator[Happened]:
    """One fact says that communities became one, the rest follows; ``gone`` are those that went into another before."""
    codes = [each["code"] for each in others]
    for each in (row, *others):
        must_be_a_community(each)
        must_stand(each, gone)
        must_be_open(each, since)
        must_be_open(each, day_before(since))
        if each["parent"] != row["parent"]:
            raise Conflict(f"{each['name']}不在同一街道 / {each['code']} is of another street")
    if row["code"] in codes:
        raise Invalid("不能并入自己 / A community cannot be merged into itself", {"communities": [row["code"]]})
    whole = as_it_is(unit, row) | ({"name": name} if name else {})
    yield units_merged(change=change, unit=whole, into=row["code"], communities=codes, since=since)


def must_stand(row: dict, gone: set[str]) -> None:
    """A community goes into another once, also where the tree has not followed yet."""
    if row["code"] in gone:
        raise Conflict(f"{row['name']}已并入别的社区 / {row['code']} has become part of another community")


def merged(unit: Unit, *, caller: Caller, now: datetime, row: dict, change: str, into: str, since: str):
    """A merged community has its last day, and tells what it became part of."""
    yield from changed(unit, row, change, until=day_before(since), into=into)


def rehung(unit: Unit, *, caller: Caller, now: datetime, row: dict, change: str, parent: str) -> Iterator[Happened]:
    """What hung on a community that was merged or split goes along."""
    yield from changed(unit, row, change, parent=parent)


def split(
    unit: Unit, *, caller: Caller, now: datetime, row: dict, above: dict, taken: dict | None, places: list[dict],
    gone: set[str], change: str, new: str, name: str, since: date,
) -> Iterator[Happened]:  # fmt: skip
    """Part of a community becomes a new one, with the places named, on a day that has come; until then it is a plan."""
    must_reach(caller, row["path"], row["code"])
    going = [each["code"] for each in topmost(places)]
    if was_ordered(unit, change, new=new, name=name, places=going, since=str(since)):
        return
    order = {"row": row, "above": above, "taken": taken, "places": places, "gone": gone}
    happened = list(splitting(unit, change=change, new=new, name=name, since=str(since), **order))
    if since > day_of(now):
        said = {"unit": row["code"], "kind": "split", "since": str(since), "name": name, "new": new}
        happened = [restructuring_planned(change=change, communities=[], places=going, **said)]
    yield from happened


def topmost(places: list[dict]) -> list[dict]:
    """What stands in a compound that goes along goes with it."""
    named = {each["code"] for each in places}
    return [each for each in places if not named & set(each["path"])]


def splitting(
    unit: Unit, *, row: dict, above: dict, taken: dict | None, places: list[dict], gone: set[str], change: str,
    new: str, name: str, since: str,
) -> Iterator[Happened]:  # fmt: skip
    """One fact says that a community is split, the rest follows from it."""
    must_be_a_community(row)
    must_stand(row, gone)
    must_be_open(as_it_is(unit, row), since)
    if taken:
        raise Conflict(f"代码已被使用({new}) / This code is taken ({new})")
    must_begin_with("community", new, above["code"])
    for each in places:
        must_be_open(each, since)
        if row["code"] not in each["path"]:
            raise Conflict(f"{each['name']}不在这个社区 / {each['code']} does not hang on this community")
        if each["level"] not in ("compound", "building"):
            raise Invalid("只有小区和楼可以划走 / Only compounds and buildings go along", {"places": [each["code"]]})
    yield unit_split(change=change, new=new, name=name, places=[each["code"] for each in topmost(places)], since=since)


def carried_out(
    unit: Unit, *, caller: Caller, now: datetime, plan: str, row: dict, above: dict, rows: dict[str, dict],
    gone: set[str],
) -> Iterator[Happened]:  # fmt: skip
    """A plan is carried out on its day; where it no longer can be, it is dropped, and the reason is told."""
    order = unit.plans.get(plan)
    if order is None or order["since"] > str(day_of(now)):
        return
    said = {"row": row, "gone": gone, "change": plan, "since": order["since"], "name": order["name"]}
    try:
        if missing := [code for code in (*order["communities"], *order["places"]) if code not in rows]:
            raise NotFound(f"没有 {'、'.join(missing)} / There is no {', '.join(missing)}")
        if order["kind"] == "merger":
            happened = list(merging(unit, others=[rows[code] for code in order["communities"]], **said))
        else:
            places = [rows[code] for code in order["places"]]
            said |= {"new": order["new"], "taken": rows.get(order["new"]), "above": above}
            happened = list(splitting(unit, places=places, **said))
    except Refusal as refusal:
        happened = [plan_dropped(change=plan, plan=plan, why=refusal.detail)]
    yield from happened


def drop_plan(unit: Unit, *, caller: Caller, now: datetime, row: dict, change: str, plan: str) -> Iterator[Happened]:
    """What is only planned may be given up."""
    must_reach(caller, row["path"], row["code"])
    if was_ordered(unit, change, plan=plan):
        return
    if plan not in unit.plans:
        raise NotFound(f"没有这个计划,或已执行({plan}) / No such plan, or it was carried out ({plan})")
    yield plan_dropped(change=change, plan=plan, why="")


def split_off(
    unit: Unit, *, caller: Caller, now: datetime, row: dict, new: str, name: str, since: str
) -> Iterator[Happened]:
    """The new community of a split, in the same street and of the same type."""
    if unit.founded:
        return
    yield unit_founded(
        unit={
            "code": new, "level": "community", "type": row["type"], "name": name, "aliases": [],
            "parent": row["parent"], "since": since, "until": None, "into": None, "split_from": row["code"],
            "pilot": row["pilot"],
        }
    )  # fmt: skip


def set_settings(
    unit: Unit, *, caller: Caller, now: datetime, row: dict, known: set[str], change: str, settings: dict,
    inherit: list[str], pilot: bool,
) -> Iterator[Happened]:  # fmt: skip
    """What is named is set for the unit, or for the pilots of it; what is to be inherited is set no longer."""
    must_reach(caller, row["path"], row["code"])
    kind = "pilot_settings" if pilot else "settings"
    before = {"settings": unit.settings, "pilot_settings": unit.pilot_settings}
    if change in unit.changes:
        if not settings.items() <= unit.changes[change].get(kind, {}).items():
            raise Conflict("编号已被使用,内容不同 / This id is already another change's")
        return
    must_know_departments(settings, known)
    fresh = {name: value for name, value in (before[kind] | settings).items() if name not in inherit}
    yield unit_settings_changed(change=change, unit=row["code"], **before | {kind: fresh})


def must_know_departments(settings: dict, known: set[str]) -> None:
    """Settings name departments that the district has."""
    for name in ("departments", "must_have"):
        if strange := [each for each in settings.get(name) or () if each not in known]:
            raise Invalid(
                f"本区没有这些部门:{'、'.join(strange)} / No such departments here: {', '.join(strange)}",
                {f"settings.{name}": strange},
            )


def inherited(city: dict, way: list[dict]) -> list[dict]:
    """Give each setting as it stands at the last unit of a way down the tree, with its origin.

    The nearest unit that sets a value wins. At a unit with a pilot mark, what those above set for their pilots comes
    before whatever it would inherit otherwise, and after what it sets itself.
    """
    found, pilots = {name: (value, "city", "北京市") for name, value in city.items()}, {}
    for each in way:
        if each["pilot"]:
            found |= pilots
        found |= {name: (value, each["code"], each["name"]) for name, value in each.get("settings", {}).items()}
        origin, called = f"pilot of {each['code']}", f"{each['name']}试点"
        pilots |= {name: (value, origin, called) for name, value in each.get("pilot_settings", {}).items()}
    return [
        {"name": name, "value": value, "origin": origin, "origin_name": called}
        for name, (value, origin, called) in found.items()
    ]
