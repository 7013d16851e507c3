"""A district's suggestions learn from its own newest whistles while their words are there, and never from another's."""

import os
import uuid
from datetime import UTC, datetime, timedelta

import pymongo
import pytest

from deploy import database as ours
from services.whistle.store import Answering, Suggesting, Whistles, suggesting
from shared.caller import Caller
from tests.make import a_fact

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SAID = "门前的围栏又倒了"


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
    name = f"huying_suggesting_{uuid.uuid4().hex[:8]}"
    Whistles.prepare(client[name])
    yield client[name]
    client.drop_database(name)


@pytest.fixture
def suggested(database):
    """Ask a district's suggestions as if a minute had gone by."""

    def ask(text: str, district: str = "110102") -> list[str]:
        suggesting.REMEMBERED.clear()
        found = Suggesting(database, Caller(district), lambda: NOW).suggest(text)
        return [each["category"] for each in found]

    return ask


def blown(database, n: int, category: str = "0507", said: str = SAID, confidential: bool = False) -> str:
    """Put a whistle there as the ledger does; gives the reference of its words."""
    district, ref = "110102", f"ref{category}{n}"
    key, state = f"{district}/{category}{n}", {"category": category, "words": ref, "confidential": confidential}
    state |= {"blown_by": f"person {n % 3}", "blown_at": NOW + timedelta(seconds=n)}
    database["whistles"].insert_one({"_id": key, "district": district, "state": state, "history": [{"n": 1}]})
    words = {name: {"text": text, "salt": "x"} for name, text in (("title", said), ("text", ""), ("photos", []))}
    database["whistles_words"].insert_one({"_id": ref, "record": key, "district": district, "said": words})
    return ref


def test_what_a_district_chooses_moves_its_own_ranks_and_no_other_districts(database, suggested):
    assert suggested(SAID) == []
    for n in range(6):
        blown(database, n)
        blown(database, n, category="0102", said="楼前的垃圾")
    assert suggested(SAID) == ["0507"]
    assert suggested(SAID, "110107") == []


def test_words_that_were_erased_leave_nothing_behind(database, suggested):
    for n in range(12):
        blown(database, n, category="0102", said="楼前的垃圾")
    refs = [blown(database, n) for n in range(5)]
    assert suggested(SAID) == ["0507"]
    store = Whistles(database, Caller("110102"), lambda: NOW)
    store.forget(refs[:1], "requested")
    assert suggested(SAID) == [], "of five whistles that had it one is gone, so nobody's is left"
    assert "围栏" not in str(list(database["whistles_words"].find({"_id": refs[0]})))
    everywhere = {name: str(list(database[name].find({}))) for name in database.list_collection_names()}
    assert [name for name, text in everywhere.items() if "围栏" in text] == ["whistles_words"], "no table of its own"


def test_nothing_is_learned_of_what_is_confidential(database, suggested):
    for n in range(12):
        blown(database, n, category="0102", said="楼前的垃圾")
        blown(database, n, confidential=True)
    assert suggested(SAID) == []


def test_a_districts_own_category_is_suggested_until_it_is_retired(database, suggested):
    answering = Answering(database, Caller("110102"), lambda: NOW)
    answering.category_set(a_fact("category_set", "2101", 1, code="2101", name="路灯不亮", retired=False))
    Answering(database, Caller("110107"), lambda: NOW).category_set(
        a_fact("category_set", "2101", 1, district="110107", code="2101", name="别的", retired=False)
    )
    assert suggested("小区的灯坏了") == ["2101"] and suggested("小区的灯坏了", "110107") == []
    answering.category_set(a_fact("category_set", "2101", 2, code="2101", name="路灯不亮", retired=True))
    assert suggested("小区的灯坏了") == []


def test_only_the_newest_whistles_are_learned_from(database, suggested, monkeypatch):
    monkeypatch.setattr(suggesting, "NEWEST", 20)
    for n in range(6):
        blown(database, n)
    for n in range(6, 20):
        blown(database, n, category="0102", said="楼前的垃圾")
    assert suggested(SAID) == ["0507"]
    blown(database, 20, category="0102", said="楼前的垃圾")
    assert suggested(SAID) == ["0507"], "five of them are still among the newest"
    blown(database, 21, category="0102", said="楼前的垃圾")
    assert suggested(SAID) == []


def test_what_was_learned_is_remembered_for_a_minute(database, suggested):
    for n in range(12):
        blown(database, n, category="0102", said="楼前的垃圾")
    assert suggested(SAID) == []
    for n in range(6):
        blown(database, n)
    store = Suggesting(database, Caller("110102"), lambda: NOW)
    assert store.suggest(SAID) == [], "asked again within the minute, the database is not"
    (place, (until, learned)) = next(iter(suggesting.REMEMBERED.items()))
    suggesting.REMEMBERED[place] = (until - suggesting.FRESH - 1, learned)
    assert [each["category"] for each in store.suggest(SAID)] == ["0507"]
