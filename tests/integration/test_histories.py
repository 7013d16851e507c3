"""Every stored history makes its state, and whoever touches one is found: the broken link is named."""

import contextlib
import copy

import pymongo
import pytest

from deploy import database
from deploy.verify import ledgers, verify
from services import proof
from services.ledger import link
from services.whistle.store import Whistles
from shared.caller import Caller
from shared.running import clock
from tests.make import Client, eventually, fresh, solved


@pytest.fixture(scope="module")
def mongo(platform):
    with pymongo.MongoClient(database.admin_uri(platform.settings), tz_aware=True) as client:
        yield client


@pytest.fixture(scope="module")
def whistles(mongo):
    return mongo["huying_whistle"]["whistles"]


@pytest.fixture(scope="module")
def words(mongo):
    return mongo["huying_whistle"]["whistles_words"]


def witnessed(mongo, key: str) -> set[str]:
    """Give the ids of the facts about one whistle that the figures have kept."""
    rows = mongo["huying_figures"]["heard"].find({})
    return {each["id"] for row in rows for each in row["heard"] if each["id"].startswith(f"whistle/{key}/")}


@pytest.fixture(scope="module")
def settled(wmy: Client, chengguan: Client, mongo, whistles) -> str:
    """A whistle of our own that was blown, answered and settled, told and witnessed; gives its key."""
    id = wmy.blow()["id"]
    wmy.at_rest(id)
    solved(id, wmy, chengguan)
    assert wmy.settle(id).status_code == 201
    key = f"110102/{id}"
    eventually(lambda: len(witnessed(mongo, key)) == whistles.find_one({"_id": key})["version"], 15)
    eventually(lambda: is_told(mongo["huying_whistle"], key), 15)
    return key


def is_told(database, key: str, kind: str = "whistles") -> bool:
    """Say whether all that is saved of a record was told and struck."""
    notes = {note["_id"] for note in database[f"{kind}_untold"].find({})}
    return not any(row["_id"][:16] in notes for row in database[f"{kind}_words"].find({"record": key}))


@contextlib.contextmanager
def tampered(rows, asked: dict):
    """Let a stored row be changed by hand, and put it back as it was."""
    kept = rows.find_one(asked)
    assert kept is not None
    try:
        yield copy.deepcopy(kept)
    finally:
        rows.delete_one({"_id": kept["_id"]})
        rows.insert_one(kept)


def found(mongo) -> list[str]:
    return verify(mongo, say=lambda text: None)


def test_what_nobody_touched_is_whole(mongo, settled):
    assert found(mongo) == []


def test_the_history_of_every_stored_record_makes_its_state(mongo, settled):
    counted = {}
    for kind in ledgers():
        store = kind(mongo[f"huying_{kind.service}"], Caller(), clock.now)
        for row in mongo[f"huying_{kind.service}"][kind.collection].find({}):
            state = kind.kind()
            for entry in row["history"]:
                data = entry["data"] | ({"words": entry["words"]["ref"]} if "words" in entry else {})
                state = store.evolve(state, entry["fact"], data, entry["at"], entry["actor"])
            assert vars(state) == row["state"], row["_id"]
            assert (row["version"], row["head"]) == (len(row["history"]), row["history"][-1]["hash"])
            counted[kind.collection] = counted.get(kind.collection, 0) + 1
    assert counted["whistles"] >= 1 and counted["people"] >= 14 and counted["districts"] >= 2


