"""The views of open work on the real database: what an inbox touches, and numbers that several give at once."""

import os
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pymongo
import pytest
from pymongo import monitoring

from deploy import database as ours
from services.ledger import Record
from services.whistle.domain import calling
from services.whistle.domain import open as domain
from services.whistle.domain.open import Look
from services.whistle.domain.whistles import Whistle, evolve
from services.whistle.store import Open, Own, Register, Whistles, register
from shared.caller import Caller
from shared.contracts import whistle as contract
from tests.make import WANMINGYUAN, Mute, fresh

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DISTRICT, STREET = "110102", "110102009000"
HERE = Caller(DISTRICT, "zheng")
CLOSED = 2000


class Listening(monitoring.CommandListener):
    """Notes the questions that the database is asked, and counts all that it is told to do."""

    def __init__(self):
        self.finds: list[dict] = []
        self.commands: list[str] = []

    def started(self, event):
        self.commands.append(event.command_name)
        if event.command_name == "find":
            self.finds.append(dict(event.command))

    def succeeded(self, event):
        pass

    failed = succeeded


@pytest.fixture(scope="module")
def listening():
    return Listening()


@pytest.fixture(scope="module")
def client(tmp_path_factory, listening):
    given, home = os.environ.get("MONGO_URI"), tmp_path_factory.mktemp("database")
    uri = ours.with_options(given, {**ours.PROMISES, **ours.PATIENCE}) if given else ours.start(home).admin_uri
    opened: pymongo.MongoClient = pymongo.MongoClient(uri, tz_aware=True, event_listeners=[listening])
    yield opened
    opened.close()
    if not given:
        ours.stop(home)


@pytest.fixture(scope="module")
def database(client):
    name = f"huying_open_{uuid.uuid4().hex[:8]}"
    for kind in (Open, Own, Register, Whistles):
        kind.prepare(client[name])
    yield client[name]
    if os.environ.get("MONGO_URI"):  # the embedded one goes with its folder; to drop so much takes it half a minute
        client.drop_database(name)


def a_whistle(n: int, person: str = "ma", closed: bool = False) -> Whistle:
    """Give a whistle of 万明园 that calls 城管 and 住建, due at its own minute."""
    due = (NOW + timedelta(minutes=n)).isoformat()
    dues = {"chengguan": [{"department": "chengguan", "clock": "sign", "due": due}], "zhujian": []}
    facts = [("blown", {"kind": "综合执法", "category": "0101", "community": WANMINGYUAN, "called": list(dues)})]
    facts += [("called", {"department": name, "role": "lead", "person": person, "dues": dues[name]}) for name in dues]
    facts += [("settled", {"result": "unsolved"})] * closed
    state = Whistle()
    for fact, data in facts:
        at = NOW - timedelta(minutes=n)
        state = evolve(state, fact, data | {"lon": 116.34, "lat": 39.93}, at, "zheng")
    return state


@pytest.fixture(scope="module")
def view(database):
    """Give a view of 60 whistles that are open, 50 of them 马's, beside two thousand that are closed."""
    found = Open(database, HERE, lambda: NOW)
    rows = {}
    for n in range(CLOSED + 60):
        id, state = str(uuid.UUID(int=n)), a_whistle(n, "ma" if n % 6 else "li", closed=n < CLOSED)
        rows[id] = {"_id": f"{DISTRICT}/{id}", "id": id, "version": 4, "state": vars(state)}
    whole = list(rows.values())
    for at in range(0, len(whole), 200):
        found.rows("whistles").insert_many(whole[at : at + 200])
    kept = [
        {"_id": row["_id"], **domain.settled_row(id, Whistle(**row["state"])), "version": 4}
        for id, row in list(rows.items())[:CLOSED]
    ]
    for at in range(0, CLOSED, 200):
        found.rows("settled_whistles").insert_many(kept[at : at + 200])
    for id in list(rows)[CLOSED:]:
        found.refresh(id, 4)
    return found


def touched(database, listening: Listening, ask) -> tuple[object, int]:
    """Ask; give the answer and how many documents that touches, of which each has to be found by an index."""
    listening.finds.clear()
    answer, total = ask(), 0
    for asked in list(listening.finds):
        question = {name: asked[name] for name in ("find", "filter", "sort", "limit", "projection") if name in asked}
        if "_id" in asked["filter"]:  # the embedded database does so by ids, too, and explains it as a scan
            total += len(asked["filter"]["_id"]["$in"])
            continue
        said = database.command("explain", question, verbosity="executionStats")
        assert "COLLSCAN" not in str(said), question
        total += said["executionStats"]["totalDocsExamined"]
    return answer, total


