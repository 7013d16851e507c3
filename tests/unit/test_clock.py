"""The one clock: in demo and test it moves forward for everybody, anywhere else it is the real time and stays so."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import Conflict, Forbidden
from shared.running import Clock


@pytest.fixture
def file(tmp_path):
    return str(tmp_path / "clock.json")


def is_near(moment: datetime, other: datetime, seconds: float = 0.5) -> bool:
    return abs((moment - other).total_seconds()) < seconds


@pytest.mark.parametrize("mode", ["production", "", "Demo", "staging"])
def test_in_earnest_the_clock_refuses_to_move(file, mode):
    clock = Clock(file, mode)
    with pytest.raises(Forbidden):
        clock.move(3600)
    with pytest.raises(Forbidden):
        clock.move(0, speed=2)
    assert is_near(clock.now(), datetime.now(UTC))


def test_in_earnest_a_clock_file_that_lies_there_is_not_looked_at(file):
    Clock(file, "demo").move(86_400)
    assert is_near(Clock(file, "production").now(), datetime.now(UTC))


def test_without_a_file_the_clock_refuses_to_move():
    with pytest.raises(Forbidden):
        Clock(None, "demo").move(1)


@pytest.mark.parametrize("mode", ["demo", "test"])
def test_it_moves_forward_for_every_process_that_reads_the_file(file, mode):
    one, other = Clock(file, mode), Clock(file, mode)
    assert is_near(other.now(), datetime.now(UTC))
    one.move(3600)
    time.sleep(0.03)
    assert is_near(other.now(), datetime.now(UTC) + timedelta(hours=1))
    other.move(3600)
    time.sleep(0.03)
    assert is_near(one.now(), datetime.now(UTC) + timedelta(hours=2))


def test_time_does_not_run_backwards(file):
    clock = Clock(file, "demo")
    before = clock.now()
    with pytest.raises(Conflict):
        clock.move(-1)
    assert clock.now() >= before


def test_a_year_can_be_played_in_minutes(file):
    clock = Clock(file, "demo")
    clock.move(0, speed=100_000)
    began, real = clock.now(), time.monotonic()
    time.sleep(0.2)
    passed = (clock.now() - began).total_seconds()
    assert passed == pytest.approx((time.monotonic() - real) * 100_000, rel=0.1)


def test_no_change_of_speed_makes_a_moment_come_twice(file):
    clock, last = Clock(file, "demo"), None
    for speed in (1, 200_000, 0.1, 50_000, 1):
        clock.move(0, speed=speed)
        for _ in range(20):
            now = clock.now()
            assert last is None or now >= last
            last = now
    clock.move(10)
    assert clock.now() >= last + timedelta(seconds=9.9)


def test_the_speed_stays_when_only_the_time_moves(file):
    clock = Clock(file, "demo")
    clock.move(0, speed=60)
    clock.move(86_400)
    assert clock.read()[2] == 60


def test_moves_that_follow_each_other_closely_are_all_seen(file):
    one, other = Clock(file, "demo"), Clock(file, "demo")
    for n in range(1, 41):
        one.move(3600)
        other.looked_at = -1.0
        assert is_near(other.now(), datetime.now(UTC) + timedelta(hours=n), 5), f"move {n} was missed"


def test_a_move_adds_to_what_another_process_did_a_moment_ago(file):
    one, other = Clock(file, "demo"), Clock(file, "demo")
    other.now()
    one.move(3600)
    other.move(3600)
    one.looked_at = -1.0
    assert is_near(one.now(), datetime.now(UTC) + timedelta(hours=2)), "one of two moves was lost"


def test_a_moment_has_whole_milliseconds_and_a_zone(file):
    now = Clock(file, "demo").now()
    assert now.microsecond % 1000 == 0 and now.utcoffset() == timedelta(0)


def test_it_is_moved_for_good(file):
    Clock(file, "demo").move(86_400, speed=2)
    again = Clock(file, "demo")
    assert is_near(again.now(), datetime.now(UTC) + timedelta(days=1), 2) and again.read()[2] == 2
