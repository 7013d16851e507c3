"""Who answers for what, where and when: the rules against their naive reading, and facts that come in any order."""

from datetime import date, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.whistle.domain import answering as domain
from shared.errors import Invalid, NotFound

BUILDING = "110102009041.01.3"
PATH = [BUILDING, "110102009041.01", "110102009041", "110102009000", "110102"]
DAY = date(2026, 11, 24)
PEOPLE = ["ma", "li", "wang"]


def a_rule(lead="chengguan", **changes) -> dict:
    plain = {"assists": [], "community_first": False, "never_community": False, "removed": False, "version": 1}
    return {"lead": lead} | plain | changes


# -- which rule -------------------------------------------------------------------------------------------------------


def test_codes_name_what_is_above():
    assert domain.by_code(BUILDING) == PATH
    assert domain.path_of(BUILDING, {}, DAY) == PATH


def test_a_narrower_category_decides_before_a_narrower_place():
    rules = {"0101@110102": a_rule("zhujian"), "01@110102009041": a_rule("chengguan"), "*@110102009041": a_rule("x1")}
    found = domain.resolve("0101", PATH, rules)
    assert (found["lead"], found["rule"]) == ("zhujian", "0101@110102")
    assert found["why"] == "按上级 110102对该类别的规则 / by the rule of 110102 above it for this category"


@given(
    st.sampled_from(["0101", "010102", "0205"]),
    st.integers(0, len(PATH) - 1),
    st.dictionaries(
        st.tuples(st.sampled_from(["010102", "0101", "01", "*", "02", "0205"]), st.sampled_from([*PATH, "110107"])),
        st.tuples(st.integers(1, 9), st.booleans()),
    ),
)
def test_the_most_specific_rule_decides_and_no_other(category, depth, said):
    """The naive reading: of all that fit, the longest category and then the nearest place."""
    path = PATH[depth:]
    rules = {
        f"{what}@{where}": a_rule(version=version, removed=removed)
        for (what, where), (version, removed) in said.items()
    }
    fitting = [
        (len(what.strip("*")), -path.index(where), version, f"{what}@{where}")
        for (what, where), (version, removed) in said.items()
        if where in path and not removed and category.startswith(what.strip("*"))
    ]
    if not fitting:
        with pytest.raises(NotFound, match=category):
            domain.resolve(category, path, rules)
        return
    best = max(fitting)
    found = domain.resolve(category, path, rules)
    assert (found["rule"], found["rule_version"]) == (best[3], best[2])


def test_what_the_catalogue_does_not_have_is_refused_in_plain_words():
    with pytest.raises(Invalid, match="没有这个类别 / No such category"):
        domain.must_be_known("category", "0199", False)


# -- who --------------------------------------------------------------------------------------------------------------

days = st.integers(-4, 4).map(lambda n: DAY + timedelta(days=n))
maybe_days = st.none() | days
leaves = st.fixed_dictionaries(
    {
        "absence": st.uuids().map(str),
        "since": days.map(str),
        "until": days.map(str),
        "substitute": st.none() | st.sampled_from(PEOPLE),
        "back": maybe_days.map(lambda day: day and str(day)),
    }
)
terms = st.fixed_dictionaries(
    {
        "term": st.uuids().map(str),
        "person": st.sampled_from(PEOPLE),
        "since": days.map(str),
        "until": maybe_days.map(lambda day: day and str(day)),
        "substitute": st.none() | st.sampled_from(PEOPLE),
    }
)


def is_away(who: str, all_leaves: dict, day: date) -> bool:
    """The naive reading: walk every day of every leave."""
    for leave in all_leaves.get(who, []):
        here, last = date.fromisoformat(leave["since"]), date.fromisoformat(leave["until"])
        while here <= last and (leave["back"] is None or here < date.fromisoformat(leave["back"])):
            if here == day:
                return True
            here += timedelta(days=1)
    return False


