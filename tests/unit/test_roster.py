"""The roster's rules: what hangs on what, whose value it is, who sits where and who answers when."""

import copy
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.roster.domain import departments, districts, holders, periods, scope, seats, units
from services.roster.store.districts import Districts, divisions
from shared.caller import Caller
from shared.contracts.roster import opened
from shared.errors import Conflict, Forbidden, Invalid, NotFound, Refusal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = date(2026, 11, 24)
D, S, C = "110102", "110102009000", "110102009041"
OTHER = "110102009042"
ADMIN = Caller(D, "admin", ("district",), D)
IDS = [f"00000000-0000-4000-8000-{n:012}" for n in range(20)]
KNOWN = set(districts.DEPARTMENTS)

days = some.integers(0, 20).map(lambda n: str(TODAY + timedelta(days=n)))
periods_of_days = some.fixed_dictionaries({"since": some.none() | days, "until": some.none() | days})


def a_row(code=C, level="community", parent=S, path=(D, S), **changes) -> dict:
    blank = {"aliases": [], "since": None, "until": None, "into": None, "split_from": None, "pilot": ""}
    blank |= {"settings": {}, "pilot_settings": {}, "version": 0, "type": "社区", "name": code}
    return {**blank, "code": code, "level": level, "parent": parent, "path": list(path), **changes}


def a_person(roles=("specialist",), department="chengguan", **changes) -> dict:
    return {"roles": list(roles), "department": department, "unit": D, "active": True, **changes}


def grown(thing, happened, evolve):
    for each in happened:
        thing = evolve(thing, each.fact.name, each.data, NOW, "somebody")
    return thing


def all_days(period: dict) -> set[str]:
    """Give a period's days the slow way, among those that are drawn."""
    every = [str(TODAY + timedelta(days=n)) for n in range(-1, 22)]
    since, until = period["since"] or every[0], period["until"] or every[-1]
    return {day for day in every if since <= day <= until}


# -- validity ---------------------------------------------------------------------------------------------------------


@given(periods_of_days, periods_of_days, days)
def test_periods_are_the_days_in_them(one, other, day):
    assert periods.covers(one, day) == (day in all_days(one))
    assert periods.meet(one, other) == bool(all_days(one) & all_days(other))
    if all_days(one) and all_days(other):
        assert periods.holds(one, other) == (all_days(other) <= all_days(one))


terms = some.lists(some.tuples(days, some.none() | days, some.integers(0, 3)), max_size=8)


@given(terms)
def test_whatever_is_appointed_in_whatever_order_nobody_shares_a_seat(asked):
    seat = seats.Seat()
    for n, (since, until, who) in enumerate(asked):
        order = {"post": "chengguan", "unit": a_row(), "known": KNOWN, "who": a_person(), "other": None, "leaves": []}
        order |= {"term": IDS[n], "person": f"person-{who}", "substitute": None}
        order |= {"since": date.fromisoformat(since), "until": until and date.fromisoformat(until)}
        order["person"] = IDS[10 + who]
        before = copy.deepcopy(seat)
        try:
            seat = grown(seat, seats.appoint(seat, caller=ADMIN, now=NOW, **order), seats.evolve)
        except Refusal:
            assert seat == before
        else:
            again = list(seats.appoint(seat, caller=ADMIN, now=NOW, **order))
            assert again == [], "the same order twice is one"
    for day in all_days({"since": None, "until": None}):
        assert sum(periods.covers(term, day) for term in seat.terms) <= 1


# -- inheritance ------------------------------------------------------------------------------------------------------

NAMES = ("report_within", "resident_whistle")
values = some.dictionaries(some.sampled_from(NAMES), some.integers(0, 9), max_size=2)
ways = some.lists(some.tuples(values, values, some.sampled_from(["", "试点"])), min_size=1, max_size=5)


def slowly(city: dict, way: list[dict], name: str) -> tuple:
    """Look for a value from the bottom up: a unit's own; where it is marked, the nearest pilot value above; on up."""
    for at in range(len(way) - 1, -1, -1):
        if name in way[at]["settings"]:
            return way[at]["settings"][name], way[at]["code"]
        if way[at]["pilot"]:
            for above in reversed(way[:at]):
                if name in above["pilot_settings"]:
                    return above["pilot_settings"][name], f"pilot of {above['code']}"
    return city[name], "city"