CHANGES = {
    "who did it": lambda step: step.update(actor="somebody else"),
    "when": lambda step: step.update(at=step["at"].replace(year=2020)),
    "a code in it": lambda step: step["data"].update(community="110102009038"),
    "the role": lambda step: step.update(role="operator"),
    "the digest of the words": lambda step: step["words"]["digests"].update(title="0" * 64),
    "its own hash": lambda step: step.update(hash="0" * 64),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_step_is_named(mongo, whistles, wmy, settled, what):
    with tampered(whistles, {"_id": settled}) as row:
        CHANGES[what](row["history"][0])
        whistles.update_one({"_id": settled}, {"$set": {"history": row["history"]}})
        assert any(f"whistle/{settled}/1 (blown)" in line for line in found(mongo))
        trace = wmy.get(f"/v1/whistles/{settled.partition('/')[2]}/history").json()
        assert not trace["whole"] and f"whistle/{settled}/1 (blown)" in trace["broken"]
    assert not [line for line in found(mongo) if settled in line], "put back, and whole again"


def test_a_changed_step_whose_chain_was_forged_anew_differs_from_what_was_told(mongo, whistles, settled):
    with tampered(whistles, {"_id": settled}) as row:
        head = "0" * 64
        row["history"][0]["actor"] = "somebody else"
        row["state"]["blown_by"] = "somebody else"
        for step in row["history"]:
            step["prev"] = head
            step["hash"] = head = link(settled, step)
        whistles.update_one({"_id": settled}, {"$set": {**row, "head": head}})
        store = Whistles(mongo["huying_whistle"], Caller("110102"), clock.now)
        assert proof.trace(store, settled.partition("/")[2])["whole"], "by itself it looks whole: only a witness knows"
        assert any(line.startswith(f"whistle/{settled}/1:") for line in found(mongo))
    assert not [line for line in found(mongo) if settled in line], "put back, and whole again"


def cut(row: dict, length: int) -> dict:
    """Cut a record's history to its first steps, and make everything else of it fit."""
    state = Whistles.kind()
    for step in row["history"][:length]:
        data = step["data"] | ({"words": step["words"]["ref"]} if "words" in step else {})
        state = Whistles.evolve(state, step["fact"], data, step["at"], step["actor"])
    head = row["history"][length - 1]["hash"]
    kept = {"history": row["history"][:length], "version": length}
    return kept | {"head": head, "state": vars(state)}


def test_a_missing_end_is_named(mongo, whistles, settled):
    with tampered(whistles, {"_id": settled}) as row:
        whistles.update_one({"_id": settled}, {"$set": {"history": row["history"][:-1]}})
        assert any(f"whistle/{settled}:" in line and "its end is missing" in line for line in found(mongo))
    assert not [line for line in found(mongo) if settled in line], "put back, and whole again"


def test_an_end_that_was_cut_off_cleanly_is_missed_by_the_witness(mongo, whistles, settled):
    with tampered(whistles, {"_id": settled}) as row:
        end = row["version"]
        whistles.update_one({"_id": settled}, {"$set": cut(row, end - 1)})
        assert any(line.startswith(f"whistle/{settled}/{end}:") for line in found(mongo))
        whistles.update_one({"_id": settled}, {"$set": cut(row, 2)})
        missed = {line.partition(":")[0] for line in found(mongo)}
        assert missed >= {f"whistle/{settled}/{n}" for n in range(3, end + 1)}
    assert not [line for line in found(mongo) if settled in line], "put back, and whole again"


def test_an_erasure_that_was_cut_off_cleanly_is_missed_by_the_witness(mongo, whistles, words, wmy, sign_in):
    id = wmy.blow()["id"]
    key = f"110102/{id}"
    wmy.at_rest(id)
    assert sign_in("xc-admin").erase(id).status_code == 201
    eventually(lambda: is_told(mongo["huying_whistle"], key), 15)
    with tampered(whistles, {"_id": key}) as row:
        assert row["history"][-1]["fact"] == "words_erased"
        whistles.update_one({"_id": key}, {"$set": cut(row, row["version"] - 1)})
        assert any(line.startswith(f"whistle/{key}") for line in found(mongo)), (
            "who erased, when and why is gone unseen"
        )


def test_two_steps_that_changed_places_are_named(mongo, whistles, settled):
    with tampered(whistles, {"_id": settled}) as row:
        steps = row["history"]
        steps[1], steps[2] = steps[2], steps[1]
        whistles.update_one({"_id": settled}, {"$set": {"history": steps}})
        assert any(line.startswith(f"whistle/{settled}/2 ") for line in found(mongo))
        steps[1]["n"], steps[2]["n"] = 2, 3
        whistles.update_one({"_id": settled}, {"$set": {"history": steps}})
        assert any(line.startswith(f"whistle/{settled}/2 ") for line in found(mongo))
    assert not [line for line in found(mongo) if settled in line], "put back, and whole again"


def test_a_changed_state_is_named(mongo, whistles, settled):
    with tampered(whistles, {"_id": settled}):
        whistles.update_one({"_id": settled}, {"$set": {"state.stage": "blown"}})
        assert any(f"whistle/{settled}:" in line and "its state is not" in line for line in found(mongo))
    assert not [line for line in found(mongo) if settled in line], "put back, and whole again"


def test_a_record_moved_to_another_district_is_named(mongo, whistles, settled, sjy):
    with tampered(whistles, {"_id": settled}):
        whistles.update_one({"_id": settled}, {"$set": {"district": "110107"}})
        assert any(f"whistle/{settled}" in line for line in found(mongo)), "it is listed in a district it is not of"
    assert not [line for line in found(mongo) if settled in line], "put back, and whole again"


def test_a_changed_text_is_named(mongo, words, settled):
    with tampered(words, {"record": settled, "said.title": {"$exists": True}}) as row:
        words.update_one({"_id": row["_id"]}, {"$set": {"said.title.text": "另一个标题"}})
        assert any(f"whistle/{settled}/1 (blown)" in line and "title" in line for line in found(mongo))
    assert not [line for line in found(mongo) if settled in line], "put back, and whole again"


def test_texts_that_went_without_an_erasure_are_named(mongo, whistles, words, settled):
    end = whistles.find_one({"_id": settled})["version"]
    with tampered(words, {"record": settled, "said.note": {"$exists": True}}) as row:
        words.delete_one({"_id": row["_id"]})
        assert any(f"whistle/{settled}/{end} (settled)" in line for line in found(mongo))
        words.insert_one(row | {"said": {}, "erased": {"at": row["at"], "reason": "requested"}})
        assert any(f"whistle/{settled}" in line for line in found(mongo)), "no step says that they were erased"
    assert not [line for line in found(mongo) if settled in line], "put back, and whole again"


def test_a_whole_record_that_is_gone_is_missed_by_the_witness(mongo, whistles, words, settled):
    with tampered(whistles, {"_id": settled}) as row:
        whistles.delete_one({"_id": settled})
        missed = {line.partition(":")[0] for line in found(mongo)}
        assert missed >= {f"whistle/{settled}/{n}" for n in range(1, row["version"] + 1)}
    assert not [line for line in found(mongo) if settled in line], "put back, and whole again"


def test_a_person_who_is_gone_from_the_people_is_missed(mongo, sign_in):
    """Whoever was let in or put out: an end or a record that is gone from there is seen as well."""
    people, person = mongo["huying_identity"]["people"], fresh()
    order = {"id": person, "district": "110102", "login": f"l{person[:8]}", "name": "无名氏", "password": "long enough"}
    order |= {"roles": ["observer"], "unit": "110102"}
    assert sign_in("xc-admin").post("/v1/people", order).status_code == 201
    key = f"110102/{person}"
    eventually(lambda: is_told(mongo["huying_identity"], key, "people"), 15)
    with tampered(people, {"_id": key}):
        people.delete_one({"_id": key})
        assert any(key in line for line in found(mongo)), "a person who was let in is gone, and nobody misses them"


def test_the_program_says_so_and_fails(platform, whistles, settled, capfd):
    import subprocess

    platform.module("deploy.verify")
    assert "every history is whole" in capfd.readouterr().out
    with tampered(whistles, {"_id": settled}):
        whistles.update_one({"_id": settled}, {"$set": {"state.stage": "blown"}})
        with pytest.raises(subprocess.CalledProcessError):
            platform.module("deploy.verify")
        assert f"whistle/{settled}" in capfd.readouterr().err
