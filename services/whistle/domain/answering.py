"""Who answers for what, where, on which day: the dispatch catalogue's rules, the seats, and who is away."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from shared.contracts.roster import COMMUNITY, HEAD, MAY_HOLD, SPECIALISTS, STEWARD
from shared.errors import Invalid, NotFound
from shared.rules.days import BEIJING

CLASS, SUB_CLASS = 2, 4  # figures of a class and of a sub class


# -- the tree, as far as it is known here -----------------------------------------------------------------------------


def plain(code: str | None) -> str | None:
    """Give a district by its six figures, however it was written."""
    return code[:6] if code and len(code) == 12 and code.endswith("000000") else code


def above(code: str) -> str | None:
    """Give the unit that a code itself names as the one above it."""
    if "." in code:
        return code.rpartition(".")[0]
    if len(code) == 6:
        return None
    return code[:6] if code.endswith("000") else f"{code[:9]}000"


def by_code(code: str) -> list[str]:
    """Give a unit and all above it, as codes have it: where nothing was moved or merged, that is the path."""
    found: list[str] = []
    here: str | None = code
    while here:
        found.append(here)
        here = above(here)
    return found


def merged_into(unit: dict | None, day: date) -> str | None:
    """Give what a unit was merged into by a day: as the merger says, else as the unit's own end does."""
    unit, at = unit or {}, day.isoformat()
    if merged := unit.get("merged"):
        return merged["into"] if merged["since"] <= at else None
    return unit.get("into") if (unit.get("until") or "") < at else None


def next_above(code: str, units: Mapping[str, dict], day: date) -> str | None:
    """Give what a unit hangs on at a day: what it was merged into, else its parent, or what that was split into."""
    unit = units.get(code) or {}
    if into := merged_into(unit, day):
        return into
    parent = plain(unit.get("parent")) or above(code)
    return (unit.get("moved") or {}).get(parent, parent)


def path_of(code: str, units: Mapping[str, dict], day: date) -> list[str]:
    """Give a unit and all above it at a day, the most specific first; a merged community leads to its successor."""
    found: list[str] = []
    here: str | None = code
    while here and here not in found:
        found.append(here)
        here = next_above(here, units, day)
    return found


def mentioned(units: Mapping[str, dict], codes: Iterable[str]) -> list[str]:
    """Give the communities that are said to have become part of any of these, be it on another day."""
    return sorted(code for each in codes for code in (units.get(each) or {}).get("absorbed", ()))


def with_absorbed(path: list[str], units: Mapping[str, dict], day: date) -> list[str]:
    """Give a path in which each community is followed by those that were merged into it, and into them."""
    found: list[str] = []
    waiting = list(path)
    while waiting:
        here = waiting.pop(0)
        if here not in found:
            found.append(here)
            merged = [each for each in mentioned(units, [here]) if merged_into(units.get(each), day) == here]
            waiting = [each for each in merged if each not in path] + waiting
    return found


def successors(code: str, units: Mapping[str, dict], day: date) -> list[str]:
    """Give a community and what it was merged into by a day, and that into, and so on."""
    found = [code]
    while (into := merged_into(units.get(found[-1]), day)) and into not in found:
        found.append(into)
    return found


def settings_at(district: dict, path: list[str], units: Mapping[str, dict], settings: Mapping[str, dict]) -> dict:
    """Settings are inherited from above; what is set for pilots holds where a mark lies on the way down."""
    found = district
    for depth, code in reversed(list(enumerate(path))):
        row = settings.get(code) or {}
        is_pilot = any((units.get(below) or {}).get("pilot") for below in path[: depth + 1])
        found = found | row.get("settings", {}) | (row.get("pilot_settings", {}) if is_pilot else {})
    return found


# -- which rule --------------------------------------------------------------------------------------------------------


def widths(category: str) -> list[str]:
    """Give a category and all that contain it, the narrowest first: extension, sub class, class, all."""
    narrow = [category] if len(category) > SUB_CLASS else []
    return [*narrow, category[:SUB_CLASS], category[:CLASS], "*"]