@given(ways)
def test_a_setting_comes_from_the_nearest_that_sets_it_and_pilots_come_before_what_is_inherited(drawn):
    way = [
        a_row(f"unit-{n}", settings=own, pilot_settings=pilots, pilot=mark)
        for n, (own, pilots, mark) in enumerate(drawn)
    ]
    city = dict.fromkeys(NAMES, -1)
    found = {each["name"]: (each["value"], each["origin"]) for each in units.inherited(city, way)}
    assert found == {name: slowly(city, way, name) for name in NAMES}


# -- substitution -----------------------------------------------------------------------------------------------------

people = some.sampled_from(["ma", "lin", "han", "qin"])
leaves_drawn = some.lists(some.tuples(people, days, days, some.none() | people), max_size=6)
terms_drawn = some.lists(some.tuples(people, days, some.none() | days, some.none() | people), max_size=4)


@given(terms_drawn, leaves_drawn, some.sets(people), days)
def test_who_answers_is_the_holder_or_the_one_named_for_the_leave_or_for_the_term_and_always_somebody_who_is_there(
    drawn, away, active, day
):
    held = [{"person": p, "since": s, "until": u, "substitute": sub} for p, s, u, sub in drawn]
    leaves: dict[str, list[dict]] = {}
    for person, since, until, substitute in away:
        leaves.setdefault(person, []).append({"since": since, "until": until, "substitute": substitute})

    def is_away(person):
        return any(day in all_days(each) for each in leaves.get(person, ()))

    expected = None
    for term in held:
        if day in all_days(term):
            candidates = [term["person"]]
            candidates += [e["substitute"] for e in leaves.get(term["person"], ()) if day in all_days(e)][:1]
            candidates += [term["substitute"]]
            fit = [each for each in candidates if each in active and not is_away(each)]
            expected = fit[0] if fit else None
            break
    found = seats.who_answers(held, day, leaves, active)
    assert found == expected
    assert found is None or (found in active and not is_away(found))


def take(holder=None, caller=ADMIN, **changes):
    order = {"who": a_person(), "path": [], "other": a_person(), "leaves": [], "covered": [], "person": IDS[1]}
    order |= {"absence": IDS[2], "since": TODAY, "until": TODAY, "substitute": IDS[3], **changes}
    return list(holders.take_leave(holder or holders.Holder(), caller=caller, now=NOW, **order))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"leaves": [{"since": "2026-11-20", "until": "2026-11-24"}]}, Conflict),
        ({"covered": [{"since": "2026-11-24", "until": "2026-11-30"}]}, Conflict),
        ({"until": TODAY - timedelta(days=1)}, Invalid),
        ({"substitute": IDS[1]}, Invalid),
        ({"other": a_person(department="shuiwu")}, Invalid),
        ({"other": a_person(active=False)}, Conflict),
        ({"other": None}, Invalid),
        ({"caller": Caller(D, "ma", ("specialist",), D, "chengguan")}, Forbidden),
        ({"caller": Caller(D, "ma", ("lead",), D, "shuiwu")}, Forbidden),
        ({"caller": Caller(D, "ma", ("street",), S)}, Forbidden),
    ],
    ids=str,
)
def test_a_leave_leaves_nobody_alone(changes, refusal):
    assert len(take()) == 1
    with pytest.raises(refusal):
        take(**changes)


def test_a_lead_takes_leave_for_their_department_and_each_for_themselves():
    assert take(caller=Caller(D, "li", ("lead",), D, "chengguan"))
    assert take(caller=Caller(D, IDS[1], ("specialist",), D, "chengguan"))


def test_whoever_is_back_before_the_first_day_was_never_away():
    holder = grown(holders.Holder(), take(), holders.evolve)
    order = {
        "who": a_person(),
        "path": [],
        "person": IDS[1],
        "absence": IDS[2],
        "change": IDS[4],
        "back": date(2026, 1, 1),
    }
    holder = grown(holder, holders.end_leave(holder, caller=ADMIN, now=NOW, **order), holders.evolve)
    assert not periods.covers(holder.leaves[IDS[2]], str(TODAY))
    assert list(holders.end_leave(holder, caller=ADMIN, now=NOW, **order)) == []


