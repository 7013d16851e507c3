"""Working time is counted as the State Council's notice and the Civil Code say, and never guessed."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.calendar import HOURS, Calendar, YearUnknown
from shared.rules.days import BEIJING

NATIONAL = Calendar()
# 2023–2026 with room for ninety working days before the tables end.
MOMENTS = st.datetimes(datetime(2023, 1, 1), datetime(2026, 5, 31)).map(lambda naive: naive.replace(tzinfo=UTC))
MINUTES = st.integers(0, 200 * 60).map(lambda minutes: minutes / 60)


def beijing(*parts):
    return datetime(*parts, tzinfo=BEIJING)


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2026, 1, 1), False),  # 元旦
        (date(2026, 1, 4), True),  # a Sunday, made up for
        (date(2026, 2, 14), True),  # a Saturday before 春节, made up for
        (date(2026, 2, 16), False),  # 除夕, a Monday
        (date(2026, 2, 23), False),  # the last of nine days
        (date(2026, 2, 24), True),
        (date(2026, 2, 28), True),  # a Saturday, made up for
        (date(2026, 9, 20), True),  # a Sunday before 国庆, made up for
        (date(2026, 9, 25), False),  # 中秋, a Friday
        (date(2026, 10, 1), False),
        (date(2026, 10, 7), False),  # the last of seven days, a Wednesday
        (date(2026, 10, 8), True),
        (date(2026, 10, 10), True),  # a Saturday, made up for
        (date(2026, 10, 11), False),  # an ordinary Sunday
        (date(2026, 7, 8), True),  # an ordinary Wednesday
    ],
)
def test_2026_is_worked_as_the_state_council_said(day, worked):
    assert NATIONAL.is_workday(day) is worked


def test_a_limit_of_three_working_days_set_before_national_day_ends_after_it():
    ends = NATIONAL.add_working(beijing(2026, 9, 30, 10), 3, "days")
    # 8 and 9 October, and Saturday the 10th, which makes up for the holiday.
    assert ends == beijing(2026, 10, 10, 18)


def test_a_limit_in_days_leaves_out_the_day_it_begins_and_ends_when_the_office_closes():
    assert NATIONAL.add_working(beijing(2026, 7, 6, 8), 1, "days") == beijing(2026, 7, 7, 18)
    assert NATIONAL.add_working(beijing(2026, 7, 6, 23), 1, "days") == beijing(2026, 7, 7, 18)


def test_four_working_hours_begun_on_a_friday_afternoon_end_on_monday_morning():
    assert NATIONAL.add_working(beijing(2026, 7, 3, 16), 4) == beijing(2026, 7, 6, 11)


def test_the_lunch_hour_is_nobodys_working_time():
    assert NATIONAL.add_working(beijing(2026, 7, 6, 11, 30), 1) == beijing(2026, 7, 6, 13, 30)
    assert NATIONAL.working_between(beijing(2026, 7, 6, 11), beijing(2026, 7, 6, 14)) == timedelta(hours=2)


def test_a_day_begins_at_midnight_in_beijing_not_in_greenwich():
    # 18:30 UTC on Thursday 8 October is half past two on Friday morning in Beijing.
    ends = NATIONAL.add_working(datetime(2026, 10, 8, 18, 30, tzinfo=UTC), 1, "days")
    assert ends == beijing(2026, 10, 10, 18)
    assert ends.tzinfo is UTC


def test_nothing_added_is_the_moment_itself():
    moment = beijing(2026, 10, 3, 4, 5)
    assert NATIONAL.add_working(moment, 0) == NATIONAL.add_working(moment, 0, "days") == moment


def test_a_year_without_data_is_said_not_guessed():
    with pytest.raises(YearUnknown) as said:
        NATIONAL.is_workday(date(2027, 1, 4))
    assert said.value.year == 2027
    chinese, english = str(said.value).split(" / ")
    assert "2027 年" in chinese and "known_years" in chinese
    assert "2027" in english and "extra" in english
    assert isinstance(said.value, ValueError)


def test_a_limit_that_runs_into_an_unknown_year_is_said_too():
    with pytest.raises(YearUnknown):
        NATIONAL.add_working(beijing(2026, 12, 31, 17), 2)
    with pytest.raises(YearUnknown):
        NATIONAL.add_working(beijing(2026, 12, 31, 9), 1, "days")
    with pytest.raises(YearUnknown):
        NATIONAL.workdays_between(date(2003, 12, 30), date(2004, 1, 5))


def test_a_limit_that_ends_on_the_last_known_day_needs_no_next_year():
    assert NATIONAL.add_working(beijing(2026, 12, 31, 17), 1) == beijing(2026, 12, 31, 18)
    assert NATIONAL.working_between(beijing(2026, 12, 31, 9), beijing(2026, 12, 31, 23)) == timedelta(hours=8)


def test_a_district_fills_the_table_of_a_new_year_itself():
    filled = Calendar({date(2027, 1, 1): False, date(2027, 1, 3): True}, {2027})
    assert not filled.is_workday(date(2027, 1, 1))
    assert filled.is_workday(date(2027, 1, 3))
    assert filled.is_workday(date(2027, 1, 4))
    assert not filled.is_workday(date(2027, 1, 9))
    with pytest.raises(YearUnknown):
        filled.is_workday(date(2028, 1, 4))


def test_one_known_day_does_not_make_its_year_known():
    one = Calendar({date(2027, 1, 1): False})
    assert not one.is_workday(date(2027, 1, 1))
    with pytest.raises(YearUnknown):
        one.is_workday(date(2027, 1, 4))


def test_a_districts_own_day_wins_over_the_nations():
    own = Calendar({date(2026, 10, 1): True, date(2026, 7, 8): False})
    assert own.is_workday(date(2026, 10, 1))
    assert not own.is_workday(date(2026, 7, 8))
    assert own.is_workday(date(2026, 7, 9))


def test_a_calendar_does_not_change_under_the_hand_that_made_it():
    table = {date(2026, 10, 1): True}
    own = Calendar(table)
    table[date(2026, 10, 1)] = False
    assert own.is_workday(date(2026, 10, 1))
    with pytest.raises(TypeError):
        own.extra[date(2026, 10, 2)] = True


@pytest.mark.parametrize(
    ("amount", "unit", "hours"),
    [
        (-1, "hours", HOURS),
        (-1, "days", HOURS),
        (1.5, "days", HOURS),
        (float("nan"), "hours", HOURS),
        (float("inf"), "days", HOURS),
        (1, "weeks", HOURS),
        (1, "hours", ()),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(amount, unit, hours):
    with pytest.raises(ValueError, match=" / "):
        NATIONAL.add_working(beijing(2026, 7, 6, 9), amount, unit, hours)


def test_a_moment_without_its_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        NATIONAL.add_working(datetime(2026, 7, 6, 9), 1)
    with pytest.raises(ValueError, match="zone"):
        NATIONAL.working_between(datetime(2026, 7, 6, 9), datetime(2026, 7, 6, 10))


@given(MOMENTS, MINUTES)
def test_working_hours_added_and_measured_again_agree(moment, amount):
    ends = NATIONAL.add_working(moment, amount)
    assert NATIONAL.working_between(moment, ends) == timedelta(hours=amount)
    assert NATIONAL.working_between(ends, moment) == -timedelta(hours=amount)


@given(MOMENTS, st.integers(0, 90))
def test_working_days_added_and_counted_again_agree(moment, amount):
    first = moment.astimezone(BEIJING).date()
    last = NATIONAL.add_working(moment, amount, "days").astimezone(BEIJING).date()
    assert NATIONAL.workdays_between(first, last) == amount
    assert amount == 0 or NATIONAL.is_workday(last)


@given(MOMENTS, MINUTES.filter(bool))
def test_a_limit_in_hours_ends_while_the_office_is_open(moment, amount):
    ends = NATIONAL.add_working(moment, amount).astimezone(BEIJING)
    assert NATIONAL.is_workday(ends.date())
    assert any(opens < ends.time() <= closes for opens, closes in HOURS)
    assert ends - moment >= timedelta(hours=amount)


@given(MOMENTS, MOMENTS, MINUTES, MINUTES)
def test_who_begins_later_or_gets_more_time_never_ends_earlier(one, other, few, many):
    (one, other), (few, many) = sorted((one, other)), sorted((few, many))
    assert NATIONAL.add_working(one, few) <= NATIONAL.add_working(one, many) <= NATIONAL.add_working(other, many)


@given(MOMENTS, MOMENTS, MOMENTS)
def test_working_time_of_two_stretches_is_that_of_the_whole(a, b, c):
    a, b, c = sorted((a, b, c))
    between = NATIONAL.working_between
    assert between(a, b) + between(b, c) == between(a, c)


@given(MOMENTS, MINUTES)
def test_other_office_hours_are_counted_as_they_are(moment, amount):
    evening = ((time(18), time(21)),)
    ends = NATIONAL.add_working(moment, amount / 2, hours=evening)
    assert NATIONAL.working_between(moment, ends, evening) == timedelta(hours=amount / 2)
    if amount:
        assert time(18) < ends.astimezone(BEIJING).time() <= time(21)