def resolve(category: str, path: list[str], rules: Mapping[str, dict]) -> dict:
    """The most specific category decides first, then the most specific place: ``{rule, rule_version, why, …}``."""
    for wide in widths(category):
        for unit in path:
            rule = rules.get(f"{wide}@{unit}")
            if rule and not rule.get("removed"):
                return {
                    "rule": f"{wide}@{unit}", "rule_version": rule["version"], "why": why(category, wide, unit, path),
                    "lead": rule["lead"], "assists": list(rule["assists"]),
                    "community_first": rule["community_first"], "never_community": rule["never_community"],
                }  # fmt: skip
    raise NotFound(
        f"派单目录没有 {category} 在 {path[0]} 的规则 / The catalogue has no rule for {category} at {path[0]}"
    )


def why(category: str, wide: str, unit: str, path: list[str]) -> str:
    """Say in words why this rule and no other."""
    what = (
        ("该类别", "this category") if wide == category
        else ("全部类别", "all categories") if wide == "*"
        else (f"{wide} 一类", f"class {wide}")
    )  # fmt: skip
    where = ("本单位", "this unit") if unit == path[0] else (f"上级 {unit}", f"{unit} above it")
    return f"按{where[0]}对{what[0]}的规则 / by the rule of {where[1]} for {what[1]}"


# -- who --------------------------------------------------------------------------------------------------------------


def in_order(heard: Mapping[str, dict]) -> list[dict]:
    """Give what was heard of one record in the order of its history, however it came: ``{n3: {…}}``."""
    return [heard[key] for key in sorted(heard, key=lambda key: int(key[1:]))]


def terms_of(heard: Mapping[str, dict]) -> list[dict]:
    """Give the terms of a seat, as its facts made them."""
    steps = in_order(heard)
    ends = {step["term"]: step["until"] for step in steps if step["fact"] == "term_ended"}
    return [
        {**step, "until": ends.get(step["term"], step.get("until"))} for step in steps if step["fact"] == "appointed"
    ]


def leaves_of(heard: Mapping[str, dict]) -> list[dict]:
    """Give the leaves of a person; ``back`` is the first day back where they came earlier."""
    steps = in_order(heard)
    backs = {step["absence"]: step["back"] for step in steps if step["fact"] == "leave_ended"}
    return [{**step, "back": backs.get(step["absence"])} for step in steps if step["fact"] == "leave_taken"]


def absences_of(told: Mapping[str, dict]) -> list[dict]:
    """Give when somebody answers for some posts only (``posts``), or for none, by what identity told of them."""
    steps, posts, is_out, is_gone, found = in_order(told), None, False, False, []
    for step, after in pairwise([*steps, None]):
        if step["fact"] in ("admitted", "moved"):
            posts = posts_of(step)
        elif step["fact"] == "dismissed":
            is_gone = True
        else:
            is_out = step["fact"] == "suspended"
        until = str(date.fromisoformat(after["on"]) - timedelta(days=1)) if after else "9999-12-31"
        whole = {"absence": "", "since": step["on"], "until": until, "substitute": None, "back": None}
        if is_gone or is_out:
            found.append(whole | {"posts": []})
        elif posts is not None:
            found.append(whole | {"posts": posts})
    return found


def posts_of(who: dict) -> list[str]:
    """Give the posts that somebody may answer for: their department's, the station's head's, a building's steward's."""
    is_special = who["department"] and not SPECIALISTS.isdisjoint(who["roles"])
    at_home = [post for post, roles in MAY_HOLD.items() if not roles.isdisjoint(who["roles"])]
    return [who["department"]] * bool(is_special) + at_home


def term_on(terms: Iterable[dict], day: date) -> dict | None:
    """Give the term that runs on a day, both ends included; of several the one that began last."""
    at = day.isoformat()
    running = [term for term in terms if term["since"] <= at and at <= (term.get("until") or at)]
    return max(running, key=lambda term: (term["since"], term["term"]), default=None)


def away_on(leaves: Iterable[dict], day: date, post: str = "") -> list[dict]:
    """Give the leaves that a person is on at a day, the one that began last first; for a post, whatever keeps them."""
    at = day.isoformat()
    running = [
        each
        for each in leaves
        if each["since"] <= at <= each["until"] and (not each["back"] or at < each["back"])
        if "posts" not in each or (post and post not in each["posts"])
    ]
    return sorted(running, key=lambda each: (each["since"], each["absence"]), reverse=True)


