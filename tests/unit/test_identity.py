"""Nobody gives what they do not have, a district adjusts within bounds, and second factors are good once."""

import itertools
import time
import uuid
from datetime import UTC, datetime

import pyotp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.identity import domain, totp
from services.identity.store.security import Security
from services.ledger import GENESIS, link
from shared.caller import Caller
from shared.contracts.permissions import FIXED, GRANTS, PERMISSIONS, ROLE_NAMES, ROLES, may, may_add, may_drop
from shared.contracts.rows import normal_login
from shared.errors import Conflict, Forbidden, Invalid, Refusal

NOW = datetime(2026, 11, 24, 2, 20, tzinfo=UTC)
HERE, STREET, COMMUNITY, ELSEWHERE = "110102", "110102009000", "110102009041", "110107001012"
UNITS = (HERE, STREET, COMMUNITY, "110102009042", "110102010000", "110102010001", "", "110107", ELSEWHERE)
DEPARTMENTS = ("", "chengguan", "shuiwu")
KNOWN = domain.Place()


def a_caller(*roles: str, unit: str = HERE, department: str = "", district: str = HERE, actor: str = "a") -> Caller:
    return Caller(district=district, actor=actor, roles=roles, unit=unit, department=department)


def a_person(*roles: str, unit: str = COMMUNITY, department: str = "", **more) -> domain.Person:
    return domain.Person(list(roles or ("worker",)), unit, department, True, **more)


def admit(caller: Caller, *roles: str, unit: str = COMMUNITY, department: str = "", login: str = "l", place=KNOWN):
    order = {"login": login, "name": "郑桂兰", "roles": list(roles), "unit": unit, "department": department}
    return list(domain.admit(domain.Person(), caller=caller, now=NOW, place=place, phone=None, **order))


def move(person: domain.Person, caller: Caller, *roles: str, unit: str = COMMUNITY, department: str = "", **more):
    order = {"roles": list(roles), "unit": unit, "department": department, "before": NOW}
    order |= {"self_id": "p", "move": str(uuid.uuid4()), "place": KNOWN}
    return list(domain.move(person, caller=caller, now=NOW, **order | more))


# -- who lets whom in -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("own", "role"), list(itertools.product(GRANTS, ROLE_NAMES)))
def test_each_role_gives_the_roles_that_it_holds_in_trust_and_no_other(own, role):
    city = own == "operator" and role in domain.CITY
    district = "" if city else HERE
    unit = "" if city else HERE if own in ("district", "operator", "lead") else STREET if own == "street" else COMMUNITY
    department = "chengguan" if role in domain.OF_A_DEPARTMENT else ""
    caller = a_caller(own, unit="" if own == "operator" else unit, department="chengguan", district=district)
    if role in domain.CITY and not city:
        with pytest.raises(Invalid):
            admit(caller, role, unit=unit, department=department)
    elif role in GRANTS[own]:
        [happened] = admit(caller, role, unit=unit, department=department)
        assert (happened.fact.name, happened.data["roles"]) == ("admitted", [role])
        assert set(happened.words) == {"name", "login"} and "郑" not in str(happened.data)
    else:
        with pytest.raises(Forbidden):
            admit(caller, role, unit=unit, department=department)


def test_a_lead_lets_in_specialists_of_the_own_department_only():
    lead = a_caller("lead", department="chengguan")
    assert admit(lead, "specialist", unit=HERE, department="chengguan")
    with pytest.raises(Forbidden):
        admit(lead, "specialist", unit=HERE, department="shuiwu")
    with pytest.raises(Forbidden):
        admit(lead, "lead", unit=HERE, department="chengguan")


def test_a_street_looks_after_its_own_communities_and_no_others():
    street = a_caller("street", unit=STREET)
    assert admit(street, "secretary", unit=COMMUNITY) and admit(street, "worker", unit=STREET)
    for unit in ("110102010001", "110102010000", HERE):
        with pytest.raises(Forbidden):
            admit(street, "secretary", unit=unit)