@pytest.mark.parametrize(
    ("look", "most"),
    [
        (Look(person="ma", department="chengguan"), 100),
        (Look(department="chengguan"), 60),
        (Look(community=WANMINGYUAN), 60),
        (Look(street=STREET), 60),
        (Look(district=DISTRICT), 60),
    ],
)
def test_an_inbox_touches_what_is_open_there_and_nothing_of_what_is_closed(database, listening, view, look, most):
    communities = [look.community] if look.community else []
    page, count = touched(database, listening, lambda: view.page(look, communities, 50, None, None, None))
    assert len(page["items"]) == 50 and count <= most
    dues = [row["due"] for row in page["items"] if row["due"]]
    assert dues and dues == sorted(dues)
    _, count = touched(database, listening, lambda: view.page(look, communities, 50, page["next"], None, None))
    assert count < most
    _, count = touched(database, listening, lambda: view.whistles_of(page["items"]))
    assert count <= 50


def test_counts_touch_a_few_tallies_and_no_row_however_much_is_open(database, listening, view):
    by_look = {
        Look(person="ma", department="chengguan"): {"called": 50},
        Look(department="chengguan"): {"called": 60},
        Look(community=WANMINGYUAN): {"dispatched": 60},
        Look(street=STREET): {"dispatched": 60},
        Look(district=DISTRICT): {"dispatched": 60},
    }
    for look, stages in by_look.items():
        communities = [look.community] if look.community else []
        counts, count = touched(database, listening, lambda at=(look, communities): view.counts(*at, None))
        assert counts == {"stages": stages, "total": sum(stages.values())}
        assert count <= domain.SHARDS


def test_what_was_settled_at_a_place_is_found_by_its_category_and_cell(database, listening, view):
    place = {"lon": 116.34, "lat": 39.93, "unit": None}
    rows, count = touched(database, listening, lambda: view.at("open_whistles", "0101", domain.places_of(place, 50)))
    assert len(rows) == count == 60
    rows, count = touched(database, listening, lambda: view.at("settled_whistles", "0102", domain.places_of(place, 50)))
    assert rows == [] and count == 0


def test_the_timer_touches_what_rings_by_now_and_nothing_that_will_never_ring(database, listening, view):
    timer = Open(database, Caller(roles=("timer",)), lambda: NOW)
    found, count = touched(database, listening, timer.due)
    assert (found, count) == ([], 0)
    # The embedded database reads every null below an end that is open, and counts none of them in its explanation.
    assert set(listening.finds[0]["filter"]["wake"]) == {"$gt", "$lte"}
    for n, minutes in ((1, -2), (2, 0), (3, 5)):
        row = {"_id": f"{DISTRICT}/{uuid.UUID(int=CLOSED + n)}"}
        database["open_whistles"].update_one(row, {"$set": {"wake": NOW + timedelta(minutes=minutes)}})
    found, count = touched(database, listening, timer.due)
    assert found == [(DISTRICT, str(uuid.UUID(int=CLOSED + n))) for n in (1, 2)] and count == 2
    database["open_whistles"].update_many({"wake": {"$gt": NOW - timedelta(days=1)}}, {"$set": {"wake": None}})


def test_an_act_costs_five_round_trips(listening, view, database):
    id = str(uuid.UUID(int=CLOSED + 1))
    row = database["whistles"].find_one({"_id": f"{DISTRICT}/{id}"})
    state = evolve(Whistle(**row["state"]), "signed", {"department": "chengguan", "person": "ma"}, NOW, "ma")
    database["whistles"].update_one({"_id": row["_id"]}, {"$set": {"version": 5, "state": vars(state)}})
    listening.commands.clear()
    view.refresh(id, 5)
    assert listening.commands == ["find", "find", "update", "update", "update"]
    view.refresh(id, 4)  # one that was late
    listening.commands.clear()
    view.refresh(id, 4)
    view.refresh(id, 5)
    assert set(listening.commands) == {"find"}


