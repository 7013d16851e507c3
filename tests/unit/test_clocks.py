"""Limits: most specific first, natural and working time, said where unknown, rung once, shifted by a rest."""

from datetime import date, datetime, timedelta

import pytest

from services.whistle.domain import acts, clocks, working
from shared.contracts.settings import CITY, LIMITS, a_limit
from shared.rules.days import BEIJING
from tests.make_whistle import NOW, SECRETARY, STREET_LEAD, a_life, at, given, of

CHENGGUAN = of("chengguan")


def beijing(*when: int) -> datetime:
    return datetime(*when, tzinfo=BEIJING)


def dues(life, department="chengguan") -> dict:
    return {name: each.get("due") for name, each in life.state.summonses[department]["clocks"].items()}


def test_the_limit_of_the_kind_then_of_the_longest_category_decides():
    limits = [
        a_limit("*", "sign", 1, "days"), a_limit("*", "sign", 2, "days", category="01"),
        a_limit("综合执法", "sign", 3, "days"), a_limit("综合执法", "sign", 4, "days", category="0101"),
    ]  # fmt: skip
    chosen = [
        clocks.limit_for(limits, kind, category, "sign")["amount"]
        for kind, category in (("群众诉求", "0201"), ("群众诉求", "0101"), ("综合执法", "0102"), ("综合执法", "0101"))
    ]
    assert chosen == [1, 2, 3, 4]
    assert clocks.limit_for(limits, "综合执法", "0101", "report") is None


def test_limits_run_in_natural_or_in_working_time_from_dispatch_on():
    promised = dues(a_life())  # Tuesday 10:20
    assert promised["sign"] == NOW + timedelta(hours=1)
    assert promised["report"] == beijing(2026, 11, 25, 18), "one working day: when the office closes on the next"
    assert promised["resolve"] == NOW + timedelta(days=7)


def test_what_was_promised_is_frozen_whatever_the_limits_become():
    life = a_life()
    before = dues(life)
    life.world = {"rules": {"limits": [a_limit("*", "resolve", 1, "hours")]}}
    life.do("sign", CHENGGUAN)
    assert dues(life) == before


def test_a_year_whose_holidays_nobody_knows_is_said_and_not_guessed():
    life = a_life(world={"rules": {"limits": [a_limit("*", "resolve", 60, "working_days")]}})
    clock = life.state.summonses["chengguan"]["clocks"]["resolve"]
    assert clock == {"unknown": 2027}
    assert life.state.wake is None
    known = {"rules": {"limits": life.world["rules"]["limits"], "calendar": {"days": [], "years": [2027]}}}
    moves = working.preview(life.state, given(**known))
    assert [(each["clock"], each["due"]) for each in moves] == [("resolve", None)]
    life.do("move_dues", STREET_LEAD, world=known)
    assert dues(life)["resolve"] == moves[0]["would_be"]


def test_a_changed_calendar_moves_nothing_until_somebody_asks_who_saw_the_preview():
    life = a_life(kind="重点工作")
    calendar = {"days": [{"day": "2026-11-26", "worked": False}], "years": []}
    world = {"rules": {"calendar": calendar}}
    before = dues(life)["report"]
    assert before == beijing(2026, 11, 27, 18)
    assert working.preview(life.state, given(**world)) == [
        {"department": "chengguan", "clock": "report", "due": before, "would_be": beijing(2026, 11, 30, 18)}
    ]
    assert dues(life.do("sign", CHENGGUAN, world=world))["report"] == before
    life.do("move_dues", STREET_LEAD, world=world)
    assert dues(life)["report"] == beijing(2026, 11, 30, 18)
    assert working.preview(life.state, given(**world)) == []


def test_it_reminds_before_then_tells_rung_after_rung_each_once():
    life = a_life()
    told = []
    for _ in range(60 * 24 * 4):
        at_once = life.later(minutes=1).ring()
        told += [(life.now - NOW, fact, life.entries[-1]["data"].get("told")) for fact in at_once[:1] if at_once]
        if life.now - NOW > timedelta(days=1, hours=3):
            break
    data = [entry["data"] | {"fact": entry["fact"], "at": entry["at"] - NOW} for entry in life.entries]
    sign = [(each["at"], each.get("told")) for each in data if each.get("clock") == "sign"]
    hour = timedelta(hours=1)
    assert sign == [
        (hour * 0.75, None), (hour, "specialist"), (hour * 5, "lead"), (hour * 25, "street"),
    ]  # fmt: skip
    assert life.state.echelon == "street", "what was told the street is in its hands"
    assert told


def test_what_comes_late_rings_all_at_once_in_order_and_only_once():
    life = a_life().later(days=30)
    rings = life.ring()
    assert rings.count("overdue") == len(CITY["ladder"]) * 5
    assert life.ring() == []
    assert life.state.echelon == "district"


def test_a_clock_that_was_met_in_time_never_rings():
    life = a_life().do("report", CHENGGUAN).later(hours=30)
    assert life.ring() == []


def test_on_account_its_limits_rest_and_then_have_what_was_left():
    life = a_life(kind="重点工作").do("report", CHENGGUAN).later(days=5)
    life.do("put_on_account", STREET_LEAD, review=date(2026, 12, 20))
    assert life.state.wake == beijing(2026, 12, 20, 9), "only the day of review rings"
    life.later(days=10)
    assert life.ring() == []
    life.do("take_off_account", STREET_LEAD)
    assert dues(life)["resolve"] == NOW + timedelta(days=25)
    assert "review" not in life.state.clocks


def test_working_time_that_was_left_is_given_back_as_working_time():
    limits = [a_limit("*", "resolve", 8, "working_hours")]
    life = a_life(world={"rules": {"limits": limits}})  # Tuesday 10:20: due Wednesday 10:20
    assert dues(life)["resolve"] == beijing(2026, 11, 25, 10, 20, 13, 456_000)
    life.later(hours=1).do("put_on_account", STREET_LEAD, review=date(2026, 12, 20))
    life.now = beijing(2026, 11, 27, 17, 20)  # Friday
    life.do("take_off_account", STREET_LEAD)
    # Seven hours were left: forty minutes on Friday, the rest on Monday.
    assert dues(life)["resolve"] == beijing(2026, 11, 30, 16, 20)


def test_the_day_of_review_is_told_the_street():
    life = a_life().do("put_on_account", STREET_LEAD, review=date(2026, 12, 1)).later(days=8)
    assert life.ring() == ["overdue"]
    assert (life.entries[-1]["data"]["clock"], life.entries[-1]["data"]["told"]) == ("review", "street")


def test_the_look_on_the_spot_has_a_limit_that_runs_only_while_it_is_waited_for():
    life = at("answered")
    due = life.state.clocks["confirm"]["due"]
    assert due == acts.calendar_of(CITY).add_working(NOW, 3, "days")
    life.do("confirm", SECRETARY, solved=False)
    assert life.state.clocks["confirm"]["met"] == life.now
    assert all(name != "confirm" for _, name, _ in clocks.running(life.state))


@pytest.mark.parametrize("stage", ["settled", "withdrawn", "merged", "rejected", "awaiting"])
def test_nothing_rings_of_what_has_ended_or_not_begun(stage):
    life = at(stage).later(days=400)
    assert (life.state.wake, life.ring()) == (None, [])


def test_every_limit_of_the_city_can_be_computed():
    for limit in LIMITS:
        assert clocks.due_after(limit, NOW, acts.calendar_of(CITY))["due"] > NOW