def test_one_stands_in_by_a_leave_or_where_the_leave_names_nobody_by_the_term():
    term = {"person": "ma", "since": "2026-01-01", "until": None, "substitute": "lin"}
    away = {"person": "ma", "since": "2026-11-24", "until": "2026-11-25", "substitute": None}
    assert holders.stands_in("lin", [away], [term]) == [away]
    assert holders.stands_in("lin", [away | {"substitute": "han"}], [term]) == []
    assert holders.stands_in("lin", [away | {"substitute": "lin"}], []) == [away | {"substitute": "lin"}]
    assert holders.stands_in("lin", [away], [term | {"until": "2026-11-01"}]) == []


# -- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "unit", "department", "post", "level", "may"),
    [
        ("district", D, "", "head", "community", True),
        ("street", S, "", "head", "community", True),
        ("street", "110102003000", "", "head", "community", False),
        ("secretary", C, "", "head", "community", False),
        ("secretary", C, "", "steward", "building", True),
        ("worker", C, "", "steward", "building", True),
        ("secretary", "110102009038", "", "steward", "building", False),
        ("secretary", C, "", "chengguan", "community", False),
        ("lead", D, "chengguan", "chengguan", "community", True),
        ("lead", D, "shuiwu", "chengguan", "community", False),
        ("lead", D, "chengguan", "head", "community", False),
        ("resident", C, "", "steward", "building", False),
    ],
)
def test_heads_are_named_from_above_specialists_by_their_lead_stewards_by_the_community(
    role, unit, department, post, level, may
):
    caller = Caller(D, "x", (role,), unit, department)
    row = a_row() if level == "community" else a_row(f"{C}.1", level, C, (D, S, C))
    try:
        seats.may_seat(caller, post, row)
    except Forbidden:
        assert not may
    else:
        assert may


def test_a_lead_stations_teams_of_their_own_department_only():
    order = {"known": KNOWN, "street": a_row(S, "street", D, (D,)), "change": IDS[0], "unit": S, "name": "执法队"}
    order |= {"phone": None, "until": None}
    lead = Caller(D, "li", ("lead",), D, "chengguan")
    assert list(departments.set_team(departments.Team(), caller=lead, now=NOW, department="chengguan", **order))
    with pytest.raises(Forbidden):
        list(departments.set_team(departments.Team(), caller=lead, now=NOW, department="shuiwu", **order))


@pytest.mark.parametrize("role", ["worker", "secretary", "street"])
def test_streets_and_communities_are_the_districts_to_change(role):
    order = {"row": a_row(), "above": None, "change": IDS[0], "name": "别名", "aliases": None, "parent": None}
    with pytest.raises(Forbidden):
        list(units.change_unit(units.Unit(), caller=Caller(D, "x", (role,), S), now=NOW, **order))
    assert list(units.change_unit(units.Unit(), caller=ADMIN, now=NOW, **order))


def test_another_order_under_the_id_of_a_change_is_refused():
    changes = scope.remembered({}, IDS[0], {"name": "甲"})
    assert scope.was_done(changes, IDS[0], {"name": "甲"}) and not scope.was_done(changes, IDS[1], {"name": "乙"})
    with pytest.raises(Conflict):
        scope.was_done(changes, IDS[0], {"name": "乙"})
    for n in range(60):
        changes = scope.remembered(changes, str(n), {})
    assert len(changes) == 50 and "59" in changes


# -- the tree ---------------------------------------------------------------------------------------------------------


def test_a_handover_is_both_or_neither():
    order = {"post": "chengguan", "unit": a_row(), "known": KNOWN, "who": a_person(), "other": None, "leaves": []}
    order |= {"person": IDS[1], "substitute": None, "since": TODAY, "until": None}
    seat = grown(seats.Seat(), seats.appoint(seats.Seat(), caller=ADMIN, now=NOW, term=IDS[2], **order), seats.evolve)
    later = order | {"term": IDS[4], "person": IDS[5], "since": TODAY + timedelta(days=7), "change": IDS[3], "note": ""}
    told = [each.fact.name for each in seats.hand_over(seat, caller=ADMIN, now=NOW, **later)]
    assert told == ["term_ended", "appointed"]
    unfit = later | {"who": a_person(roles=("resident",), department="")}
    with pytest.raises(Invalid):
        next(seats.hand_over(seat, caller=ADMIN, now=NOW, **unfit))
    with pytest.raises(Conflict):
        list(seats.hand_over(seat, caller=ADMIN, now=NOW, **later | {"since": TODAY}))