def test_one_role_that_is_not_theirs_to_give_is_one_too_many():
    with pytest.raises(Forbidden):
        admit(a_caller("secretary", unit=COMMUNITY), "worker", "secretary")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"unit": ELSEWHERE}, "unit"),
        ({"unit": ""}, "unit"),
        ({"department": "chengguan"}, "department"),
        ({"roles": ["specialist"]}, "department"),
        ({"roles": ["lead"]}, "department"),
        ({"roles": ["operator"]}, "roles"),
        ({"place": domain.Place(unit_is_known=False)}, "unit"),
        ({"roles": ["specialist"], "department": "nobody", "place": domain.Place(True, False)}, "department"),
        ({"login": "a b"}, "login"),
        ({"login": "a\u200bb"}, "login"),
        ({"login": "a\u00adb"}, "login"),
        ({"login": "\u3000"}, "login"),
    ],
    ids=str,
)
def test_a_place_that_does_not_fit_is_refused_in_plain_words(change, field):
    roles = change.pop("roles", ["worker"])
    with pytest.raises(Invalid) as refused:
        admit(a_caller("district"), *roles, **change)
    assert list(refused.value.fields) == [field] and " / " in refused.value.detail


@pytest.mark.parametrize("written", ["Wmy", " wmy ", "ｗｍｙ", "WMY", "wmy"])
def test_a_login_is_the_same_however_it_is_written(written):
    assert normal_login(written) == "wmy"
    assert normal_login(normal_login(written)) == "wmy"


@given(st.text(max_size=64))
def test_the_normal_form_of_a_login_is_its_own_normal_form(text):
    once = normal_login(text)
    try:
        domain.guard_login(once)
    except Invalid:
        return
    assert normal_login(once) == once


# -- what becomes of people -------------------------------------------------------------------------------------------


def test_who_moves_somebody_looks_after_both_ends():
    street = a_caller("street", unit=STREET)
    [happened] = move(a_person("worker"), street, "secretary", unit="110102009042")
    assert happened.data["unit"] == "110102009042"
    with pytest.raises(Forbidden):
        move(a_person("worker"), street, "worker", unit="110102010001")
    with pytest.raises(Forbidden):
        move(a_person("worker", unit="110102010001"), street, "worker")
    with pytest.raises(Forbidden):
        move(a_person("district", unit=HERE), street, "worker")
    with pytest.raises(Forbidden):
        move(a_person("worker"), street, "street", unit=STREET)


def test_nobody_moves_suspends_or_puts_out_themselves():
    admin, order = a_caller("district", actor="p"), {"now": NOW, "self_id": "p"}
    for try_it in (
        lambda: move(a_person("worker"), admin, "worker"),
        lambda: list(domain.suspend(a_person(), caller=admin, suspension="s", before=NOW, reason="absent", **order)),
        lambda: list(domain.dismiss(a_person(), caller=admin, revocation="r", before=NOW, reason="locked", **order)),
    ):
        with pytest.raises(Forbidden):
            try_it()


def test_the_same_order_again_changes_nothing_and_another_under_its_id_is_refused():
    admin, id = a_caller("district"), str(uuid.uuid4())
    person = a_person("worker")
    [happened] = move(person, admin, "secretary", move=id)
    after = domain.evolve_person(person, "moved", happened.data, NOW, "a")
    assert after.roles == ["secretary"] and move(after, admin, "secretary", move=id) == []
    with pytest.raises(Conflict):
        move(after, admin, "worker", move=id)


def test_a_suspension_ends_once_and_whoever_was_put_out_stays_out():
    admin, order = a_caller("district"), {"now": NOW, "self_id": "p", "caller": a_caller("district")}
    ids = [str(uuid.uuid4()) for _ in range(3)]
    [happened] = domain.suspend(a_person(), suspension=ids[0], before=NOW, reason="absent", **order)
    person = domain.evolve_person(a_person(), "suspended", happened.data, NOW, "a")
    assert person.suspended and person.active
    with pytest.raises(Conflict):
        list(domain.suspend(person, suspension=ids[1], before=NOW, reason="absent", **order))
    [happened] = domain.resume(person, resumption=ids[2], **order)
    person = domain.evolve_person(person, "resumed", happened.data, NOW, "a")
    assert not person.suspended and list(domain.resume(person, resumption=ids[2], **order)) == []
    [happened] = domain.dismiss(person, revocation=ids[1], before=NOW, reason="dismissed", **order)
    person = domain.evolve_person(person, "dismissed", happened.data, NOW, "a")
    with pytest.raises(Conflict):
        move(person, admin, "worker")


