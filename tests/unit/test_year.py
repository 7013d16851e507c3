"""Does the plan of a pilot year come to the newspaper's sums, and does its judge count what it says that it counts?"""

import random
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from deploy.year import BEIJING, BUILT, BY_LAW, CASES, Goals, Order, Plan, by_law, pieces, shares, windows
from shared.rules.calendar import Calendar
from tests.recount.year import recount

FIRST = date(2026, 11, 27)
DEPARTMENTS = {case.lead for case in (BUILT, *CASES)} | {each for case in (BUILT, *CASES) for each in case.assists}
CALENDAR = Calendar(dict.fromkeys(by_law(2027), False), (2027,))


def a_plan(goals: Goals, run: str = "a run") -> list[Order]:
    stations = [f"110102009{n:03}" for n in range(1, goals.stations + 1)]
    people = SimpleNamespace(
        heads={each: f"head {each}" for each in stations},
        residents={each: f"resident {each}" for each in stations},
        workers={each: f"worker {each}" for each in stations},
        specialists={each: [f"{each} {n}" for n in range(3)] for each in DEPARTMENTS},
        street="street",
    )
    return Plan(run, FIRST, goals, {each: {"lon": 116.34, "lat": 39.93} for each in stations}, people, CALENDAR).drawn()


def noun(order: Order) -> str:
    return order.path.rpartition("/")[2]


def sums(orders: list[Order]) -> dict:
    """Count a plan's orders as the newspaper counts."""
    blown = {each.whistle: each for each in orders if noun(each) == "whistles"}
    called = {id for id, each in blown.items() if each.order.get("departments")}
    made = [
        (each.whistle in called, outcome)
        for each in orders
        if noun(each) == "answers"
        for outcome in each.order.get("outcomes", ())
    ]
    built = [outcome for up, outcome in made if up and outcome["measure"] == "illegal_structure"]
    solved = {each.whistle for each in orders if noun(each) == "settlements" and "reason" not in each.order}
    return {
        "stations": len({each.order["community"] for each in blown.values()}),
        "whistles": len(called),
        "reports": sum(noun(each) == "reports" and each.whistle in called for each in orders),
        "problems": sum(outcome["count"] for up, outcome in made if up and outcome["measure"] == "problem"),
        "structures": sum(outcome["count"] for outcome in built),
        "area": sum(round(outcome["amount"] * 100) for outcome in built),
        "home": len((blown.keys() - called) & solved),
    }


@pytest.mark.parametrize("goals", [Goals(), Goals().scaled(20)], ids=["the whole year", "a small year"])
def test_a_years_plan_comes_to_exactly_what_the_newspaper_told(goals):
    assert sums(a_plan(goals)) == vars(goals)


def test_the_newspapers_figures_are_the_goals():
    goals = Goals()
    assert (goals.stations, goals.whistles, goals.reports, goals.problems) == (22, 426, 2607, 502)
    assert (goals.structures, goals.area, goals.home) == (387, 1_280_468, 437)


def test_the_same_run_is_the_same_year_and_another_run_is_another():
    goals = Goals().scaled(20)
    assert a_plan(goals) == a_plan(goals)
    assert {each.whistle for each in a_plan(goals)}.isdisjoint(each.whistle for each in a_plan(goals, "another"))


def test_each_order_of_a_year_has_an_id_of_its_own():
    acts = Counter(each.order.get("act") or each.order["id"] for each in a_plan(Goals()))
    assert acts.most_common(1)[0][1] == 1


def test_a_year_lies_within_its_year_and_what_was_solved_at_home_within_three_months():
    orders = a_plan(Goals())
    assert orders[0].at.date() == FIRST
    assert (orders[-1].at.date() - FIRST).days < 365
    called = {each.whistle for each in orders if each.order.get("departments")}
    home = [each.at for each in orders if each.whistle not in called]
    assert (max(home) - min(home)).days < 92


def test_what_happens_to_one_whistle_happens_in_its_order():
    first: dict[str, str] = {}
    for at, whistles in windows(a_plan(Goals().scaled(20))):
        for mine in whistles:
            assert {each.at for each in mine} == {at}
            first.setdefault(mine[0].whistle, noun(mine[0]))
    assert set(first.values()) == {"whistles"}


@pytest.mark.parametrize("year", sorted(BY_LAW))
def test_a_year_has_thirteen_days_of_rest_by_law_and_a_working_day_in_lieu_of_each_on_a_weekend(year):
    days = by_law(year)
    assert len(BY_LAW[year].split()) == 13
    assert sum(day.weekday() < 5 for day in days) == 13


def test_shares_are_within_their_bounds_and_come_to_the_total():
    chance = random.Random(1)
    for total in range(12, 31):
        found = shares(total, [1, 2, 4, 5], [5, 6, 9, 10], chance)
        assert sum(found) == total
        assert all(low <= each <= high for low, each, high in zip((1, 2, 4, 5), found, (5, 6, 9, 10), strict=True))
    with pytest.raises(ValueError):
        shares(31, [1, 2, 4, 5], [5, 6, 9, 10], chance)
    assert sum(pieces(1_280_468, 387, 150, chance)) == 1_280_468
    assert min(pieces(1_280_468, 387, 150, chance)) >= 150


# -- the judge ---------------------------------------------------------------------------------------------------------


def a_summons(department: str, *outcomes: tuple, stage: str = "fed_back", late: bool = False) -> dict:
    made = [{"measure": measure, "count": count, "amount": amount} for measure, count, amount in outcomes]
    clock = {"clock": "sign", "due": "2026-11-27T02:00:00Z", "late": late}
    return {"department": department, "stage": stage, "clocks": [clock], "answer": made and {"outcomes": made}}


def a_whistle(*summonses: dict, reports: tuple = (), **changes) -> dict:
    at = datetime(2026, 11, 27, 9, tzinfo=BEIJING).isoformat()
    usual = {"kind": "综合执法", "stage": "settled", "result": "solved", "community": "110102009041", "clocks": []}
    usual |= {"blown_at": at, "settled_at": at, "reports": [{"department": each} for each in reports]}
    return usual | changes | {"summonses": list(summonses)}


def test_a_recount_counts_departments_and_home_apart_and_nothing_of_who_was_called_off():
    found = recount(
        [
            a_whistle(
                a_summons("chengguan", ("problem", 2, None), ("illegal_structure", 3, Decimal("12.68"))),
                a_summons("zhujian", ("problem", 9, None), stage="called_off"),
                a_summons("community", ("problem", 5, None), late=True),
                reports=("chengguan", "chengguan", "community"),
            ),
            a_whistle(a_summons("community", ("problem", 1, None)), reports=("community",)),
            a_whistle(a_summons("community", ("problem", 1, None)), stage="confirmed", community="110102009042"),
        ]
    )
    told = {"stations": 2, "whistles": 1, "reports": 2, "problems": 2, "structures": 3, "area": Decimal("12.68")}
    assert {name: found[name] for name in told} == told
    assert (found["home"], found["open"], found["home_days"]) == (1, 1, 1)
    assert (found["kept"], found["late"]) == (4, 1)
