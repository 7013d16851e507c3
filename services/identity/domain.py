"""Who is let in and put out, who may give which role to whom, and what a district changes of that."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.caller import Caller
from shared.contract import Happened
from shared.contracts.identity import (
    adjusted,
    admitted,
    corrected,
    dismissed,
    moved,
    resumed,
    revoked,
    sealed,
    suspended,
)
from shared.contracts.permissions import ADMINISTRATORS, GRANTS, ROLES, may_add, may_drop
from shared.errors import Conflict, Forbidden, Invalid
from shared.rules import masks
from shared.rules.codes import is_within

# Whose roles cross districts, so that they belong to none.
CITY = frozenset({"operator", "city_observer"})
OF_A_DEPARTMENT = frozenset({"specialist", "lead"})
FREE_TRIES = 5
LONGEST_WAIT = 900  # seconds


@dataclass(frozen=True)
class Person:
    """A person as the platform knows them; name, login and phone are a reference to words."""

    roles: list[str] = field(default_factory=list)
    unit: str = ""
    department: str = ""
    active: bool = False
    suspended: bool = False
    dismissals: dict[str, dict] = field(default_factory=dict)
    moves: dict[str, dict] = field(default_factory=dict)
    suspensions: dict[str, dict] = field(default_factory=dict)
    resumptions: list[str] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    words: str | None = None


@dataclass(frozen=True)
class Revocation:
    """Tokens of one subject, a person, a session or a district, made before a moment are no longer good."""

    subject: str = ""
    before: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Role:
    """What one district adds to one role, and takes from it."""

    add: list[str] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)
    adjustments: dict[str, dict] = field(default_factory=dict)


@dataclass(frozen=True)
class Book:
    """How far one book of the security log is known to have come."""

    n: int = 0
    head: str = ""


@dataclass(frozen=True)
class Place:
    """What the roster has told of a unit and of a department, at the moment when somebody is to be put there."""

    unit_is_known: bool = True
    department_is_known: bool = True


# -- what facts change ------------------------------------------------------------------------------------------------


def last_fifty(known: dict, id: str, order: dict) -> dict:
    """An order is found again among the last fifty of its kind; nobody's life has no end."""
    return dict(list(known.items())[-49:]) | {id: order}


def on_admitted(person: Person, data: dict) -> Person:
    known = {key: data[key] for key in ("roles", "unit", "department")}
    return replace(person, active=True, words=data.get("words"), **known)


def on_moved(person: Person, data: dict) -> Person:
    known = {key: data[key] for key in ("roles", "unit", "department")}
    order = known | {"before": data["before"]}
    return replace(person, moves=last_fifty(person.moves, data["move"], order), **known)


def on_suspended(person: Person, data: dict) -> Person:
    order = {"before": data["before"], "reason": data["reason"]}
    return replace(person, suspended=True, suspensions=last_fifty(person.suspensions, data["suspension"], order))


def on_dismissed(person: Person, data: dict) -> Person:
    order = {"before": data["before"], "reason": data["reason"]}
    return replace(person, active=False, dismissals=person.dismissals | {data["revocation"]: order})


PERSON_CHANGES = {
    "admitted": on_admitted,
    "moved": on_moved,
    "suspended": on_suspended,
    "resumed": lambda person, data: replace(
        person, suspended=False, resumptions=[*person.resumptions[-49:], data["resumption"]]
    ),
    "dismissed": on_dismissed,
    "corrected": lambda person, data: replace(
        person, words=data["words"], corrections=[*person.corrections[-49:], data["correction"]]
    ),
}


def evolve_person(person: Person, fact: str, data: dict, at: datetime, actor: str) -> Person:
    """Give the person as one more fact made them."""
    return PERSON_CHANGES[fact](person, data)


def evolve_revocation(revocation: Revocation, fact: str, data: dict, at: datetime, actor: str) -> Revocation:
    """A revocation happens once and stays."""
    return Revocation(data["subject"], data["before"], data["reason"])


def evolve_role(role: Role, fact: str, data: dict, at: datetime, actor: str) -> Role:
    """An adjustment says the whole of what differs."""
    order = {key: data[key] for key in ("add", "drop", "before")}
    return Role(data["add"], data["drop"], last_fifty(role.adjustments, data["adjustment"], order))


def evolve_book(book: Book, fact: str, data: dict, at: datetime, actor: str) -> Book:
    """A book of the security log only grows."""
    return Book(data["n"], data["head"])


# -- who may give what ------------------------------------------------------------------------------------------------


def is_own(caller: Caller, role: str, unit: str, department: str) -> bool:
    """Say whether a place lies within what one role of the caller looks after."""
    if role == "operator":
        return True
    if role == "lead" and department != caller.department:
        return False
    return bool(caller.unit) and is_within(unit, caller.unit)


def may_give(caller: Caller, role: str, unit: str, department: str) -> bool:
    """Say whether the caller holds a role in trust for others, at this place."""
    return any(role in GRANTS.get(own, ()) and is_own(caller, own, unit, department) for own in caller.roles)


