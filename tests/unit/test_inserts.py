"""Inserts that come together go together, and each is answered for itself."""

import eventlet
import pytest
from bson.codec_options import CodecOptions
from bson.errors import InvalidDocument
from pymongo.errors import AutoReconnect, BulkWriteError, DuplicateKeyError, WriteError, WTimeoutError

from services.inserts import MOST, Inserts


class FakeCollection:
    """Keeps rows by their ids, slowly; refuses a second one, and what it was told to refuse."""

    codec_options = CodecOptions()

    def __init__(self, log: list, name: str):
        self.log, self.name, self.kept, self.away, self.unsure = log, name, {}, None, []

    def insert_many(self, rows, ordered):
        assert not ordered
        eventlet.sleep(0.01)
        if self.away:
            raise self.away
        self.log.append((self.name, [row["_id"] for row in rows]))
        wrong = []
        for place, row in enumerate(rows):
            if row["_id"] in self.kept or row.get("bad"):
                wrong.append({"index": place, "code": 121 if row.get("bad") else 11000, "errmsg": "no"})
            else:
                self.kept[row["_id"]] = dict(row)
        if wrong or self.unsure:
            raise BulkWriteError({"writeErrors": wrong, "writeConcernErrors": self.unsure})

    def insert_one(self, row):
        try:
            self.insert_many([row], ordered=False)
        except BulkWriteError as error:
            wrong = [each["code"] for each in error.details["writeErrors"]]
            raise DuplicateKeyError("no", 11000) if wrong == [11000] else WriteError("no") from None


@pytest.fixture
def log() -> list:
    return []


@pytest.fixture
def inserts(log) -> Inserts:
    return Inserts((FakeCollection(log, "words"), FakeCollection(log, "records")))


def outcome(inserts: Inserts, id, **more):
    """Insert a row along the whole way; gives the error, if any."""
    try:
        inserts.insert([[{"_id": id} | more.get("words", {})], [{"_id": id} | more.get("record", {})]])
    except Exception as error:
        return type(error)


def all_at_once(inserts: Inserts, *ids) -> list:
    """Insert these while another is under way, so that they go together; gives what each of them heard."""
    another = eventlet.spawn(outcome, inserts, "another")
    threads = [eventlet.spawn(outcome, inserts, id) for id in ids]
    heard = [each.wait() for each in threads]
    another.wait()
    return heard


def test_who_comes_alone_goes_at_once_words_first(inserts, log):
    assert outcome(inserts, "a") is None
    assert log == [("words", ["a"]), ("records", ["a"])]


def test_who_comes_while_another_is_under_way_goes_together_afterwards(inserts, log):
    assert all_at_once(inserts, *"abc") == [None] * 3
    assert log == [(name, ids) for ids in (["another"], list("abc")) for name in ("words", "records")]
    assert not inserts.waiting and not inserts.is_going


def test_a_round_has_its_bound(inserts, log):
    assert set(all_at_once(inserts, *map(str, range(MOST + 1)))) == {None}
    assert [len(ids) for _, ids in log] == [1, 1, MOST, MOST, 1, 1]


def test_a_twin_is_refused_and_its_neighbours_are_not(inserts):
    inserts.way[1].kept["b"] = {}
    assert all_at_once(inserts, *"abc") == [None, DuplicateKeyError, None]
    assert outcome(inserts, "b") is DuplicateKeyError


def test_whose_words_were_not_saved_has_no_record(inserts, log):
    inserts.way[0].kept["b"] = {}
    assert all_at_once(inserts, *"abc") == [None, DuplicateKeyError, None]
    assert log[-1] == ("records", ["a", "c"])


def test_of_several_words_one_that_was_not_saved_is_enough_to_have_no_record(inserts, log):
    inserts.way[0].kept["b, second"] = {}
    several = [{"_id": "b, first"}, {"_id": "b, second"}]
    first = eventlet.spawn(outcome, inserts, "a")
    second = eventlet.spawn(inserts.insert, [several, [{"_id": "b"}]])
    third = eventlet.spawn(outcome, inserts, "c")
    with pytest.raises(DuplicateKeyError):
        second.wait()
    assert [first.wait(), third.wait()] == [None, None]
    assert log[2:] == [("words", ["b, first", "b, second", "c"]), ("records", ["c"])]


def test_what_cannot_be_written_as_bson_fails_alone(inserts, log):
    strange = eventlet.spawn(outcome, inserts, "b", record={"what": object()})
    assert all_at_once(inserts, *"ac") == [None, None]
    assert strange.wait() is InvalidDocument
    assert "b" not in inserts.way[0].kept


def test_what_the_database_refuses_for_another_reason_is_no_twin(inserts):
    first = eventlet.spawn(outcome, inserts, "first")
    bad = eventlet.spawn(outcome, inserts, "b", record={"bad": True})
    assert all_at_once(inserts, *"ac") == [None, None]
    assert bad.wait() is WriteError
    assert first.wait() is None


def test_a_promise_that_was_not_kept_is_nobodys(inserts):
    inserts.way[1].unsure = [{"code": 64, "errInfo": {"wtimeout": True}, "errmsg": "late"}]
    inserts.way[1].kept["b"] = {}
    assert all_at_once(inserts, *"abc") == [WTimeoutError, DuplicateKeyError, WTimeoutError]


def test_all_hear_that_the_database_is_away_and_the_next_find_it_again(inserts):
    inserts.way[1].away = AutoReconnect("away")
    assert all_at_once(inserts, *"abc") == [AutoReconnect] * 3
    inserts.way[1].away = None
    assert outcome(inserts, "d") is None
    assert not inserts.is_going


def test_who_is_cut_off_under_way_leaves_nobody_waiting(inserts):
    first = eventlet.spawn(outcome, inserts, "a")
    eventlet.sleep(0.005)
    second = eventlet.spawn(outcome, inserts, "b")
    eventlet.sleep(0)
    first.kill()
    assert second.wait() is None


def test_nobody_works_for_someone_who_has_left(inserts, log):
    first = eventlet.spawn(outcome, inserts, "a")
    eventlet.sleep(0.005)
    gone = eventlet.spawn(outcome, inserts, "b")
    eventlet.sleep(0)
    gone.kill()
    assert outcome(inserts, "c") is None
    assert first.wait() is None
    assert log[2:] == [("words", ["c"]), ("records", ["c"])]