def test_what_is_open_is_whole_and_each_thing_that_differs_is_named(view, database):
    verifier = Open(database, Caller(roles=("timer",)), lambda: NOW)
    assert verifier.differing() == []
    id = str(uuid.UUID(int=CLOSED + 7))
    database["open_whistles"].update_one({"_id": f"{DISTRICT}/{id}"}, {"$set": {"stage": "answered"}})
    database["open_summonses"].delete_one({"_id": f"{DISTRICT}/{id}/zhujian"})
    unknown = fresh()
    ghost = {"_id": f"{DISTRICT}/{unknown}", "district": DISTRICT, "whistle": unknown, "turn": "~", "version": 1}
    database["open_whistles"].insert_one(ghost)
    shard = domain.shard_of(WANMINGYUAN, id)
    database["tallies"].update_one({"_id": shard}, {"$inc": {f"whistles.{WANMINGYUAN}.dispatched": 1}})
    said = verifier.differing()
    assert [each.partition(":")[0] for each in said] == [
        f"whistle/{shard}", *sorted([f"whistle/{DISTRICT}/{id}"] * 2 + [f"whistle/{ghost['_id']}"]),
    ]  # fmt: skip
    assert sum("open_summonses" in each for each in said) == 1
    database["tallies"].update_one({"_id": shard}, {"$inc": {f"whistles.{WANMINGYUAN}.dispatched": -1}})
    database["open_whistles"].delete_one({"_id": ghost["_id"]})
    database["open_whistles"].update_one({"_id": f"{DISTRICT}/{id}"}, {"$set": {"version": 3}})
    view.refresh(id, 4)
    assert verifier.differing() == []


# -- numbers ----------------------------------------------------------------------------------------------------------


class Replica:
    """A process that numbers whistles: it shares nothing with the others but the database."""

    def __init__(self, database):
        self.whistles = Whistles(database, HERE, lambda: NOW, Mute())
        self.register = Register(database, HERE, lambda: NOW)

    def number(self, id: str, dies: bool = False) -> None:
        def enter(whose: str, n: int) -> None:
            if dies:
                raise ConnectionError("killed between the register and the whistle")
            self.whistles.change(whose, calling.enter, number=f"{n:04}", recurrence_of=None)

        self.register.take(STREET, 2026, id, enter)


def test_numbers_are_consecutive_and_each_whistle_has_one_whoever_gives_them_at_once_or_dies(database, monkeypatch):
    class Alone(dict):
        def setdefault(self, key, default):
            return default  # nobody waits for anybody, as in processes of their own

    monkeypatch.setattr(register, "TURNS", Alone())
    replicas = [Replica(database) for _ in range(4)]
    ids = [fresh() for _ in range(16)]
    for id in ids:
        blown = contract.blown(kind="综合执法", category="0101", community=WANMINGYUAN, called=["chengguan"])
        replicas[0].whistles.record(Record(id, DISTRICT, 0, Whistle()), [blown], NOW)
    with pytest.raises(ConnectionError):
        replicas[0].number(ids[0], dies=True)
    told = [*ids[1:], *ids[:9]]  # some of them twice, and the one that was cut off
    threads = [threading.Thread(target=lambda n=n: [replicas[n].number(id) for id in told[n::4]]) for n in range(4)]
    [each.start() for each in threads]
    [each.join(120) for each in threads]
    numbers = [replicas[0].whistles.bare(id).state.number for id in ids]
    assert sorted(numbers) == [f"{n:04}" for n in range(1, 17)]
    assert numbers[0] == "0001"
    assert [replicas[0].whistles.bare(id).version for id in ids] == [2] * 16


def test_ones_own_whistles_come_newest_first_and_page_by_page(database):
    own = Own(database, HERE, lambda: NOW)
    ids = [fresh() for _ in range(7)]
    for n, id in enumerate(ids):
        own.add("zheng", id, f"2026-11-24T02:20:{n // 2:02}.000Z")
        own.add("zheng", id, f"2026-11-24T02:20:{n // 2:02}.000Z")
        own.add("somebody else", fresh(), "2026-11-25T02:20:00.000Z")
    found, after = [], None
    while True:
        page = own.page(3, after)
        found += page["ids"]
        after = page["next"]
        if after is None:
            break
    assert sorted(found) == sorted(ids)
    assert [ids.index(id) // 2 for id in found] == [3, 2, 2, 1, 1, 0, 0]
