"""The broker or the database is away, or hangs: every call is told so in time, and all catches up alone."""

import contextlib
import threading
import time
from xmlrpc.client import Fault

import pytest
import requests

from deploy.settings import SERVICES
from tests.fault.harm import CATCH_UP, MARGIN, PATIENCE, Writers, depth, frozen, is_well, parked, recount, stopped
from tests.make import Client, a_blow, eventually

QUICK, LONG, WAITING = 7, 60, 5_000


@pytest.fixture(scope="module")
def asking(platform):
    """Somebody who is signed in before anything goes wrong."""
    is_well(platform)
    return Client(platform.url, "wmy")


def asked_meanwhile(client: Client, seconds: float, at_once: int = 4) -> list[tuple[int, float]]:
    """Ask all the time, reading and writing, from several threads; gives each status and how long it took."""
    found, until = [], time.monotonic() + seconds

    def ask(number: int) -> None:
        # Not the client's own session: a connection each.
        headers = dict(client.session.headers)
        while time.monotonic() < until:
            began = time.monotonic()
            if number % 2:
                answer = requests.post(f"{client.url}/v1/whistles", json=a_blow(), headers=headers, timeout=30)
            else:
                answer = requests.get(f"{client.url}/v1/whistles", headers=headers, timeout=30)
            found.append((answer.status_code, time.monotonic() - began))
            time.sleep(0.2)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 40)
    return found


def each_is_told_in_time(found: list[tuple[int, float]]) -> None:
    """Judge the answers of a time when nothing could be done."""
    assert len(found) >= 4
    assert {status for status, _ in found} == {503}
    assert max(took for _, took in found) <= PATIENCE + MARGIN


def readiness(url: str) -> int:
    return requests.get(f"{url}/readyz", timeout=10).status_code


def writes_before(platform, path, writes: int) -> Writers:
    """Have clients write something first, and go on while things are away."""
    writers = Writers(platform.url, path, "--writes", "100000", "--seconds", "400", "--clients", "4", "--pace", "0.1")
    writers.wait_for(writes, 60)
    return writers


def all_catches_up(platform, path, writers: Writers, back: float) -> dict:
    """Wait until the clients' promises are kept, and recount."""
    is_well(platform)
    writers.wait_for(writers.count() + 20, 60)
    saw = writers.finish()
    found = saw | recount(platform.url, path, "--since", str(max(back, time.time())))
    assert found["ok"], found
    assert (found["lost"], found["twins"], found["wrong"]) == (0, 0, 0)
    assert not saw["strange"], saw
    assert saw["longest"] <= PATIENCE + MARGIN
    assert parked(platform) == {}
    return found


def while_the_broker_is(platform, tmp_path, asking, away, seconds: float) -> None:
    with writes_before(platform, tmp_path / "book", 20) as writers:
        with away(platform, "broker"):
            # A hanging broker is noticed by its silence only; callers are told within their deadline all the while.
            each_is_told_in_time(asked_meanwhile(asking, seconds))
            if away is stopped or seconds == LONG:
                assert readiness(platform.url) == 503
                assert all(not platform.is_ready(name) for name in SERVICES)
        all_catches_up(platform, tmp_path / "book", writers, time.time())


def while_the_database_is(platform, tmp_path, asking, away, seconds: float) -> None:
    with writes_before(platform, tmp_path / "book", 20) as writers:
        with away(platform, "database"):
            each_is_told_in_time(asked_meanwhile(asking, seconds))
            assert all(not platform.is_ready(name) for name in SERVICES)
        all_catches_up(platform, tmp_path / "book", writers, time.time())


def test_callers_are_told_in_time_while_the_broker_is_away(platform, tmp_path, asking):
    while_the_broker_is(platform, tmp_path, asking, stopped, QUICK)


def test_callers_are_told_in_time_while_the_broker_hangs(platform, tmp_path, asking):
    while_the_broker_is(platform, tmp_path, asking, frozen, QUICK)


def test_callers_are_told_in_time_while_the_database_hangs(platform, tmp_path, asking):
    while_the_database_is(platform, tmp_path, asking, frozen, QUICK)


def again(platform) -> int:
    """Count how often a fact was sent round through the broker's delay, by the figures' own log."""
    return (platform.home / "logs" / "figures.log").read_text().count('"outcome": "again"')


def with_facts_waiting(platform, path, asking, name: str, waiting: int, seconds: float, clients: int) -> dict:
    """Blow while nobody counts, take the broker or the database away, bring all back and recount."""
    words = ("--writes", str(waiting), "--seconds", "1500", "--clients", str(clients), "--only", "blow")
    before, tried = depth(platform, "figures.facts"), again(platform)
    platform.stop_one("figures")
    try:
        with Writers(platform.url, path, *words) as writers:
            writers.process.wait(1500)
            saw = writers.finish()
        assert saw["writes"] == waiting
        eventually(lambda: depth(platform, "figures.facts") - before >= waiting, 30)
        if name == "database":
            # Hearing has begun when the database goes: what is in hand goes round through the broker's delay.
            platform.start_one("figures")
            eventually(lambda: depth(platform, "figures.facts") - before < waiting, 30, every=0.02)
        with stopped(platform, name):
            each_is_told_in_time(asked_meanwhile(asking, seconds))
            if name == "database":
                assert again(platform) > tried and parked(platform) == {}
    finally:
        with contextlib.suppress(Fault):  # it runs already
            platform.start_one("figures")
    is_well(platform)
    back = time.time()
    found = recount(platform.url, path, "--since", str(back), "--limit", str(10 + waiting / 20), seconds=600)
    assert found["ok"], found
    assert parked(platform) == {}
    return saw | found


def test_facts_that_wait_while_the_database_is_away_are_all_heard(platform, tmp_path, asking):
    found = with_facts_waiting(platform, tmp_path / "book", asking, "database", 300, QUICK, 8)
    assert found["caught_up"] <= CATCH_UP


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["broker", "database"])
def test_five_thousand_facts_that_wait_a_minute_are_all_heard(platform, tmp_path, record_property, name):
    is_well(platform)
    asking = Client(platform.url, "wmy")
    found = with_facts_waiting(platform, tmp_path / "book", asking, name, WAITING, LONG, 16)
    measured = {"away": name, "seconds": LONG, "facts": found["facts"], "caught_up": found["caught_up"]}
    record_property("facts waiting", measured)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["broker", "database"])
@pytest.mark.parametrize("away", [stopped, frozen])
def test_a_minute_without_it_is_borne(platform, tmp_path, name, away):
    is_well(platform)
    asking = Client(platform.url, "wmy")
    (while_the_broker_is if name == "broker" else while_the_database_is)(platform, tmp_path, asking, away, LONG)