def is_barred(leaves: Iterable[dict], day: date, post: str) -> bool:
    """Say whether somebody may not hold a post at a day: dismissed, suspended, or moved elsewhere."""
    return any("posts" in each for each in away_on(leaves, day, post))


def who_answers(terms: Iterable[dict], leaves: Mapping[str, list[dict]], day: date, post: str = "") -> dict:
    """The holder answers unless away, then the leave's substitute, else the term's, each unless away; else nobody."""
    term = term_on(terms, day)
    if term is None:
        return {"person": None, "instead_of": None, "why": "此岗当日无人 / nobody holds this seat on that day"}
    holder = term["person"]
    gone = away_on(leaves.get(holder, ()), day, post)
    if not gone:
        return {"person": holder, "instead_of": None, "why": "在岗 / holds the seat"}
    for who, whose in [*((each.get("substitute"), "leave") for each in gone), (term.get("substitute"), "term")]:
        if who and not away_on(leaves.get(who, ()), day, post):
            said = "不在岗,由假期代班人代 / away; the leave's substitute answers"
            if whose == "term":
                said = "不在岗,由岗位代班人代 / away; the seat's substitute answers"
            return {"person": who, "instead_of": holder, "why": said}
    said = "请假,无人代班 / away, and nobody in their stead"
    if all("posts" in each for each in gone):
        said = "已停用、暂停或调离,无人代班 / dismissed, suspended or moved, and nobody in their stead"
    return {"person": None, "instead_of": holder, "why": said}


def posts_for(department: str) -> tuple[str, ...]:
    """Give the posts that answer for a department: at home the building's steward, then the head of the station."""
    return (STEWARD, HEAD) if department == COMMUNITY else (department,)


def seats_for(department: str, path: Iterable[str]) -> list[str]:
    """Give the seats that may answer for a department along a path."""
    path = list(path)
    return [f"{post}@{unit}" for post in posts_for(department) for unit in path]


def over_at(until: str) -> datetime:
    """Give the moment at which a term is over: when the day after its last begins in Beijing."""
    return datetime.combine(date.fromisoformat(until) + timedelta(days=1), time(), BEIJING)


def people_in(terms: Iterable[dict]) -> set[str]:
    """Give everybody who holds a seat or stands in for it."""
    return {each for term in terms for each in (term["person"], term.get("substitute")) if each}


def substitutes(leaves: Iterable[dict]) -> set[str]:
    return {each["substitute"] for each in leaves if each.get("substitute")}


def answer_for(
    department: str, path: Iterable[str], seats: Mapping[str, list[dict]], leaves: Mapping[str, list[dict]], day: date
) -> dict:
    """The nearest seat of a department with somebody to answer; where there is none, the nearest that is held."""
    nearest = None
    for seat in seats_for(department, path):
        if seat not in seats:
            continue
        found = {"department": department, "seat": seat}
        found |= who_answers(seats[seat], leaves, day, seat.partition("@")[0])
        if found["person"]:
            return found
        if nearest is None and found["instead_of"]:
            nearest = found
    nobody = {"person": None, "instead_of": None, "seat": None, "why": "没有任何人在岗 / nobody holds a seat for it"}
    return nearest or {"department": department} | nobody


def must_stand(code: str, successors: list[str]) -> None:
    """A community that was merged is not called for any more; its successor is."""
    if len(successors) > 1:
        into = successors[-1]
        raise Invalid(f"{code} 已并入 {into} / {code} has become part of {into}", {"community": [into]})


# -- what is refused ---------------------------------------------------------------------------------------------------


def must_be_known(kind: str, code: str, known: bool) -> None:
    """What the catalogue or the tree does not have is named in plain words."""
    if not known:
        said = {
            "category": "没有这个类别 / No such category",
            "unit": "本区没有这个单位 / No such unit in this district",
        }
        raise Invalid(f"{said[kind]}({code})", {kind: [code]})
