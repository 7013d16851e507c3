"""Facts that are slow, that fail, that are poison, that come twice or late: each has its road, and calls never wait."""

import json
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid

import pika
import pymongo
import pytest

from deploy import database, parked, topology
from deploy.settings import ROOT
from shared.contract import Call
from shared.contracts.forms import Order
from shared.errors import Unavailable
from tests.fault.belfry import a_fact, tell
from tests.fault.bell.contract import Rung, ring
from tests.fault.harm import depth, is_well
from tests.make import eventually

NOWHERE = "199901"  # a district that is none: what is told about it concerns nobody


def connection(platform, user: str) -> pika.BlockingConnection:
    return pika.BlockingConnection(pika.URLParameters(platform.settings.amqp_uri(user)))


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def rings(bell, count: int) -> list[float]:
    """Ring again and again; gives how long each answer took."""
    found = []
    for _ in range(count):
        began = time.monotonic()
        bell.ring()
        found.append(time.monotonic() - began)
    return found


def parked_for(platform, service: str) -> dict[str, str]:
    """Give what is parked for a service: ``{fact's id: reason}``; it stays there."""
    with connection(platform, "operator") as opened:
        found = [
            (properties.message_id, parked.reason(properties)[0])
            for _, properties, _ in parked.waiting(opened.channel(), service)
        ]
    assert len(dict(found)) == len(found), "the same fact is parked twice"
    return dict(found)