def test_people_of_a_community_that_became_part_of_another_follow_it_once():
    order = {"caller": a_caller(), "now": NOW, "units": [COMMUNITY], "into": "110102009042", "before": NOW}
    id, person = str(uuid.uuid4()), a_person("secretary")
    [happened] = domain.follow(person, move=id, **order)
    after = domain.evolve_person(person, "moved", happened.data, NOW, "a")
    assert (after.unit, after.roles) == ("110102009042", ["secretary"])
    assert list(domain.follow(after, move=id, **order)) == []
    assert list(domain.follow(a_person(unit="110102010001"), move=id, **order)) == []


# -- what a district adjusts ------------------------------------------------------------------------------------------


def adjust(state: domain.Role, role: str, add=(), drop=(), id: str | None = None):
    order = {"adjustment": id or str(uuid.uuid4()), "role": role, "add": list(add), "drop": list(drop)}
    return list(domain.adjust(state, caller=a_caller("district"), now=NOW, before=NOW, **order))


@pytest.mark.parametrize("role", ROLE_NAMES)
def test_a_district_adds_and_drops_within_the_bounds_and_nothing_beyond(role):
    for permission in PERMISSIONS:
        for bound, order in ((may_add(role), "add"), (may_drop(role), "drop")):
            if permission in bound:
                assert adjust(domain.Role(), role, **{order: [permission]})
            else:
                with pytest.raises(Invalid):
                    adjust(domain.Role(), role, **{order: [permission]})


def test_what_differs_is_signed_for_all_of_a_persons_roles_together():
    states = {"worker": domain.Role(["whistle.summon"], ["place.change"]), "steward": domain.Role([], ["photo.add"])}
    assert domain.differs(["worker"], states) == ["+whistle.summon", "-place.change"]
    assert domain.differs(["steward"], states) == ["-photo.add"]
    # What one role lost another still carries.
    assert domain.differs(["worker", "steward"], states) == ["+whistle.summon", "-place.change"]
    assert domain.differs(["secretary", "worker"], states) == []
    assert domain.differs(["observer"], states) == []


ROLE = st.sampled_from(ROLE_NAMES)
ACTS = st.one_of(
    st.tuples(
        st.just("admit"), st.integers(0, 30), st.lists(ROLE, min_size=1, max_size=3, unique=True),
        st.sampled_from(UNITS), st.sampled_from(DEPARTMENTS), st.sampled_from((HERE, "110107", "")),
    ),
    st.tuples(
        st.just("move"), st.integers(0, 30), st.lists(ROLE, min_size=1, max_size=3, unique=True),
        st.sampled_from(UNITS), st.sampled_from(DEPARTMENTS), st.integers(0, 30),
    ),
    st.tuples(
        st.just("adjust"), ROLE, st.lists(st.sampled_from(sorted(PERMISSIONS)), max_size=3, unique=True),
        st.lists(st.sampled_from(sorted(PERMISSIONS)), max_size=3, unique=True),
    ),
)  # fmt: skip


def trust(role: str) -> set[str]:
    """Give what may at most come of a role: what it carries, what it gives, and what districts may add to either."""
    found, todo = set(), [role]
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo += GRANTS.get(each, ())
    return set().union(*(ROLES[each] | may_add(each) for each in found))


@given(st.sampled_from(["district", "street", "secretary", "lead", "worker", "observer"]), st.lists(ACTS, max_size=25))
@settings(max_examples=150, deadline=None)
def test_no_chain_of_grants_and_adjustments_leads_beyond_the_first_ones_trust(root, acts):
    """Whoever comes of somebody, over however many steps, stays within that one's trust, unit and district."""
    unit = {"street": STREET, "secretary": COMMUNITY, "worker": COMMUNITY}.get(root, HERE)
    department = "chengguan" if root == "lead" else ""
    people = [(HERE, domain.Person([root], unit, department, True))]
    states: dict[str, domain.Role] = {}
    for kind, *act in acts:
        try:
            if kind == "adjust":
                [happened] = adjust(states.get(act[0], domain.Role()), act[0], act[1], act[2])
                blank = states.get(act[0], domain.Role())
                states[act[0]] = domain.evolve_role(blank, "adjusted", happened.data, NOW, "a")
                continue
            who, (district, giver) = act[0], people[act[0] % len(people)]
            caller = Caller(district, str(who % len(people)), tuple(giver.roles), giver.unit, giver.department)
            caller.must({"admit": "person.admit", "move": "person.change"}[kind])
            if kind == "admit":
                if act[4] != district:
                    caller.must("district.enter")
                [happened] = admit(caller, *act[1], unit=act[2], department=act[3])
                people.append((district, domain.evolve_person(domain.Person(), "admitted", happened.data, NOW, "a")))
            else:
                other = act[4] % len(people)
                [happened] = move(people[other][1], caller, *act[1], unit=act[2], department=act[3], self_id=str(other))
                people[other] = (district, domain.evolve_person(people[other][1], "moved", happened.data, NOW, "a"))
        except Refusal:
            pass
    for district, person in people:
        adjusted = tuple(domain.differs(person.roles, states))
        can = {each for each in PERMISSIONS if may(tuple(person.roles), each, adjusted)}
        assert can <= trust(root), can - trust(root)
        usual = set().union(*(ROLES[each] for each in person.roles))
        assert can & FIXED == usual & FIXED, "what guards everybody else is nobody's to adjust"
        assert district == HERE and not domain.CITY.intersection(person.roles)
        assert domain.is_own(a_caller(root, unit=unit, department=department), root, person.unit, person.department)