@given(st.lists(terms, max_size=3), st.dictionaries(st.sampled_from(PEOPLE), st.lists(leaves, max_size=3)), days)
def test_whoever_answers_is_there_and_nobody_is_passed_over(held, all_leaves, day):
    found = domain.who_answers(held, all_leaves, day)
    running = [
        term for term in held if term["since"] <= str(day) and (term["until"] is None or str(day) <= term["until"])
    ]
    if not running:
        assert found["person"] is None and found["instead_of"] is None
        return
    term = sorted(running, key=lambda term: (term["since"], term["term"]))[-1]
    holder = term["person"]
    if not is_away(holder, all_leaves, day):
        assert (found["person"], found["instead_of"]) == (holder, None)
        return
    running_leaves = [each for each in all_leaves[holder] if is_away(holder, {holder: [each]}, day)]
    running_leaves.sort(key=lambda each: (each["since"], each["absence"]), reverse=True)
    stand_ins = [each["substitute"] for each in running_leaves] + [term["substitute"]]
    expected = next((who for who in stand_ins if who and not is_away(who, all_leaves, day)), None)
    assert (found["person"], found["instead_of"]) == (expected, holder)


def test_a_leave_that_ended_before_it_began_never_was():
    leave = {"absence": "a", "since": "2026-11-20", "until": "2026-11-30", "substitute": "li", "back": "2026-11-20"}
    assert not any(domain.away_on([leave], DAY + timedelta(days=n)) for n in range(-10, 10))


def told(*steps: tuple[int, str, dict]) -> dict:
    """Give what identity told of somebody, with the day of November on which it did."""
    return {f"n{n}": {"fact": fact, "on": f"2026-11-{day:02}", **data} for n, (day, fact, data) in enumerate(steps, 1)}


def test_whoever_is_suspended_dismissed_or_moved_answers_no_more_from_that_day_on():
    here = {"roles": ["specialist"], "department": "chengguan"}
    there = {"roles": ["lead"], "department": "shuiwu"}
    steps = (
        (1, "admitted", here),
        (5, "suspended", {}),
        (7, "resumed", {}),
        (9, "moved", there),
        (12, "dismissed", {}),
    )
    leaves = {"a": domain.absences_of(told(*steps))}
    held = [{"term": "t", "person": "a", "since": "2026-01-01", "until": None, "substitute": "b"}]

    def answers(post: str) -> list[str]:
        days = (date(2026, 11, n) for n in (1, 4, 5, 6, 7, 8, 9, 11, 12, 30))
        return "".join(domain.who_answers(held, leaves, day, post)["person"] for day in days)

    assert answers("chengguan") == "aabbaabbbb"
    assert answers("shuiwu") == "bbbbbbaabb"
    found = domain.who_answers([held[0] | {"substitute": None}], leaves, date(2026, 11, 12), "chengguan")
    assert (found["person"], found["instead_of"]) == (None, "a") and "停用" in found["why"]
    assert domain.absences_of({}) == [], "of whom nothing was heard nothing is said"
    head = domain.absences_of(told((1, "admitted", {"roles": ["secretary"], "department": ""})))
    assert domain.away_on(head, date(2026, 11, 2), "head") == [] != domain.away_on(head, date(2026, 11, 2), "chengguan")


def test_the_nearest_seat_with_somebody_in_it_answers():
    of_street = [{"term": "t", "person": "ma", "since": "2026-01-01", "until": None, "substitute": None}]
    gone = [{"term": "u", "person": "li", "since": "2026-01-01", "until": None, "substitute": None}]
    seats = {"chengguan@110102009041": gone, "chengguan@110102009000": of_street}
    away = {"li": [{"absence": "a", "since": "2026-11-01", "until": "2026-12-01", "substitute": None, "back": None}]}
    assert domain.answer_for("chengguan", PATH, seats, {}, DAY)["person"] == "li"
    assert domain.answer_for("chengguan", PATH, seats, away, DAY)["person"] == "ma"
    assert domain.answer_for("chengguan", PATH, {}, {}, DAY)["why"].startswith("没有任何人在岗")
    alone = domain.answer_for("chengguan", PATH, {"chengguan@110102009041": gone}, away, DAY)
    assert (alone["person"], alone["instead_of"], alone["seat"]) == (None, "li", "chengguan@110102009041")