def test_the_whole_of_beijing_ships_with_types_that_the_contract_knows():
    codes = {row["code"][:6] for row in divisions() if row["level"] == "district"}
    assert len(codes) == 16
    count = 0
    for code in codes:
        tree = Districts.tree(None, code)
        count += len(tree)
        data = {"communities": [row["code"] for row in tree if row["level"] == "community"], "edition": "2023"}
        assert opened(code=code, settings={"departments": ["chengguan"]}, units=tree, **data)
    assert count == 343 + 7475


def test_places_that_go_along_with_their_compound_are_not_hung_anew():
    compound = a_row(f"{C}.1", "compound", C, (D, S, C))
    inside = a_row(f"{C}.1.2", "building", f"{C}.1", (D, S, C, f"{C}.1"))
    order = {"row": a_row(), "above": a_row(S, "street", D, (D,)), "taken": None, "places": [compound, inside]}
    order |= {"gone": set(), "change": IDS[0], "new": "110102009099", "name": "新", "since": TODAY}
    (told,) = units.split(units.Unit(), caller=ADMIN, now=NOW, **order)
    assert told.data["places"] == [f"{C}.1"]


def merging(unit=None, **changes):
    order = {"row": a_row(), "others": [a_row(OTHER)], "gone": set(), "change": IDS[0], "name": None, "since": TODAY}
    return list(units.merge(unit or units.Unit(), caller=ADMIN, now=NOW, **order | changes))


def carried(unit, day, **changes):
    order = {"plan": IDS[0], "row": a_row(), "above": a_row(S, "street", D, (D,)), "rows": {OTHER: a_row(OTHER)}}
    now = NOW + timedelta(days=day)
    return list(units.carried_out(unit, caller=ADMIN, now=now, **order | {"gone": set()} | changes))


def test_a_merger_of_a_day_to_come_is_a_plan_and_is_carried_out_on_that_day_once():
    unit = grown(units.Unit(), merging(since=TODAY + timedelta(days=3)), units.evolve)
    assert (unit.due, list(unit.plans), unit.unit) == (str(TODAY + timedelta(days=3)), [IDS[0]], {})
    assert merging(unit, since=TODAY + timedelta(days=3)) == [], "the same order again"
    with pytest.raises(Conflict):
        merging(unit, since=TODAY + timedelta(days=4))
    assert carried(unit, 2) == []
    (told,) = happened = carried(unit, 3)
    assert (told.fact.name, told.data["change"], told.data["since"]) == ("units_merged", IDS[0], unit.due)
    after = grown(unit, happened, units.evolve)
    assert (after.due, after.plans, after.absorbed) == (None, {}, [OTHER])
    assert carried(after, 3) == [] == merging(after, since=TODAY + timedelta(days=3))


def test_a_plan_that_can_no_longer_be_carried_out_is_dropped_and_says_why():
    unit = grown(units.Unit(), merging(since=TODAY + timedelta(days=3)), units.evolve)
    for changes in ({"gone": {OTHER}}, {"rows": {}}, {"rows": {OTHER: a_row(OTHER) | {"until": str(TODAY)}}}):
        (told,) = happened = carried(unit, 3, **changes)
        assert told.fact.name == "plan_dropped" and told.data["why"]
        assert grown(unit, happened, units.evolve).due is None


def test_what_was_planned_may_be_given_up_until_it_was_carried_out():
    unit = grown(units.Unit(), merging(since=TODAY + timedelta(days=3)), units.evolve)
    order = {"row": a_row(), "change": IDS[1], "plan": IDS[0]}
    happened = list(units.drop_plan(unit, caller=ADMIN, now=NOW, **order))
    after = grown(unit, happened, units.evolve)
    assert (after.plans, after.due) == ({}, None)
    assert list(units.drop_plan(after, caller=ADMIN, now=NOW, **order)) == [], "the same order again"
    with pytest.raises(NotFound):
        list(units.drop_plan(after, caller=ADMIN, now=NOW, **order | {"change": IDS[2]}))


def test_a_community_goes_into_another_once():
    with pytest.raises(Conflict):
        merging(gone={OTHER})
    with pytest.raises(Conflict):
        merging(gone={C})


def test_an_absence_that_is_not_known_cannot_end():
    order = {"who": None, "path": [], "person": IDS[0], "absence": IDS[1], "change": IDS[2], "back": TODAY}
    with pytest.raises(NotFound):
        list(holders.end_leave(holders.Holder(), caller=ADMIN, now=NOW, **order))
