"""What may be said in the dispatch catalogue (派单目录): a district's own categories, and who handles what where."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.roster import COMMUNITY, category_set, rule_removed, rule_set
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from shared.rules.codes import is_within

REMEMBERED = 50  # changes of one record that are found again by their id


@dataclass(frozen=True)
class Category:
    """A category of a district's own."""

    code: str = ""
    name: str = ""
    retired: bool = False
    changes: dict[str, dict] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """Who handles a category at a place; ``removed`` where that is said no longer.

    ``catalogue`` is the version of the whole catalogue in which it came to be so: each change of a rule makes the next.
    """

    category: str = ""
    unit: str = ""
    lead: str = ""
    assists: list[str] = field(default_factory=list)
    community_first: bool = False
    never_community: bool = False
    removed: bool = False
    catalogue: int = 0
    changes: dict[str, dict] = field(default_factory=dict)


def changed(record: Category | Rule, fact: str, data: dict) -> Category | Rule:
    """Give a category or a rule as one more fact made it, which says all that it is from then on."""
    said = {name: value for name, value in data.items() if name not in ("change", "catalogue")}
    before = dict(list(record.changes.items())[1 - REMEMBERED :])
    changes = before | {data["change"]: said | {"fact": fact}}
    return replace(record, **said, changes=changes)


def evolve_category(category: Category, fact: str, data: dict, at: datetime, actor: str) -> Category:
    return changed(category, fact, data)


def evolve_rule(rule: Rule, fact: str, data: dict, at: datetime, actor: str) -> Rule:
    return replace(changed(rule, fact, data), removed=fact == "rule_removed", catalogue=data.get("catalogue", 0))


def as_of(history: Iterable[dict], catalogue: int) -> tuple[int, Rule]:
    """Give a rule as it was in a version of the catalogue, with its own version then."""
    version, rule = 0, Rule()
    for entry in history:
        if entry["data"].get("catalogue", 0) <= catalogue:
            version, rule = entry["n"], evolve_rule(rule, entry["fact"], entry["data"], entry["at"], entry["actor"])
    return version, rule


def is_done(record: Category | Rule, change: str, **said) -> bool:
    """Say whether this change was made already; under its id another one is refused."""
    known = record.changes.get(change)
    if known is not None and known != said:
        raise Conflict("编号已被使用,内容不同 / This id is already another change's")
    return known is not None


def is_known(category: str, codes: Collection[str]) -> bool:
    """Say whether there is such a category, a class or sub class that has some, or ``*`` for all of them."""
    return category == "*" or any(code.startswith(category) for code in codes)


def set_category(
    category: Category, *, caller: Caller, now: datetime, code: str, change: str, name: str, retired: bool,
    shipped: Collection[str], classes: Collection[str], local: Collection[str],
) -> Iterator[Happened]:  # fmt: skip
    """A district adds sub classes to the standard's classes, and extensions to sub classes; the standard stays."""
    said = {"code": code, "name": name, "retired": retired}
    if is_done(category, change, fact="category_set", **said):
        return
    if not is_within(caller.district, caller.unit or "-"):
        raise Forbidden("全区的类别由区级设置 / A district's categories are set by the district")
    if code in shipped:
        raise Invalid(
            f"{code} 是国家标准的类别,不能改 / {code} is the standard's own and cannot be changed",
            {"code": ["国家标准 / the standard's"]},
        )
    if len(code) == 5:
        raise Invalid("类别为 4 位或 6 位 / 4 figures, or 6 for an extension", {"code": ["4 / 6"]})
    if len(code) == 4 and code[:2] not in classes:
        known = "、".join(sorted(classes))
        raise Invalid(f"没有这个大类;可选:{known} / No such class, choose from: {known}", {"code": [code[:2]]})
    if len(code) == 6 and code[:4] not in {*shipped, *local}:
        raise Invalid(f"没有小类 {code[:4]},不能扩展 / There is no {code[:4]} to extend", {"code": [code[:4]]})
    yield category_set(change=change, **said)


def set_rule(
    rule: Rule, *, caller: Caller, now: datetime, category: str, unit: str, change: str, lead: str,
    assists: list[str], community_first: bool, never_community: bool, codes: Collection[str], is_unit: bool,
    departments: list[str], catalogue: int,
) -> Iterator[Happened]:  # fmt: skip
    """One department leads, others assist; what no community may be made to do is never led or tried by it first.

    Regulation on Swift Response to Public Complaints (北京市接诉即办工作条例) Art. 17: the community's duty list says
    what may be asked of it; what is not on the list is not pushed down to it.
    """
    said = {
        "category": category, "unit": unit, "lead": lead, "assists": assists,
        "community_first": community_first, "never_community": never_community,
    }  # fmt: skip
    if is_done(rule, change, fact="rule_set", **said):
        return
    must_be_for(caller, unit)
    if not is_known(category, codes):
        raise Invalid(
            f"没有类别 {category},或已停用 / No category {category}, or it is retired", {"category": [category]}
        )
    if not is_unit:
        raise Invalid(f"本区没有 {unit} 这个单位 / No unit {unit} in this district", {"unit": [unit]})
    strangers = {"lead": [lead] if lead not in (*departments, COMMUNITY) else []}
    strangers |= {"assists": sorted(set(assists) - set(departments))}
    if wrong := {name: codes for name, codes in strangers.items() if codes}:
        names, known = "、".join(sum(wrong.values(), [])), "、".join(departments)
        raise Invalid(f"本区没有这些部门:{names};可选:{known} / No such departments here, choose from: {known}", wrong)
    if lead in assists:
        raise Invalid(f"{lead} 主办,不必再协办 / {lead} leads and does not assist as well", {"assists": [lead]})
    if never_community and (lead == COMMUNITY or community_first):
        wrong = {"lead": [lead]} if lead == COMMUNITY else {"community_first": ["第十七条 / Art. 17"]}
        raise Invalid(
            "不在社区职责清单内的事项不得下派社区(接诉即办条例第十七条) / "
            "What is not on the community's duty list is never pushed down to it (Art. 17)",
            wrong,
        )
    yield rule_set(change=change, catalogue=catalogue, **said)


def remove_rule(
    rule: Rule, *, caller: Caller, now: datetime, category: str, unit: str, change: str, catalogue: int
) -> Iterator[Happened]:
    """A rule that is removed may be set again; until then a wider one answers."""
    if is_done(rule, change, fact="rule_removed", category=category, unit=unit):
        return
    must_be_for(caller, unit)
    if rule.removed:
        raise NotFound(f"{category}@{unit} 已无规则 / There is no rule {category}@{unit} any more")
    yield rule_removed(change=change, category=category, unit=unit, catalogue=catalogue)


def must_be_for(caller: Caller, unit: str) -> None:
    """Who may change the catalogue changes it for their own unit and what lies below."""
    if not is_within(unit, caller.unit or "-"):
        raise Forbidden("不在您的辖区 / Outside the unit that you act for")