def test_at_home_it_is_the_steward_of_the_building_and_else_the_head_of_the_station():
    building = "110102009041.C0001.B0001"
    assert domain.seats_for("community", [building, "110102009041"]) == [
        *(f"steward@{building}", "steward@110102009041"), *(f"head@{building}", "head@110102009041"),
    ]  # fmt: skip
    steward = [{"term": "t", "person": "sun", "since": "2026-01-01", "until": None, "substitute": None}]
    head = [{"term": "u", "person": "zheng", "since": "2026-01-01", "until": None, "substitute": None}]
    seats = {f"steward@{building}": steward, "head@110102009041": head}
    assert domain.answer_for("community", [building, "110102009041"], seats, {}, DAY)["person"] == "sun"
    assert domain.answer_for("community", ["110102009041"], seats, {}, DAY)["person"] == "zheng"


def test_terms_and_leaves_are_the_same_in_whatever_order_they_were_heard():
    steps = {
        "n1": {"fact": "appointed", "term": "t", "person": "ma", "since": "2026-01-01", "until": None},
        "n2": {"fact": "term_ended", "term": "t", "until": "2026-10-31"},
        "n10": {"fact": "term_ended", "term": "t", "until": "2026-09-30"},
        "n11": {"fact": "appointed", "term": "u", "person": "li", "since": "2026-10-01", "until": None},
    }
    made = [domain.terms_of(dict(order)) for order in permutations(steps.items())]
    assert all(each == made[0] for each in made)
    assert [(term["person"], term["until"]) for term in made[0]] == [("ma", "2026-09-30"), ("li", None)]


# -- the tree ---------------------------------------------------------------------------------------------------------


def test_a_merged_community_leads_to_its_successor_from_its_day_on():
    merged = {"merged": {"into": "110102009041", "since": "2026-11-24"}}
    units = {"110102009038": merged, "110102009041": {"absorbed": {"110102009038": True}}}
    before = DAY - timedelta(days=1)
    assert domain.path_of("110102009038", units, DAY) == ["110102009038", *PATH[2:]]
    assert domain.path_of("110102009038", units, before) == ["110102009038", *PATH[3:]]
    assert domain.with_absorbed(["110102009041"], units, DAY) == ["110102009041", "110102009038"]
    assert domain.with_absorbed(["110102009041"], units, before) == ["110102009041"]
    assert domain.successors("110102009038", units, DAY) == ["110102009038", "110102009041"]


def test_a_tree_that_runs_in_a_circle_ends():
    units = {"a": {"into": "b"}, "b": {"into": "a"}}
    assert domain.path_of("a", units, DAY) == domain.successors("a", units, DAY) == ["a", "b"]


def test_a_place_goes_along_when_its_community_is_split():
    units = {"110102009041.01": {"parent": "110102009041", "moved": {"110102009041": "110102009099"}}}
    assert domain.path_of(BUILDING, units, DAY) == [*PATH[:2], "110102009099", *PATH[3:]]


def test_settings_come_from_above_and_a_pilots_hold_for_pilots():
    units = {"110102009041": {"pilot": "试点社区"}}
    settings = {
        "110102009000": {"settings": {"report_within": 200}, "pilot_settings": {"resident_whistle": True}},
        "110102009041": {"settings": {"report_within": 100}, "pilot_settings": {}},
    }
    here = domain.settings_at({"departments": ["x1"], "report_within": 500}, PATH[2:], units, settings)
    assert here == {"departments": ["x1"], "report_within": 100, "resident_whistle": True}
    street = domain.settings_at({"report_within": 500}, PATH[3:], units, settings)
    assert street == {"report_within": 200}


def test_a_steward_of_a_building_is_not_kept_from_that_post_by_what_identity_told():
    told = {"n1": {"fact": "admitted", "roles": ["steward"], "department": "", "on": "2026-01-01"}}
    assert not domain.is_barred(domain.absences_of(told), date(2026, 11, 25), "steward")
    assert domain.is_barred(domain.absences_of(told), date(2026, 11, 25), "head")
