"""Three replicas of one service and no leader: each deadline fires once, and each tells its share, whoever dies."""

import signal
import time
from datetime import timedelta

import psutil
import pytest

from deploy import topology
from services import epochs, proof
from services.epochs import rows_of
from shared.caller import Caller
from shared.running import clock, real_now
from tests.fault.belfry import DISTRICT
from tests.fault.bell.contract import fired, hung
from tests.fault.bell.store import Deadlines
from tests.make import Mute, eventually, fresh

HUNG, UNTOLD, STEPS = 200, 600, 4
TIMER = Caller(DISTRICT, "timer", ("timer",))


@pytest.fixture
def three(belfry):
    """Three replicas of the bell, on an empty database."""
    belfry.stop()
    for collection in ("deadlines", "deadlines_words", "strokes"):
        belfry.database[collection].delete_many({})
    Deadlines.prepare(belfry.database)
    belfry.start(3)
    yield belfry
    belfry.stop()


def hang(belfry, ids: list[str], *facts) -> None:
    """Record deadlines as the service would, and leave them to be told by whoever finds them."""
    deadlines = Deadlines(belfry.database, TIMER, clock.now, Mute(belfry.database))
    for number, id in enumerate(ids):
        deadlines.begin(id, lambda state, number=number, **_: [fact(number=number) for fact in facts])


def heard(belfry) -> list[str]:
    return [row["_id"] for row in belfry.database["strokes"].find({}, {"_id": 1})]


def untold(belfry) -> list[dict]:
    """Give what is saved under a note and not told; what a killed replica only announced is not among it."""
    rows, beside = belfry.database["deadlines"], belfry.database["deadlines_words"]
    versions = {row["_id"]: row["version"] for row in rows.find({}, {"version": 1})}
    notes = belfry.database["deadlines_untold"].find({})
    saved = [row for note in notes for row in beside.find(rows_of(note["_id"])) if not row.get("told")]
    return [row for row in saved if versions.get(row["record"], 0) >= row["last"]]


def test_each_deadline_fires_once_though_a_replica_is_killed_in_the_middle(three):
    ids = [fresh() for _ in range(HUNG)]
    rows = three.database["deadlines"]
    hang(three, ids, hung)
    eventually(lambda: rows.count_documents({"state.is_open": False}) > 20, 30, every=0.02)
    victim = three.replicas[-1]
    victim.send_signal(signal.SIGKILL)
    victim.wait(10)
    assert rows.count_documents({"state.is_open": True}) > 0, "it was killed too late: nothing was due any more"
    eventually(lambda: rows.count_documents({"state.is_open": True}) == 0, 60)
    for row in rows.find({}):
        assert [entry["fact"] for entry in row["history"]] == ["hung", "fired"], row["_id"]
    assert rows.count_documents({}) == HUNG
    # Told by the survivors even where the victim had recorded and not yet told; in effect once.
    eventually(lambda: len(heard(three)) == HUNG, 20)
    assert sorted(heard(three)) == sorted(f"bell/{DISTRICT}/{id}/2" for id in ids)
    eventually(lambda: not untold(three), 20)
    assert not [broken for _, broken in proof.every(Deadlines(three.database, TIMER, clock.now)) if broken]


def test_three_replicas_tell_what_is_untold_each_a_share(three, monkeypatch):
    ids = [fresh() for _ in range(UNTOLD)]
    # Not yet late while they are written, and all late at the same moment.
    monkeypatch.setattr(epochs, "real_now", lambda: real_now() + timedelta(hours=1))
    hang(three, ids, *[hung] * (STEPS - 1), fired)  # enough that one cannot do it all before the others look
    before = published(three)
    assert len(untold(three)) == UNTOLD
    three.database["deadlines_untold"].update_many({}, {"$set": {"untold_since": real_now() - timedelta(hours=1)}})
    eventually(lambda: len(heard(three)) == UNTOLD, 60)
    eventually(lambda: not untold(three), 20)
    assert sorted(heard(three)) == sorted(f"bell/{DISTRICT}/{id}/{STEPS}" for id in ids)

    def told() -> dict[int, int]:
        return {pid: count - before.get(pid, 0) for pid, count in published(three).items()}

    # The broker counts what each connection published, some seconds behind.
    eventually(lambda: sum(told().values()) >= STEPS * UNTOLD, 20, every=0.5)
    time.sleep(2)
    shares = told()
    assert all(shares[replica.pid] > 0 for replica in three.replicas[-3:]), f"one did nothing: {shares}"
    # A share is claimed by one guarded write, so hardly anything is told by two of them.
    assert sum(shares.values()) < STEPS * UNTOLD * 1.1, shares


def published(belfry) -> dict[int, int]:
    """Give how many messages each replica has published with confirms, that is told, by the broker's own count."""
    ports = {
        each.laddr.port: replica.pid
        for replica in belfry.replicas
        if replica.poll() is None
        for each in psutil.Process(replica.pid).net_connections("tcp")
        if each.raddr
    }
    found = {replica.pid: 0 for replica in belfry.replicas if replica.poll() is None}
    for channel in topology.Management(belfry.settings.management()).ask("GET", "channels"):
        port = (channel.get("connection_details") or {}).get("peer_port")
        if port in ports and channel.get("confirm"):
            found[ports[port]] += (channel.get("message_stats") or {}).get("publish", 0)
    return found
