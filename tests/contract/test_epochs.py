"""What is untold, on the real database: a note lasts until all under it was told, and whoever finds one tells it."""

import os
import uuid
from datetime import timedelta

import pymongo
import pytest

from deploy import database as ours
from services import epochs
from services.entrypoints import TIMER
from services.epochs import rows_of
from shared.caller import Caller
from shared.running import clock, real_now
from tests.fault.bell.contract import fired, hung
from tests.fault.bell.store import Deadlines
from tests.make import Mute, fresh

HERE = Caller("110102", "zheng")


class Telling(Mute):
    """A process that remembers what it was given to tell."""

    def __init__(self, database):
        super().__init__(database)
        self.given = []

    def begin(self, ledger):
        return self.epochs.begin(ledger)

    def tell(self, *saved):
        self.given.append(saved)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    given, home = os.environ.get("MONGO_URI"), tmp_path_factory.mktemp("database")
    uri = ours.with_options(given, {**ours.PROMISES, **ours.PATIENCE}) if given else ours.start(home).admin_uri
    opened: pymongo.MongoClient = pymongo.MongoClient(uri, tz_aware=True)
    yield opened
    opened.close()
    if not given:
        ours.stop(home)


@pytest.fixture
def database(client):
    name = f"huying_contract_{uuid.uuid4().hex[:8]}"
    Deadlines.prepare(client[name])
    yield client[name]
    client.drop_database(name)


@pytest.fixture
def process(database):
    return Telling(database)


def saved(database, process, *facts, words: dict | None = None) -> str:
    """Save a deadline as the service would; gives its id."""
    id, told = fresh(), facts or (hung,)
    Deadlines(database, HERE, clock.now, process).begin(
        id, lambda state, **_: [each(number=1, words=words or {}) for each in told]
    )
    return id


def notes(database) -> list[dict]:
    return list(database["deadlines_untold"].find({}))


def later(database, **by) -> None:
    """Let time go by for every note."""
    for note in notes(database):
        change = {name: note[name] - timedelta(**by) for name in ("at", "untold_since")}
        database["deadlines_untold"].update_one({"_id": note["_id"]}, {"$set": change})


def claimed(database) -> epochs.Share | None:
    return epochs.claim(Deadlines(database, TIMER, clock.now))


def settle(database, share) -> None:
    epochs.settle(Deadlines(database, TIMER, clock.now), share)


def told(process, n: int) -> None:
    ledger, epoch, row, entries = process.given[n]
    epoch.end(row["_id"], "said" not in row)


def test_all_that_is_saved_at_a_time_has_one_note_which_goes_when_all_of_it_was_told(database, process, monkeypatch):
    one, other = saved(database, process, words={"note": "好"}), saved(database, process)
    [note] = notes(database)
    assert {row["record"] for row in database["deadlines_words"].find(rows_of(note["_id"]))} == {
        f"110102/{one}", f"110102/{other}",
    }  # fmt: skip
    told(process, 0)
    monkeypatch.setattr(epochs, "LONG", 0.0)
    process.epochs.strike()
    assert notes(database) == [note], "the other is not told"
    assert not process.epochs.is_struck
    told(process, 1)
    process.epochs.strike()
    assert notes(database) == [] and process.epochs.is_struck
    [left] = database["deadlines_words"].find({})
    assert left["record"] == f"110102/{one}", "words stay, what only said that something is untold goes"


def test_nothing_begins_under_an_old_note(database, process, monkeypatch):
    saved(database, process)
    monkeypatch.setattr(epochs, "LONG", 0.0)
    saved(database, process)
    assert len(notes(database)) == 2


def test_a_note_that_cannot_be_saved_refuses_the_save_and_the_next_tries_anew(database, process, monkeypatch):
    def away(*_):
        raise pymongo.errors.AutoReconnect("away")

    with monkeypatch.context() as patched:
        patched.setattr(pymongo.collection.Collection, "insert_one", away)
        with pytest.raises(pymongo.errors.AutoReconnect):
            saved(database, process)
    assert database["deadlines"].count_documents({}) == 0 and process.given == []
    assert saved(database, process) and len(notes(database)) == 1


def test_a_late_note_is_told_whole_and_nothing_else(database, process):
    one = saved(database, process, hung, fired, words={"note": "好"})
    other = saved(database, process)
    assert claimed(database) is None, "it is not late"
    later(database, seconds=4)
    process.epochs.close(Deadlines)
    saved(database, process)  # under a note of its own, which is young
    share = claimed(database)
    assert [(row["record"], [each["fact"] for each in entries]) for row, entries in share.saved] == [
        (row["record"], ["hung", "fired"] if row["record"] == f"110102/{one}" else ["hung"]) for row, _ in share.saved
    ]
    assert {row["record"] for row, _ in share.saved} == {f"110102/{one}", f"110102/{other}"}
    assert claimed(database) is None, "it is somebody's for three seconds"
    settle(database, share)
    assert len(notes(database)) == 2, "something may still be on its way to the database"
    later(database, seconds=4)
    again = claimed(database)
    assert [row["record"] for row, _ in again.saved if row["first"] == 1 and row["last"] == 2] == [], "nothing twice"
    settle(database, again)
    later(database, seconds=20)
    settle(database, claimed(database))
    assert notes(database) == []


def test_what_was_announced_and_is_not_there_yet_is_waited_for(database, process):
    words = database["deadlines_words"]
    saved(database, process)
    epoch, ref = process.begin(Deadlines)
    words.insert_one(
        {"_id": ref, "record": "110102/unborn", "district": "110102", "first": 1, "last": 1, "at": real_now()}
    )
    later(database, minutes=1)
    share = claimed(database)
    assert sorted(bool(entries) for _, entries in share.saved) == [False, True]
    settle(database, share)
    assert len(notes(database)) == 1 and words.find_one({"_id": ref})
    later(database, minutes=1)
    [(row, entries)] = claimed(database).saved
    assert (row["record"], entries) == ("110102/unborn", [])
    later(database, minutes=10)
    settle(database, claimed(database))
    assert notes(database) == []