def guard_reach(caller: Caller, roles: Iterable[str], unit: str, department: str) -> None:
    """Nobody gives, changes or takes what they could not have given."""
    if beyond := sorted(role for role in roles if not may_give(caller, role, unit, department)):
        said = "、".join(beyond)
        raise Forbidden(f"您无权管理此处的这些角色({said}) / These roles, there, are not yours to give: {said}")


def guard_person(caller: Caller, person: Person, self_id: str | None = None) -> None:
    """Who looks after somebody looks after all that they are, and nobody after themselves."""
    if self_id and self_id == caller.actor:
        raise Forbidden("不能这样处理自己的账号 / Nobody does this to themselves")
    guard_reach(caller, person.roles, person.unit, person.department)


def guard_place(district: str, roles: list[str], unit: str, department: str, place: Place) -> None:
    """Roles of the city belong to no district; all others to a unit, and two of them to a department, of their own."""
    if wrong := [role for role in roles if (role in CITY) == bool(district)]:
        said = "、".join(wrong)
        raise Invalid(f"此角色不属于这一级({said}) / This role is not one of here: {said}", {"roles": [said]})
    if bool(unit) != bool(district) or not unit.startswith(district):
        raise Invalid("单位不在本区 / The unit is not in this district", {"unit": [unit or "必填 / required"]})
    if bool(OF_A_DEPARTMENT.intersection(roles)) != bool(department):
        raise Invalid(
            "专员和部门负责人须有部门,其他人没有 / Specialists and leads have a department, others have none",
            {"department": [department or "必填 / required"]},
        )
    if not place.unit_is_known:
        raise Invalid("本区没有这个单位 / This district has no such unit", {"unit": [unit]})
    if not place.department_is_known:
        raise Invalid("本区没有这个部门 / This district has no such department", {"department": [department]})


def guard_login(login: str) -> None:
    """What looks the same is the same: no letter of a login is invisible."""
    if not login or any(unicodedata.category(letter)[0] in "ZC" for letter in login):
        raise Invalid(
            "登录名含有空格或看不见的字符 / A login has no blanks and no invisible characters", {"login": ["?"]}
        )


# -- people -----------------------------------------------------------------------------------------------------------


def admit(
    person: Person,
    *,
    caller: Caller,
    now: datetime,
    place: Place,
    login: str,
    name: str,
    roles: list[str],
    unit: str,
    department: str,
    phone: str | None,
) -> Iterator[Happened]:
    """Somebody is let in by who holds their roles in trust, within that one's own unit."""
    guard_login(login)
    guard_place(caller.district, roles, unit, department, place)
    guard_reach(caller, roles, unit, department)
    words = {"name": name, "login": login} | ({"phone": phone} if phone else {})
    yield admitted(roles=roles, unit=unit, department=department, words=words)


def is_known(known: dict | None, **order: object) -> bool:
    """Say whether an order was carried out already; its id with another content is somebody's mistake."""
    if known is None:
        return False
    if any(known[key] != value for key, value in order.items()):
        raise Conflict("编号已被使用,内容不同 / This id is already another order's")
    return True


def guard_active(person: Person) -> None:
    """Whoever was put out is no longer anybody's to change."""
    if not person.active:
        raise Conflict("此人已停用 / This person has been put out")


def move(
    person: Person,
    *,
    caller: Caller,
    now: datetime,
    place: Place,
    self_id: str,
    move: str,
    roles: list[str],
    unit: str,
    department: str,
    before: datetime,
) -> Iterator[Happened]:
    """Somebody moves within the reach of who moves them: from what they look after, to what they look after."""
    if is_known(person.moves.get(move), roles=roles, unit=unit, department=department):
        return
    guard_active(person)
    guard_person(caller, person, self_id)
    guard_place(caller.district, roles, unit, department, place)
    guard_reach(caller, roles, unit, department)
    yield moved(move=move, roles=roles, unit=unit, department=department, before=before)


def follow(
    person: Person, *, caller: Caller, now: datetime, move: str, units: list[str], into: str, before: datetime
) -> Iterator[Happened]:
    """Where communities became one, their people are people of that one."""
    if move not in person.moves and person.unit in units and person.unit != into:
        kept = {"roles": person.roles, "department": person.department}
        yield moved(move=move, unit=into, before=before, **kept)


def correct(
    person: Person,
    *,
    caller: Caller,
    now: datetime,
    self_id: str,
    correction: str,
    said: dict,
    name: str | None,
    phone: str | None,
) -> Iterator[Happened]:
    """A name or phone that is wrong, or no longer so, is put right, and what it was is forgotten (PIPL Art. 46).

    ``said`` is what is known of the person, under this correction where it was made already; the login stays.
    """
    fresh = {key: text for key, text in {"name": name, "phone": phone}.items() if text is not None}
    if correction in person.corrections:
        if said and not fresh.items() <= said.items():
            raise Conflict("编号已被使用,内容不同 / This id is already another order's")
        return
    guard_active(person)
    guard_person(caller, person, self_id)
    if not fresh:
        raise Invalid("请填写姓名或电话 / A name or a phone, please", {"name": ["必填其一 / one of the two"]})
    if not fresh.items() <= said.items():
        yield corrected(correction=correction, words=said | fresh)