# -- tries and second factors -----------------------------------------------------------------------------------------


def test_after_five_free_tries_each_next_one_waits_longer():
    waits = [domain.wait_after(n) for n in range(1, 20)]
    assert waits[:8] == [0, 0, 0, 0, 1, 2, 4, 8] and waits == sorted(waits) and waits[-1] == 900
    assert domain.wait_after(10_000) == 900


@pytest.mark.parametrize(
    ("roles", "must_change", "has_totp", "required", "first"),
    [
        (["district"], False, False, True, ["totp"]),
        (["operator"], True, False, True, ["password", "totp"]),
        (["district"], False, True, True, []),
        (["district"], False, False, False, []),
        (["worker"], False, False, True, []),
        (["worker"], True, False, False, ["password"]),
    ],
)
def test_a_newcomer_chooses_first_what_is_missing(roles, must_change, has_totp, required, first):
    assert domain.first(roles, must_change, has_totp, required) == first


def test_a_code_is_of_this_time_step_or_of_one_beside_it():
    key, now = totp.new_key(), int(time.time()) // 30
    codes = {step: pyotp.TOTP(key).at((now + step) * 30) for step in (-3, -1, 0, 1, 3)}
    found = {step: totp.step_of(key, code) for step, code in codes.items()}
    assert {found[step] for step in (-1, 0, 1)} <= {now - 1, now, now + 1} and found[3] is found[-3] is None


def test_eight_recovery_codes_are_all_different():
    codes = totp.recovery_codes()
    assert len(set(codes)) == 8 and all(len(code) == 11 for code in codes)


# -- the security log -------------------------------------------------------------------------------------------------


def a_book(length: int = 5) -> list[dict]:
    rows, head = [], GENESIS
    for n in range(1, length + 1):
        row = {"book": "b", "n": n, "at": NOW, "what": "signed_in", "ok": True, "who": "x", "prev": head}
        row["hash"] = head = link("b", row)
        rows.append({"_id": f"b/{n:06}", **row})
    return rows


def sealed(rows: list[dict], n: int) -> dict:
    return {"n": n, "head": rows[n - 1]["hash"]}


def test_a_whole_book_is_whole():
    rows = a_book()
    for n in (1, 3, 5):
        assert Security.fault("b", iter(rows), sealed(rows, n)) is None
    assert Security.fault("b", iter(rows), {"n": 0, "head": ""}) is None


@pytest.mark.parametrize("field", ["what", "who", "ok", "at", "prev", "hash", "n"])
def test_a_row_that_was_changed_is_found(field):
    rows = a_book()
    rows[2][field] = {"at": datetime(2020, 1, 1, tzinfo=UTC), "ok": False, "n": 9}.get(field, "0" * 64)
    assert "b/000003" in Security.fault("b", iter(rows), sealed(a_book(), 5))


def test_rows_that_were_taken_out_cut_off_or_written_anew_are_found():
    rows = a_book()
    assert "b/000003" in Security.fault("b", iter(rows[:1] + rows[2:]), {"n": 0, "head": ""})
    assert "末尾缺失" in Security.fault("b", iter(rows[:3]), sealed(rows, 5))
    assert "封存" in Security.fault("b", iter(rows), {"n": 4, "head": "f" * 64})