def operator(platform, *words: str) -> subprocess.CompletedProcess:
    """Run the operator's program, as ``make parked``, ``make replay`` and ``make drop`` do."""
    argv = [sys.executable, "-m", "deploy.parked", *words]
    return subprocess.run(argv, cwd=ROOT, env=platform.environment(), capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module", autouse=True)
def leave_no_trace(platform):
    """Take what was invented out of the figures again: they are the witness that `make verify` believes."""
    yield
    heard = database_of(platform, "figures")["heard"]
    for bucket in heard.find({"district": NOWHERE}, {"_id": 1}):
        heard.delete_one({"_id": bucket["_id"]})


def database_of(platform, service: str):
    return pymongo.MongoClient(database.service_uri(platform.settings, service))[f"huying_{service}"]


def a_blown(version: int = 1, **changes) -> dict:
    """Give the fact that a whistle was blown in no district of ours."""
    data = {"kind": "群众诉求", "category": "0102", "community": f"{NOWHERE}001001", "called": ["water"], **changes}
    return a_fact("whistle", "blown", data, version=version, district=NOWHERE)


# -- calls and facts ----------------------------------------------------------------------------------------------


def test_slow_facts_never_make_a_call_wait(bell):
    quiet = rings(bell, 100)
    slow = bell.strike(*["slow"] * 30)
    eventually(lambda: len(bell.strokes(slow)) >= 10)
    busy = rings(bell, 100)
    begun = len(bell.strokes(slow))
    assert 10 <= begun < 30, f"{begun} of 30: the calls were not made while slow facts were in hand"
    # In one pool of ten with the facts, most of a hundred calls would have waited for a slow one, three seconds each.
    said = f"quiet p95 {p95(quiet):.3f} s, busy p95 {p95(busy):.3f} s, longest {max(busy):.3f} s"
    assert p95(busy) < 1.5 and sum(busy) < 60, said
    eventually(lambda: all(bell.outcomes(id) for id in slow), 15)
    assert bell.strokes(slow) == dict.fromkeys(slow, 1)


def test_a_passing_failure_comes_back_later_and_later_and_is_handled(bell, platform):
    failing = bell.strike(*["passing"] * 30)
    (good,) = bell.strike("good")
    began = time.monotonic()
    # Thirty wait and ten are handled at once: if a handler slept until its next attempt, this one would have to wait.
    eventually(lambda: bell.strokes([good]), 3)
    assert time.monotonic() - began < 1.5
    attempts = {}
    for wait in (1_000, 3_000):
        eventually(lambda wait=wait: depth(platform, f"bell.wait.{wait}") > 0, 10, every=0.02)
        attempts[wait] = peek(platform, f"bell.wait.{wait}").headers["x-attempt"]
    assert attempts == {1_000: 1, 3_000: 2}
    eventually(lambda: bell.strokes(failing) == dict.fromkeys(failing, 3), 20)
    for id in failing:
        eventually(lambda id=id: len(bell.outcomes(id)) == 3)
        (first, again), (second, once_more), (third, done) = bell.outcomes(id)
        assert (again, once_more, done) == ("again", "again", "ok")
        assert second - first >= 0.5, "the pause before the second attempt"
        assert third - second >= 1.5, "the pause before the third attempt"
    # Not all at the same moment: the pauses are jittered.
    seconds = [bell.outcomes(id)[1][0] - bell.outcomes(id)[0][0] for id in failing]
    assert max(seconds) - min(seconds) > 0.02
    assert not set(failing) & set(parked_for(platform, "bell"))


def peek(platform, queue: str):
    """Look at the first message of a queue and leave it there; gives its properties."""
    with pika.BlockingConnection(pika.URLParameters(platform.settings.amqp_admin_uri())) as opened:
        channel = opened.channel()
        for _ in range(50):
            method, properties, _ = channel.basic_get(queue)
            if method:
                channel.basic_nack(method.delivery_tag, requeue=True)
                return properties
            time.sleep(0.02)
    raise AssertionError(f"nothing in {queue}")


# -- poison -------------------------------------------------------------------------------------------------------


def test_a_thousand_poison_facts_beside_a_thousand_good_ones_harm_nobody(bell, platform):
    known = set(parked_for(platform, "bell"))
    ids = bell.strike(*["good", "poison"] * 1_000)
    good, poison = set(ids[::2]), set(ids[1::2])
    eventually(lambda: len(bell.strokes(ids)) == 2_000, 200, every=0.5)
    eventually(lambda: depth(platform, "bell.parked") - len(known) == 1_000, 30)
    assert set(bell.strokes(ids)) == good | poison
    found = parked_for(platform, "bell")
    assert set(found) - known == poison
    assert {found[id] for id in poison} == {"KeyError: 'this stroke cannot be handled'"}
    eventually(lambda: depth(platform, "bell.facts") == 0)


def test_poison_is_shown_with_its_reason_replayed_by_an_operator_and_dropped_with_a_reason(platform):
    is_well(platform)
    incomplete = a_blown()
    del incomplete["data"]["called"]
    unreadable = a_blown()
    ids = tell(platform.settings, "whistle", [incomplete, (unreadable, "一行文字".encode())])
    eventually(lambda: depth(platform, "figures.parked") == 2)
    shown = operator(platform, "list").stdout
    assert all(id in shown for id in ids), shown
    assert "does not fit its contract: {'called'" in shown and "JSONDecodeError" in shown
    assert depth(platform, "figures.parked") == 2, "looking takes nothing away"

    # Nothing was mended: replayed, it is parked again, and it alone.
    assert "replayed: 1" in operator(platform, "replay", "figures", ids[0]).stdout
    eventually(lambda: ids[0] in parked_for(platform, "figures") and depth(platform, "figures.facts") == 0)
    assert set(parked_for(platform, "figures")) == set(ids)

    refused = operator(platform, "drop", "figures", ids[0])
    assert refused.returncode != 0 and "needs a reason" in refused.stderr
    assert set(parked_for(platform, "figures")) == set(ids)
    for id in ids:
        dropped = operator(platform, "drop", "figures", id, "--because=a test's own")
        assert "dropped: 1" in dropped.stdout and "a test's own" in dropped.stdout
    assert depth(platform, "figures.parked") == 0


def test_what_an_operator_replays_comes_in_the_operators_name_and_is_handled(bell, platform):
    """The fact is good, but was told by somebody who is not believed; the operator vouches for it."""
    fact = a_fact("bell", "struck", {"manner": "good", "number": 1})
    tell(platform.settings, "admin", [fact], uri=platform.settings.amqp_admin_uri())
    eventually(lambda: fact["id"] in parked_for(platform, "bell"))
    assert parked_for(platform, "bell")[fact["id"]] == "ValueError: admin does not tell this"
    assert bell.strokes([fact["id"]]) == {}
    bell.stop()
    assert parked.settle(platform.settings.amqp_uri("operator"), "replay", "bell", fact["id"], None) == 1
    eventually(lambda: depth(platform, "bell.facts") == 1)
    seen = peek(platform, "bell.facts")
    assert (seen.message_id, seen.user_id) == (fact["id"], "operator")
    assert "x-attempt" not in (seen.headers or {}) and "x-reason" not in (seen.headers or {})
    bell.start()
    eventually(lambda: bell.strokes([fact["id"]]) == {fact["id"]: 1})
    assert fact["id"] not in parked_for(platform, "bell")


# -- twice, late, again and again ---------------------------------------------------------------------------------


def test_the_same_fact_twice_counts_once(platform):
    is_well(platform)
    fact = a_blown()
    tell(platform.settings, "whistle", [fact, fact])
    tell(platform.settings, "whistle", [fact])
    heard = database_of(platform, "figures")["heard"]

    def rows() -> list[str]:
        return [row["id"] for bucket in heard.find({"district": NOWHERE}) for row in bucket["heard"]]

    eventually(lambda: fact["id"] in rows())
    eventually(lambda: depth(platform, "figures.facts") == 0)
    time.sleep(0.5)
    assert rows().count(fact["id"]) == 1
    assert sum(bucket["count"] for bucket in heard.find({"district": NOWHERE})) == len(rows())


def test_a_fact_that_comes_late_does_not_undo_a_newer_one(platform):
    is_well(platform)
    key, settings = str(uuid.uuid4()), database_of(platform, "whistle")["settings"]
    newer, late = (
        a_fact("roster", "settings_changed", {"change": str(uuid.uuid4()), "settings": {"departments": [name]}},
               key, version, NOWHERE)
        for version, name in ((3, "newer"), (2, "older"))
    )  # fmt: skip
    settings.delete_one({"_id": NOWHERE})
    tell(platform.settings, "roster", [newer, late, newer])
    eventually(lambda: settings.find_one({"_id": NOWHERE}))
    eventually(lambda: depth(platform, "whistle.facts") == 0)
    time.sleep(0.5)
    kept = settings.find_one({"_id": NOWHERE})
    assert (kept["version"], kept["settings"]) == (3, {"departments": ["newer"]})
    settings.delete_one({"_id": NOWHERE})


def test_a_fact_whose_hearer_dies_of_it_every_time_is_parked_by_the_broker(platform):
    is_well(platform)
    platform.stop_one("figures")
    fact, deaths = a_blown(), 0
    try:
        tell(platform.settings, "whistle", [fact])
        eventually(lambda: depth(platform, "figures.facts") == 1)
        limit = topology.FACTS["x-delivery-limit"]
        while depth(platform, "figures.facts") and deaths <= limit + 2:
            taken_and_died(platform)
            deaths += 1
            time.sleep(0.05)
        assert deaths == limit + 1
        eventually(lambda: depth(platform, "figures.parked") == 1)
        shown = operator(platform, "list").stdout
        assert fact["id"] in shown and "broker: delivery_limit" in shown, shown
    finally:
        platform.start_one("figures")
    eventually(lambda: platform.is_ready("figures"), 30)
    assert "replayed: 1" in operator(platform, "replay", "figures", fact["id"]).stdout
    heard = database_of(platform, "figures")["heard"]
    eventually(lambda: heard.find_one({"district": NOWHERE, "heard.id": fact["id"]}))
    assert depth(platform, "figures.parked") == 0


def taken_and_died(platform) -> None:
    """Take one fact as its service would, and be gone without a word."""
    opened = connection(platform, "figures")
    method = None
    while method is None:
        method, _, _ = opened.channel().basic_get("figures.facts")
        time.sleep(0 if method else 0.02)
    own = opened._impl._transport._sock
    own.shutdown(socket.SHUT_RDWR)
    own.close()
    eventually(lambda: depth(platform, "figures.facts") or depth(platform, "figures.parked"))


# -- deadlines ----------------------------------------------------------------------------------------------------


def test_no_work_is_done_for_someone_who_has_left(bell, platform):
    before = bell.ring()
    workers = [threading.Thread(target=lambda: bell.ring(3, patience=20)) for _ in range(16)]
    for worker in workers:
        worker.start()
    time.sleep(0.5)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        bell.ring(0, patience=1)
    assert 0.9 < time.monotonic() - began < 1.5
    for worker in workers:
        worker.join()
    assert bell.ring() == before + 17
    # Where the broker could not know that nobody waits any more, the service does.
    with connection(platform, "gateway") as opened:
        headers = {**bell.caller().headers(), "deadline": f"{time.time() - 0.1:.3f}"}
        properties = pika.BasicProperties(user_id="gateway", headers=headers, delivery_mode=1)
        opened.channel().basic_publish("calls", "bell.ring", json.dumps({"seconds": 0}).encode(), properties)
    eventually(lambda: [line for line in bell.log() if line.get("outcome") == "left"])
    assert bell.ring() == before + 18


def test_a_service_that_is_down_is_unavailable_within_the_deadline(bell):
    bell.stop()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        bell.ring(0, patience=2)
    assert time.monotonic() - began < 2.5
    bell.start()
    count = bell.ring()
    assert count == 1, "what nobody waited for any more was not done later either"


def test_a_service_that_hangs_is_unavailable_within_the_deadline(bell):
    import signal

    running = next(replica for replica in bell.replicas if replica.poll() is None)
    before = bell.ring()
    running.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            bell.ring(0, patience=2)
        assert time.monotonic() - began < 2.5
    finally:
        running.send_signal(signal.SIGCONT)
    assert bell.ring() == before + 1


def test_a_service_that_nobody_knows_is_unavailable_at_once(belfry, platform):
    """Its queue is gone, so the broker gives the question back instead of keeping it until the deadline."""
    belfry.stop()
    api = topology.Management(platform.settings.management())
    api.ask("DELETE", "queues", platform.settings.vhost, "bell.calls")
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            belfry.ring(0, patience=5)
        assert time.monotonic() - began < 0.5
    finally:
        belfry.declare()


def test_a_call_that_the_gateway_may_not_ask_harms_no_other(bell):
    """The broker refuses it and closes the channel: its asker is told at once, the next finds the bus there."""
    unknown = Call("nobody", "nothing", Order(), Rung())
    began = time.monotonic()
    with pytest.raises(Unavailable):
        bell.bus.ask(unknown, {}, bell.caller(), 5)
    assert time.monotonic() - began < 1
    eventually(lambda: bell.bus.connected)
    assert bell.bus.ask(ring, {"seconds": 0}, bell.caller())["count"] >= 1