def suspend(
    person: Person, *, caller: Caller, now: datetime, self_id: str, suspension: str, before: datetime, reason: str
) -> Iterator[Happened]:
    """Whoever is suspended is out everywhere until somebody ends it; nobody suspends themselves."""
    if is_known(person.suspensions.get(suspension), reason=reason):
        return
    guard_active(person)
    guard_person(caller, person, self_id)
    if person.suspended:
        raise Conflict("此人已暂停 / This person is suspended already")
    yield suspended(suspension=suspension, before=before, reason=reason)


def resume(person: Person, *, caller: Caller, now: datetime, self_id: str, resumption: str) -> Iterator[Happened]:
    """A suspension ends once."""
    if resumption in person.resumptions:
        return
    guard_active(person)
    guard_person(caller, person, self_id)
    if not person.suspended:
        raise Conflict("此人没有被暂停 / This person is not suspended")
    yield resumed(resumption=resumption)


def dismiss(
    person: Person, *, caller: Caller, now: datetime, self_id: str, revocation: str, before: datetime, reason: str
) -> Iterator[Happened]:
    """Whoever is put out is out everywhere; nobody puts out themselves."""
    if is_known(person.dismissals.get(revocation), reason=reason):
        return
    guard_person(caller, person, self_id)
    yield dismissed(revocation=revocation, before=before, reason=reason)


def revoke(
    revocation: Revocation, *, caller: Caller, now: datetime, subject: str, before: datetime, reason: str
) -> Iterator[Happened]:
    """Tokens made before a moment of real time are no longer good."""
    yield revoked(subject=subject, before=before, reason=reason)


def may_see(caller: Caller, unit: str) -> bool:
    """Say whether the caller's unit is one that this unit belongs to."""
    return unit == caller.unit or bool(caller.unit) and is_within(unit, caller.unit)


def masked(said: dict) -> dict:
    """Give name, phone and login as a screen may show them (PIPL Art. 51)."""
    masks_of = {"name": masks.name, "phone": masks.phone, "login": lambda login: login[:1] + masks.HIDDEN}
    return {key: masks_of[key](text) if text else text for key, text in said.items()}


# -- roles in a district ----------------------------------------------------------------------------------------------


def adjust(
    state: Role,
    *,
    caller: Caller,
    now: datetime,
    adjustment: str,
    role: str,
    add: list[str],
    drop: list[str],
    before: datetime,
) -> Iterator[Happened]:
    """A district changes a role of its own people within bounds that are the platform's."""
    add, drop = sorted(add), sorted(drop)
    if is_known(state.adjustments.get(adjustment), add=add, drop=drop):
        return
    if beyond := sorted(set(add) - may_add(role)):
        raise Invalid(f"不可增加:{'、'.join(beyond)} / Not to be added: {', '.join(beyond)}", {"add": beyond})
    if beyond := sorted(set(drop) - may_drop(role)):
        raise Invalid(f"不可去除:{'、'.join(beyond)} / Not to be taken: {', '.join(beyond)}", {"drop": beyond})
    if both := sorted(set(add) & set(drop)):
        raise Invalid("同一权限不能既加又减 / Nothing is both added and taken", {"add": both})
    yield adjusted(adjustment=adjustment, role=role, add=add, drop=drop, before=before)


def permissions_of(role: str, state: Role) -> frozenset[str]:
    """Give what a role carries in a district."""
    return (ROLES[role] | set(state.add)) - set(state.drop)


def differs(roles: list[str], states: dict[str, Role]) -> list[str]:
    """Give what a district has changed for somebody of these roles: ``+permission`` and ``-permission``."""
    usual = frozenset().union(*(ROLES[role] for role in roles))
    here = frozenset().union(*(permissions_of(role, states.get(role, Role())) for role in roles))
    return [f"+{each}" for each in sorted(here - usual)] + [f"-{each}" for each in sorted(usual - here)]


# -- signing in -------------------------------------------------------------------------------------------------------


def wait_after(tries: int) -> int:
    """After five free tries each next one waits longer: 1, 2, 4 … 900 seconds, whether the login exists or not."""
    return 0 if tries < FREE_TRIES else min(2 ** min(tries - FREE_TRIES, 10), LONGEST_WAIT)


def first(roles: list[str], must_change: bool, has_totp: bool, is_required: bool) -> list[str]:
    """A newcomer chooses a password of their own; an administrator a second factor (GB/T 22239-2019, level 3)."""
    lacks_totp = is_required and not has_totp and not ADMINISTRATORS.isdisjoint(roles)
    return ["password"] * must_change + ["totp"] * lacks_totp


# -- the security log -------------------------------------------------------------------------------------------------


def seal(book: Book, *, caller: Caller, now: datetime, book_id: str, n: int, head: str) -> Iterator[Happened]:
    """How far a book has come is told, so that its end cannot be cut off unseen."""
    if n > book.n:
        yield sealed(book=book_id, n=n, head=head)
