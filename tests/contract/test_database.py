"""The subset of MongoDB that we rely on, one test each; runs against any ``MONGO_URI``, else the embedded database."""

import ast
import os
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pymongo
import pytest
from pymongo import ASCENDING, DESCENDING, InsertOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from deploy import database as ours
from deploy.catalogue import stores
from shared.contracts import CONTRACTS

ROOT = Path(__file__).parents[2]
WALKED = ("shared", "services", "deploy")
NOW = datetime(2026, 11, 24, 2, 20, 13, 456_000, tzinfo=UTC)

# Everything of pymongo that the code calls, each with the test that shows it. A new line here is a decision: it has
# to be right, and fast, on MongoDB and on the embedded database alike.
METHODS = {
    "insert_one": "test_an_id_is_taken_once",
    "bulk_write": "test_of_many_rows_the_known_ones_are_named_and_the_others_go_in",
    "insert_many": "test_of_many_rows_the_known_ones_are_named_and_the_others_go_in",  # our own, made of bulk_write
    "find_one": "test_what_was_written_comes_back_as_it_was",
    "find": "test_the_history_can_be_left_where_it_is",
    "sort": "test_a_page_is_a_range_sorted_and_limited",
    "limit": "test_a_page_is_a_range_sorted_and_limited",
    "update_one": "test_one_guarded_write_holds_state_version_and_history",
    "update_many": "test_many_change_in_one_round_trip_where_the_guard_holds",
    "delete_one": "test_one_row_is_deleted",
    "delete_many": "test_all_rows_of_a_question_are_deleted_and_no_others",
    "create_index": "test_every_index_of_ours_is_accepted_and_may_be_made_again",
    "command": "test_it_answers_a_ping",
    "close": "test_it_answers_a_ping",
}
OPERATORS = {
    "$set": "test_one_guarded_write_holds_state_version_and_history",
    "$push": "test_one_guarded_write_holds_state_version_and_history",
    "$each": "test_one_guarded_write_holds_state_version_and_history",
    "$unset": "test_one_guarded_write_holds_state_version_and_history",
    "$inc": "test_a_fact_is_counted_once_however_often_it_comes",
    "$ne": "test_a_fact_is_counted_once_however_often_it_comes",
    "$in": "test_many_change_in_one_round_trip_where_the_guard_holds",
    "$gte": "test_days_are_found_between_two_ends",
    "$lt": "test_days_are_found_between_two_ends",
    "$lte": "test_a_page_is_a_range_sorted_and_limited",
    "$gt": "test_codes_are_walked_in_their_order_from_one_on",
    "$regex": "test_what_begins_alike_is_found_by_its_beginning",
    "$pull": "test_one_of_several_codes_is_used_up_once",
}
COMMANDS = {"ping", "hello", "usersInfo", "createUser", "updateUser", "replSetInitiate"}
INDEX_OPTIONS = {"sparse", "expireAfterSeconds", "unique"}
FIND_OPTIONS = {"batch_size"}
# Calls that only share a name with pymongo's: (file, what is called).
NOT_MONGO = {
    ("deploy/settings.py", "probe.bind"),
    ("deploy/local.py", "broker.command"),
    ("deploy/local.py", "database.command"),
    ("shared/contracts/rows.py", "own.distinct"),
    ("shared/contracts/whistle.py", "own.distinct"),
    ("services/whistle/service.py", "self.photos.drop"),
    ("services/whistle/store/whistles.py", "self.drop"),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    given, home = os.environ.get("MONGO_URI"), tmp_path_factory.mktemp("database")
    uri = ours.with_options(given, {**ours.PROMISES, **ours.PATIENCE}) if given else ours.start(home).admin_uri
    opened: pymongo.MongoClient = pymongo.MongoClient(uri, tz_aware=True)
    yield opened
    opened.close()
    if not given:
        ours.stop(home)


@pytest.fixture(scope="module")
def database(client):
    name = f"huying_contract_{uuid.uuid4().hex[:8]}"
    yield client[name]
    client.drop_database(name)


@pytest.fixture
def rows(database, request):
    return database[f"rows_{uuid.uuid4().hex[:8]}"]


def code_of(error: OperationFailure) -> int:
    return error.code


# -- writes -----------------------------------------------------------------------------------------------------------


def test_an_id_is_taken_once(rows):
    rows.insert_one({"_id": "110102/a", "n": 1})
    with pytest.raises(DuplicateKeyError) as refused:
        rows.insert_one({"_id": "110102/a", "n": 2})
    assert code_of(refused.value) == 11000
    assert rows.find_one({"_id": "110102/a"})["n"] == 1


def test_a_person_has_one_login(rows):
    rows.create_index([("person", ASCENDING), ("district", ASCENDING)], unique=True)
    rows.insert_one({"_id": "ma", "person": "p1", "district": "110102"})
    rows.insert_one({"_id": "li", "person": "p1", "district": "110107"})
    with pytest.raises(DuplicateKeyError) as twice:
        rows.insert_one({"_id": "ma2", "person": "p1", "district": "110102"})
    assert twice.value.code == 11000


def test_a_login_belongs_to_one_person(rows):
    rows.insert_one({"_id": "wmy", "person": "one"})
    with pytest.raises(DuplicateKeyError):
        rows.insert_one({"_id": "wmy", "person": "two"})
    rows.insert_one({"_id": "WMY", "person": "three"})  # an id is its exact letters: folding them is our own work
    assert rows.find_one({"_id": "wmy"})["person"] == "one"


def test_one_guarded_write_holds_state_version_and_history(rows):
    rows.insert_one({"_id": "a", "version": 1, "history": [{"n": 1}], "claim": "x", "state": {"stage": "blown"}})
    change = {"$set": {"version": 3, "state": {"stage": "answered"}}, "$unset": {"claim": ""}}
    change["$push"] = {"history": {"$each": [{"n": 2}, {"n": 3}]}}
    done = rows.update_one({"_id": "a", "version": 1}, change)
    assert (done.matched_count, done.modified_count) == (1, 1)
    assert rows.find_one({"_id": "a"}) == {
        "_id": "a", "version": 3, "history": [{"n": 1}, {"n": 2}, {"n": 3}], "state": {"stage": "answered"},
    }  # fmt: skip


def test_a_stale_version_matches_nothing_and_changes_nothing(rows):
    rows.insert_one({"_id": "a", "version": 2, "history": []})
    done = rows.update_one({"_id": "a", "version": 1}, {"$set": {"version": 9}, "$push": {"history": {"$each": [1]}}})
    assert done.matched_count == 0
    assert rows.find_one({"_id": "a"}) == {"_id": "a", "version": 2, "history": []}


def test_a_write_that_finds_nothing_makes_nothing(rows):
    assert rows.update_one({"_id": "a"}, {"$set": {"n": 1}}, upsert=False).matched_count == 0
    assert rows.find_one({"_id": "a"}) is None


def test_found_and_changed_are_counted_apart(rows):
    rows.insert_one({"_id": "a", "n": 1})
    done = rows.update_one({"_id": "a"}, {"$set": {"n": 1}})
    assert (done.matched_count, done.modified_count) == (1, 0)


def test_of_two_guarded_writers_exactly_one_wins(rows):
    wins: list[list[int]] = []
    for turn in range(20):
        rows.insert_one({"_id": turn, "version": 1, "history": []})
        gate, won = threading.Barrier(4), []

        def write(who, key=turn, gate=gate, won=won):
            gate.wait()
            change = {"$set": {"version": 2, "by": who}, "$push": {"history": {"$each": [who]}}}
            if rows.update_one({"_id": key, "version": 1}, change).matched_count:
                won.append(who)

        writers = [threading.Thread(target=write, args=(who,)) for who in range(4)]
        [each.start() for each in writers]
        [each.join(20) for each in writers]
        row = rows.find_one({"_id": turn})
        wins.append(won)
        assert row["history"] == won and [row["by"]] == won, f"turn {turn}: {won} won, {row} is stored"
    assert [len(won) for won in wins] == [1] * 20


def test_a_fact_is_counted_once_however_often_it_comes(rows):
    rows.insert_one({"_id": "bucket", "district": "110102", "heard": [{"id": "f/1"}], "count": 1})

    def hear(id):
        asked = {"_id": "bucket", "heard.id": {"$ne": id}, "district": "110102"}
        return rows.update_one(asked, {"$push": {"heard": {"id": id}}, "$inc": {"count": 1}}).matched_count

    assert [hear("f/1"), hear("f/2"), hear("f/2"), hear("f/3")] == [0, 1, 0, 1]
    row = rows.find_one({"_id": "bucket", "heard.id": "f/2"})
    assert (row["count"], [each["id"] for each in row["heard"]]) == (3, ["f/1", "f/2", "f/3"])
    assert rows.find_one({"_id": "bucket", "heard.id": "f/9"}) is None


def test_one_fact_told_by_many_at_once_is_counted_once(rows):
    rows.insert_one({"_id": "bucket", "heard": [], "count": 0})
    asked, change = {"_id": "bucket", "heard.id": {"$ne": "f"}}, {"$push": {"heard": {"id": "f"}}, "$inc": {"count": 1}}
    tellers = [threading.Thread(target=rows.update_one, args=(asked, change)) for _ in range(8)]
    [each.start() for each in tellers]
    [each.join(20) for each in tellers]
    row = rows.find_one({"_id": "bucket"})
    assert (row["count"], len(row["heard"])) == (1, 1)


def test_many_change_in_one_round_trip_where_the_guard_holds(rows):
    rows.insert_one({"_id": "due", "version": 2, "told": 0, "since": NOW, "claim": "c"})
    rows.insert_one({"_id": "moved on", "version": 3, "told": 0, "since": NOW})
    rows.insert_one({"_id": "too early", "version": 2, "told": -1, "since": NOW})
    rows.insert_one({"_id": "not asked", "version": 2, "told": 0, "since": NOW})
    asked = {"_id": {"$in": ["due", "moved on", "too early"]}, "version": 2, "told": {"$gte": 0}}
    done = rows.update_many(asked, {"$set": {"told": 2}, "$unset": {"since": "", "claim": ""}})
    assert done.matched_count == 1
    assert rows.find_one({"_id": "due"}) == {"_id": "due", "version": 2, "told": 2}
    assert all("since" in rows.find_one({"_id": each}) for each in ("moved on", "too early", "not asked"))


def test_many_are_struck_in_one_round_trip_and_again(rows):
    rows.create_index([("untold_since", ASCENDING)], sparse=True)
    rows.insert_many([{"_id": n, "untold_since": NOW} for n in range(40)] + [{"_id": "words", "said": {}}])
    told = list(range(0, 50, 2))
    assert rows.delete_many({"_id": {"$in": told}}).deleted_count == 20
    assert rows.delete_many({"_id": {"$in": told}}).deleted_count == 0
    late = {"untold_since": {"$lt": NOW + timedelta(seconds=1)}}
    assert sorted(row["_id"] for row in rows.find(late, {"_id": 1})) == list(range(1, 40, 2))
    assert rows.find_one({"_id": "words"})


def test_of_two_claimers_each_row_is_ones_alone(rows):
    rows.create_index([("untold_since", ASCENDING)], sparse=True)
    keys = [f"k{n}" for n in range(40)]
    rows.bulk_write([InsertOne({"_id": key, "untold_since": NOW}) for key in keys], ordered=False)
    late, gate = {"untold_since": {"$lt": NOW + timedelta(seconds=3)}}, threading.Barrier(3)

    def claim(name):
        gate.wait()
        change = {"$set": {"untold_since": NOW + timedelta(seconds=9), "claim": name}}
        counts[name] = rows.update_many({"_id": {"$in": keys}} | late, change).modified_count

    counts: dict[str, int] = {}
    claimers = [threading.Thread(target=claim, args=(name,)) for name in ("a", "b", "c")]
    [each.start() for each in claimers]
    [each.join(20) for each in claimers]
    assert sum(counts.values()) == 40
    owned = [row["claim"] for row in rows.find({"_id": {"$in": keys}})]
    assert {name: owned.count(name) for name in counts} == counts


def test_of_many_rows_the_known_ones_are_named_and_the_others_go_in(rows):
    rows.insert_one({"_id": "b", "old": True})
    with pytest.raises(BulkWriteError) as refused:
        rows.bulk_write([InsertOne({"_id": each}) for each in "abc"], ordered=False)
    assert [each["code"] for each in refused.value.details["writeErrors"]] == [11000]
    assert sorted(row["_id"] for row in rows.find({})) == ["a", "b", "c"]
    assert rows.find_one({"_id": "b"})["old"]


def test_one_row_is_deleted(rows):
    rows.bulk_write([InsertOne({"_id": each, "district": "110102"}) for each in "ab"])
    assert rows.delete_one({"_id": "a", "district": "110107"}).deleted_count == 0
    assert rows.delete_one({"_id": "a", "district": "110102"}).deleted_count == 1
    assert rows.delete_one({"_id": "a"}).deleted_count == 0
    assert [row["_id"] for row in rows.find({})] == ["b"]


# -- reads ------------------------------------------------------------------------------------------------------------


def test_what_was_written_comes_back_as_it_was(rows):
    row = {
        "_id": "110102/a", "at": NOW, "lon": 116.34410000000001, "lat": 39.9312, "none": None, "yes": True,
        "n": 2**53 - 1, "state": {"reports": {"0000": {"at": NOW, "words": None}}, "called": [], "empty": {}},
        "text": "阳台向外扩出一米多🙂\u2028\t", "history": [{"n": 1, "data": {"deep": {"deeper": [1, [2.5, None]]}}}],
    }  # fmt: skip
    rows.insert_one(dict(row))
    assert rows.find_one({"_id": "110102/a"}) == row


def test_a_moment_keeps_its_milliseconds_and_its_zone(rows):
    beijing = NOW.astimezone(datetime.strptime("+0800", "%z").tzinfo)
    rows.insert_one({"_id": 1, "at": beijing})
    rows.insert_one({"_id": 2, "at": NOW.replace(microsecond=456_789)})
    first, second = (rows.find_one({"_id": each})["at"] for each in (1, 2))
    assert first == second == NOW and first.tzinfo is not None and first.utcoffset() == timedelta(0)


def test_the_history_can_be_left_where_it_is(rows):
    rows.insert_one({"_id": "a", "district": "110102", "state": {"stage": "blown"}, "history": [{"n": 1}]})
    assert rows.find_one({"_id": "a"}, {"history": 0}) == {
        "_id": "a", "district": "110102", "state": {"stage": "blown"},
    }  # fmt: skip
    assert list(rows.find({}, {"state": 1}, batch_size=1)) == [{"_id": "a", "state": {"stage": "blown"}}]


def test_rows_come_whole_however_small_the_batches(rows):
    rows.bulk_write([InsertOne({"_id": n}) for n in range(23)], ordered=False)
    assert sorted(row["_id"] for row in rows.find({}, batch_size=5)) == list(range(23))


def test_rows_are_found_by_how_their_ids_begin(rows):
    rows.bulk_write([InsertOne({"_id": f"{n % 3:04x}{n:04x}"}) for n in range(30)] + [InsertOne({"_id": "0001.note"})])
    found = [row["_id"] for row in rows.find({"_id": {"$gte": "00010", "$lt": "0001g"}}, batch_size=4)]
    assert sorted(found) == [f"0001{n:04x}" for n in range(1, 30, 3)]


def test_the_untold_are_found_oldest_first(rows):
    rows.create_index([("untold_since", ASCENDING)], sparse=True)
    for n in range(9):
        moment = {"untold_since": NOW - timedelta(seconds=(n * 5) % 9)} if n % 3 else {}
        rows.insert_one({"_id": n, **moment})
    late = {"untold_since": {"$lt": NOW - timedelta(seconds=1)}}
    found = list(rows.find(late, {"_id": 1, "untold_since": 1}, batch_size=3).sort("untold_since", 1).limit(3))
    ages = [(NOW - row["untold_since"]).total_seconds() for row in found]
    # 5, 1, 2, 7, 8, 4 seconds old: told ones are not among them, nor is the one that is not late.
    assert ages == [8, 7, 5]
    assert len(list(rows.find(late))) == 5


def test_a_page_is_a_range_sorted_and_limited(rows):
    rows.create_index([("district", ASCENDING), ("state.stage", ASCENDING), ("state.blown_at", DESCENDING)])
    rows.create_index([("district", ASCENDING), ("state.blown_at", DESCENDING)])
    for n in range(60):
        at, stage = NOW + timedelta(milliseconds=n // 2), ("blown", "settled")[n % 3 == 0]
        district = ("110102", "110107")[n % 5 == 0]
        state = {"stage": stage, "blown_at": at}
        rows.insert_one({"_id": f"{district}/{n:02}", "id": f"{n:02}", "district": district, "state": state})
    stored = sorted(rows.find({}), key=lambda row: (-row["state"]["blown_at"].timestamp(), row["id"]))
    until = NOW + timedelta(milliseconds=20)
    for asked in ({}, {"state.stage": "blown"}, {"state.stage": "settled"}):
        question = {"district": "110102", **asked, "state.blown_at": {"$lte": until}}
        page = rows.find(question, batch_size=5).sort([("state.blown_at", DESCENDING), ("id", ASCENDING)]).limit(12)
        stage = asked.get("state.stage")
        expected = [
            row["id"]
            for row in stored
            if row["district"] == "110102"
            and row["state"]["blown_at"] <= until
            and stage in (None, row["state"]["stage"])
        ]
        assert [row["id"] for row in page] == expected[:12]


def test_what_is_due_is_found_with_the_moment_itself(rows):
    rows.create_index([("due", ASCENDING)], sparse=True)
    for n in range(4):
        rows.insert_one({"_id": n, "due": NOW + timedelta(milliseconds=n - 2)})
    rows.insert_one({"_id": "never"})
    assert [row["_id"] for row in rows.find({"due": {"$lte": NOW}}).sort("due", 1).limit(100)] == [0, 1, 2]


def test_all_rows_of_a_question_are_deleted_and_no_others(rows):
    made = [{"_id": n, "person": "ab"[n % 2], "began_at": NOW + timedelta(minutes=n)} for n in range(6)]
    rows.bulk_write([InsertOne(row) for row in made])
    asked = {"person": "a", "began_at": {"$lte": NOW + timedelta(minutes=2)}}
    assert (rows.delete_many(asked).deleted_count, rows.delete_many(asked).deleted_count) == (2, 0)
    assert rows.delete_many({"_id": {"$in": [1, 3, 99]}, "person": "b"}).deleted_count == 2
    assert sorted(row["_id"] for row in rows.find({})) == [4, 5]


def test_codes_are_walked_in_their_order_from_one_on(rows):
    for code in ("110102009041", "110102009041.01", "110102009041.01.2", "110102", "110107001012"):
        rows.insert_one({"_id": code, "district": code[:6]})
    asked = {"_id": {"$gt": "110102", "$lt": "110102:"}, "district": "110102"}
    found = [row["_id"] for row in rows.find(asked, batch_size=2).sort("_id", ASCENDING)]
    assert found == ["110102009041", "110102009041.01", "110102009041.01.2"]


def test_what_begins_alike_is_found_by_its_beginning(rows):
    rows.create_index([("district", ASCENDING), ("unit", ASCENDING)])
    for n, unit in enumerate(("110102009041", "110102009042", "110102010001", "110102")):
        rows.insert_one({"_id": n, "district": "110102", "unit": unit})
    found = rows.find({"district": "110102", "unit": {"$regex": "^110102009"}})
    assert sorted(row["_id"] for row in found) == [0, 1]


def test_one_of_several_codes_is_used_up_once(rows):
    rows.insert_one({"_id": "a", "totp": {"codes": ["one", "two"], "step": 3}})
    used = {"_id": "a", "totp.codes": "one"}, {"$pull": {"totp.codes": "one"}}
    assert [rows.update_one(*used).matched_count for _ in "12"] == [1, 0]
    assert rows.find_one({"_id": "a"})["totp"] == {"codes": ["two"], "step": 3}


def test_days_are_found_between_two_ends(rows):
    # From one day on and before another: the embedded database finds nothing with $lte, where more keys follow.
    rows.create_index([("district", ASCENDING), ("day", ASCENDING), ("fact", ASCENDING)])
    for day in range(1, 10):
        for fact in ("blown", "settled"):
            for district in ("110102", "110107"):
                rows.insert_one({"district": district, "day": f"2026-11-0{day}", "fact": fact, "count": day})
    asked = {"district": "110102", "day": {"$gte": "2026-11-03", "$lt": "2026-11-06"}}
    found = sorted((row["day"], row["fact"]) for row in rows.find(asked, {"_id": 0, "count": 0}))
    assert found == [(f"2026-11-0{day}", fact) for day in (3, 4, 5) for fact in ("blown", "settled")]
    assert list(rows.find({"district": "110102", "day": {"$gte": "2027-01-01", "$lt": "2028-01-01"}})) == []
    one = {"district": "110102", "day": "2026-11-03", "fact": "blown"}
    assert [row["count"] for row in rows.find(one, batch_size=64)] == [3]


def test_moments_between_two_ends_are_found_newest_first(rows):
    rows.create_index([("district", ASCENDING), ("state.department", ASCENDING), ("state.rated_at", DESCENDING)])
    for n in range(10):
        for department in ("chengguan", "zhujian"):
            state = {"department": department, "rated_at": NOW + timedelta(hours=n)}
            rows.insert_one({"id": f"{n}", "district": "110102", "state": state})
    span = {"$gte": NOW + timedelta(hours=2), "$lt": NOW + timedelta(hours=6)}
    asked = {"district": "110102", "state.department": "chengguan", "state.rated_at": span}
    order = [("state.rated_at", DESCENDING), ("id", ASCENDING)]
    assert [row["id"] for row in rows.find(asked).sort(order).limit(3)] == ["5", "4", "3"]
    asked["state.rated_at"] = {"$gte": span["$gte"], "$lte": NOW + timedelta(hours=3)}
    assert [row["id"] for row in rows.find(asked).sort(order).limit(3)] == ["3", "2"]


def test_revocations_are_found_from_a_moment_on(rows):
    rows.create_index([("state.before", ASCENDING)])
    for n in range(1, 6):
        rows.insert_one({"_id": n, "state": {"before": f"2026-11-24T02:20:0{n}.000Z"}})
    found = rows.find({"state.before": {"$gte": "2026-11-24T02:20:03.000Z"}}, {"state": 1}, batch_size=1000)
    assert sorted(row["_id"] for row in found) == [3, 4, 5]


def test_a_photo_is_found_by_any_words_that_show_it(rows):
    rows.create_index([("district", ASCENDING), ("photos.text", ASCENDING)])
    rows.insert_one({"_id": 1, "district": "110102", "photos": {"text": ["aa", "bb"]}})
    rows.insert_one({"_id": 2, "district": "110107", "photos": {"text": ["cc"]}})
    rows.insert_one({"_id": 3, "district": "110102"})
    rows.insert_one({"_id": 4, "district": "110102", "photos": {"text": []}})

    def ask(district, photo):
        return rows.find_one({"district": district, "photos.text": photo})

    assert ask("110102", "bb")["_id"] == 1
    assert ask("110102", "cc") is None and ask("110102", "aabb") is None
    rows.update_one({"_id": 1}, {"$set": {"photos": {"text": []}}})
    assert ask("110102", "bb") is None


def test_a_number_is_compared_as_a_number(rows):
    rows.insert_one({"_id": "110102", "version": 9})
    assert rows.update_one({"_id": "110102", "version": {"$lt": 9}}, {"$set": {"version": 9}}).matched_count == 0
    assert rows.update_one({"_id": "110102", "version": {"$lt": 10}}, {"$set": {"version": 10}}).matched_count == 1


def test_a_row_of_a_tally_and_its_sums_change_together_and_only_from_what_was_read(rows):
    rows.insert_one({"_id": "street/0", "rows": {}})
    add = {"$set": {"rows.w": {"version": 3, "said": "blown"}}, "$inc": {"whistles.c.blown": 1, "people.p-1.called": 1}}
    assert [rows.update_one({"_id": "street/0", "rows.w": None}, add).matched_count for _ in "12"] == [1, 0]
    go = {"$unset": {"rows.w": ""}, "$inc": {"whistles.c.blown": -1, "people.p-1.called": -1}}
    assert rows.update_one({"_id": "street/0", "rows.w.version": 2}, go).matched_count == 0
    assert rows.find_one({"_id": "street/0"}, {"rows.w": 1}) == {
        "_id": "street/0", "rows": {"w": {"version": 3, "said": "blown"}},
    }  # fmt: skip
    assert rows.find_one({"_id": "street/0"}, {"people.p-1": 1})["people"] == {"p-1": {"called": 1}}
    assert [rows.update_one({"_id": "street/0", "rows.w.version": 3}, go).matched_count for _ in "12"] == [1, 0]
    assert rows.find_one({"_id": "street/0"}) == {
        "_id": "street/0", "rows": {}, "whistles": {"c": {"blown": 0}}, "people": {"p-1": {"called": 0}},
    }  # fmt: skip


def test_what_is_due_is_walked_page_by_page_and_what_is_never_due_comes_last(rows):
    rows.create_index([("district", ASCENDING), ("person", ASCENDING), ("turn", ASCENDING)])
    turns = [f"2026-11-{day:02}T02:20:13.456Z~{day}" for day in range(1, 20)] + ["~8", "~9"]
    for n, turn in enumerate(reversed(turns)):
        rows.insert_one({"_id": n, "district": "110102", "person": "ma", "turn": turn})
        rows.insert_one({"_id": -n - 1, "district": "110102", "person": "li", "turn": turn})
    found, after = [], ""
    while page := list(
        rows.find({"district": "110102", "person": "ma", "turn": {"$gt": after}}, batch_size=8).sort("turn", 1).limit(8)
    ):
        found += [row["turn"] for row in page]
        after = found[-1]
    assert found == turns
    early = {"district": "110102", "person": "ma", "turn": {"$gt": "", "$lt": "2026-11-03T02:20:13.456Z"}}
    assert sorted(row["turn"] for row in rows.find(early)) == turns[:2]


def test_what_is_near_is_found_by_any_of_its_places(rows):
    rows.create_index([("district", ASCENDING), ("category", ASCENDING), ("where", ASCENDING)])
    rows.insert_one({"_id": 1, "district": "110102", "category": "0101", "where": ["23268,7986", "110102009041"]})
    rows.insert_one({"_id": 2, "district": "110102", "category": "0101", "where": ["110102009041.01"]})
    rows.insert_one({"_id": 3, "district": "110102", "category": "0102", "where": ["23268,7986"]})
    rows.insert_one({"_id": 4, "district": "110107", "category": "0101", "where": ["23268,7986"]})
    asked = {"district": "110102", "category": "0101", "where": {"$in": ["23267,7986", "23268,7986", "110102009041"]}}
    assert [row["_id"] for row in rows.find(asked)] == [1]  # once, though two of its places are asked for


# -- what stands around -----------------------------------------------------------------------------------------------


def test_it_answers_a_ping(client):
    assert client.admin.command("ping")["ok"] == 1


def test_a_write_is_promised_by_the_majority_and_on_the_disk(database, rows):
    concern = database.client.write_concern.document
    assert (concern["w"], concern["j"]) == ("majority", True)
    done = rows.insert_one({"_id": 1})
    assert done.acknowledged


@pytest.mark.parametrize("service", CONTRACTS)
def test_every_index_of_ours_is_accepted_and_may_be_made_again(database, service):
    for kind in stores(service):
        kind.prepare(database)
        kind.prepare(database)
        for collection, keys in kind.indexes.items():
            made = [list(each["key"].items()) for each in database[collection].list_indexes()]
            for key, options in keys:
                assert key in made
                assert set(options) <= INDEX_OPTIONS, f"{collection} uses an option that is not named here: {options}"


def test_a_session_may_be_given_its_end(rows):
    rows.create_index([("expires_at", ASCENDING)], expireAfterSeconds=0)
    rows.insert_one({"_id": 1, "expires_at": datetime.now(UTC) + timedelta(hours=12)})
    (index,) = (each for each in rows.list_indexes() if "expires_at" in each["key"])
    assert index["expireAfterSeconds"] == 0
    assert rows.find_one({"_id": 1})


def test_a_service_reaches_its_own_database_only(client):
    """Where the server that was given asks nobody for a password, this cannot be shown: then it says so."""
    mine, other = f"huying_a_{uuid.uuid4().hex[:8]}", f"huying_b_{uuid.uuid4().hex[:8]}"
    if not client.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]:
        pytest.skip("the server in MONGO_URI has no authentication: it refuses nobody")
    client[other]["secrets"].insert_one({"_id": 1})
    client[mine].command("createUser", "narrow", pwd="x" * 20, roles=[{"role": "readWrite", "db": mine}])
    host, port = client.address
    narrow: pymongo.MongoClient = pymongo.MongoClient(
        f"mongodb://narrow:{'x' * 20}@{host}:{port}/{mine}?directConnection=true&retryWrites=false"
    )
    try:
        narrow[mine]["own"].insert_one({"_id": 1})
        for act in (
            lambda: narrow[other]["secrets"].find_one({"_id": 1}),
            lambda: narrow[other]["secrets"].insert_one({"_id": 2}),
            lambda: narrow[other]["secrets"].update_one({"_id": 1}, {"$set": {"n": 1}}),
            lambda: narrow[other]["secrets"].delete_one({"_id": 1}),
            lambda: narrow[other]["secrets"].create_index([("n", 1)]),
        ):
            with pytest.raises(OperationFailure) as refused:
                act()
            assert code_of(refused.value) == 13
        with pytest.raises(OperationFailure) as refused:
            pymongo.MongoClient(f"mongodb://narrow:wrong@{host}:{port}/{mine}?directConnection=true").admin.command(
                "usersInfo"
            )
        assert code_of(refused.value) == 18
        assert list(client[other]["secrets"].find({})) == [{"_id": 1}]
    finally:
        narrow.close()
        client[mine].command("dropUser", "narrow")
        client.drop_database(mine)
        client.drop_database(other)


# -- the list above is the whole list ---------------------------------------------------------------------------------


def trees() -> list[tuple[str, ast.Module]]:
    paths = [path for folder in WALKED for path in sorted((ROOT / folder).rglob("*.py"))]
    return [(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def pymongos_words() -> set[str]:
    """Give the name of every method by which pymongo could be asked for something."""
    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection
    from pymongo.command_cursor import CommandCursor
    from pymongo.cursor import Cursor
    from pymongo.database import Database

    kinds = (pymongo.MongoClient, Database, Collection, Cursor, CommandCursor, ClientSession)
    return {word for kind in kinds for word in dir(kind) if word[0] != "_" and callable(getattr(kind, word, None))}


def called(tree: ast.Module) -> list[tuple[str, ast.Call]]:
    return [
        (node.func.attr, node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]


def test_no_method_of_pymongo_is_called_that_is_not_named_here():
    words, used, strangers = pymongos_words(), set(), []
    for file, tree in trees():
        for word, node in called(tree):
            if word not in words | set(METHODS) or (file, ast.unparse(node.func)) in NOT_MONGO:
                continue
            used.add(word)
            if word not in METHODS:
                strangers.append(f"{file}:{node.lineno} {ast.unparse(node.func)}")
    assert not strangers, "call something else, or name it here with a test of its own"
    assert used == set(METHODS), "named here and used nowhere"


def test_no_operator_is_used_that_is_not_named_here():
    used: dict[str, str] = {}
    for file, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value[:1] == "$":
                used[node.value] = f"{file}:{node.lineno}"
    assert {word: where for word, where in used.items() if word not in OPERATORS} == {}
    assert set(used) == set(OPERATORS), "named here and used nowhere"


def test_no_command_or_option_is_used_that_is_not_named_here():
    strangers = []
    for file, tree in trees():
        for word, node in called(tree):
            if (file, ast.unparse(node.func)) in NOT_MONGO:
                continue
            options = {option.arg for option in node.keywords if option.arg}
            if word == "command" and getattr(node.args[0], "value", None) not in COMMANDS:
                strangers.append(f"{file}:{node.lineno} {ast.unparse(node)}")
            if word == "create_index" and options - INDEX_OPTIONS:
                strangers.append(f"{file}:{node.lineno} {options - INDEX_OPTIONS}")
            if word == "find" and options - FIND_OPTIONS:
                strangers.append(f"{file}:{node.lineno} {options - FIND_OPTIONS}")
            if word in ("update_one", "update_many", "replace_one") and any(
                option.arg == "upsert" and getattr(option.value, "value", None) is True for option in node.keywords
            ):
                strangers.append(f"{file}:{node.lineno}: an upsert may make two of one")
    assert strangers == []


def test_each_name_in_the_list_has_its_test():
    for named in {*METHODS.values(), *OPERATORS.values()}:
        assert callable(globals().get(named)), named
