"""A whistle goes out as a file that proves itself without the platform; a district's histories are proved in parts."""

import copy
import json
import zipfile

import pymongo
import pytest

import huying_verify
from deploy import database
from tests.integration.test_forgetting import mark, upload
from tests.make import SIJIYUAN, Client, eventually, fresh


@pytest.fixture(scope="module")
def mongo(platform):
    with pymongo.MongoClient(database.admin_uri(platform.settings), tz_aware=True) as client:
        yield client


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    """西城区's administrator."""
    return sign_in("xc-admin")


def settled_whistle(wmy: Client, chengguan: Client) -> tuple[str, dict[str, str]]:
    """Have a whistle live to its end with marked words and photos; gives its id and what was written."""
    said = {each: mark() for each in ("title", "text", "result", "note")}
    said |= {each: upload(who) for each, who in (("photo", wmy), ("photo of the visit", chengguan))}
    id = wmy.blow(title=said["title"], text=said["text"], photos=[said["photo"]])["id"]
    for answer in (
        chengguan.report(id, photos=[said["photo of the visit"]]),
        chengguan.feed_back(id, text=said["result"]),
        wmy.confirm(id),
        wmy.settle(id, note=said["note"]),
    ):
        assert answer.status_code == 201, answer.text
    return id, said


@pytest.fixture
def taken_out(tmp_path):
    """Have somebody take a whistle out as a file; gives where it lies."""

    def take(who: Client, id: str):
        answer = who.get(f"/v1/whistles/{id}/proof")
        assert answer.status_code == 200, answer.text
        path = tmp_path / f"{fresh()}.zip"
        path.write_bytes(answer.content)
        return path

    return take


def test_a_settled_whistle_goes_out_and_verifies_offline(wmy, chengguan, taken_out):
    id, said = settled_whistle(wmy, chengguan)
    path = taken_out(wmy, id)
    steps = wmy.get(f"/v1/whistles/{id}/history").json()["steps"]
    found = huying_verify.check(path, seal=steps[5]["hash"])
    assert (found["of"], found["photos"]) == (f"whistle/110102/{id}", 2)
    with zipfile.ZipFile(path) as packing:
        page = packing.read("index.html").decode()
        proof = json.loads(packing.read("whistle.json"))
    for word in said.values():
        assert word in page
    # A whistle is given its number by itself, a moment later: the history may have grown by it.
    for here, there in zip(proof["history"], steps, strict=False):
        assert [here[name] for name in ("n", "fact", "at", "hash")] == [
            there[name] for name in ("n", "fact", "at", "hash")
        ]
    address = f"/v1/whistles/{id}/proof"
    assert eventually(lambda: wmy.get(address).content == wmy.get(address).content), "one state is one file"


def test_after_an_erasure_a_new_file_verifies_without_the_words_and_agrees_with_the_old_one(
    wmy, chengguan, admin, taken_out
):
    id, said = settled_whistle(wmy, chengguan)
    before = huying_verify.check(taken_out(wmy, id))
    assert admin.erase(id).status_code == 201
    path = taken_out(wmy, id)
    found = huying_verify.check(path, seal=before["head"])
    assert (found["texts"], found["photos"]) == (0, 0) and found["steps"] > before["steps"]
    assert found["erased"] > 2 and (before["erased"], before["photos"]) == (0, 2)
    for word in said.values():
        assert word.encode() not in path.read_bytes()


def test_confidential_words_go_out_only_to_whom_they_are_for(wmy, sign_in, taken_out):
    id = wmy.blow(confidential=True, title="家里的事", text="不便公开")["id"]
    assert huying_verify.check(taken_out(wmy, id))["withheld"] == 0
    path = taken_out(sign_in("xc-look"), id)
    found = huying_verify.check(path)
    assert found["withheld"] >= 2 and found["texts"] == 0, "the chain is proved to an observer all the same"
    assert "家里的事".encode() not in path.read_bytes() and "不便公开".encode() not in path.read_bytes()


def test_what_was_changed_in_the_database_shows_in_the_file_and_in_the_district(
    wmy, chengguan, admin, mongo, taken_out
):
    id, _ = settled_whistle(wmy, chengguan)
    wmy.at_rest(id)
    rows = mongo["huying_whistle"]["whistles"]
    row = rows.find_one({"_id": f"110102/{id}"})
    changed = copy.deepcopy(row["history"])
    changed[0]["data"]["category"] = "0102"
    rows.update_one({"_id": row["_id"]}, {"$set": {"history": changed}})
    try:
        with pytest.raises(huying_verify.Broken, match=f"whistle/110102/{id}/1 .*内容被改动"):
            huying_verify.check(taken_out(wmy, id))
        broken = [name for part in parts(admin) for name in part["broken"]]
        assert len(broken) == 1 and broken[0].startswith(f"whistle/110102/{id}/1 ")
    finally:
        rows.update_one({"_id": row["_id"]}, {"$set": {"history": row["history"]}})
    assert huying_verify.check(taken_out(wmy, id))


def parts(who: Client) -> list[dict]:
    """Walk a district part by part."""
    found, part = [], 0
    while part is not None:
        answer = who.get("/v1/verification", params={"part": part})
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        part = found[-1]["next"]
    return found


def test_a_districts_whistles_are_proved_in_parts_each_once(wmy, sjy, admin, mongo):
    wmy.blow()
    theirs = sjy.blow(community=SIJIYUAN, departments=["xiaofang"], kind="应急处置")["id"]
    found = parts(admin)
    assert [each["part"] for each in found] == list(range(256)) and {each["parts"] for each in found} == {256}
    count = len(list(mongo["huying_whistle"]["whistles"].find({"district": "110102"}, {"_id": 1})))
    assert sum(each["checked"] for each in found) == count > 0
    assert [name for each in found for name in each["broken"] if theirs in name] == []
    assert admin.get("/v1/verification", params={"part": 256}).status_code == 422


@pytest.mark.parametrize("login", ["wmy", "xc-cg", "xc-look", "xc-res", "operator"])
def test_only_a_districts_administrator_proves_the_district(sign_in, login):
    assert sign_in(login).get("/v1/verification").status_code == 403


def test_who_may_not_take_a_whistle_out_does_not(wmy, sjy, sign_in):
    id = wmy.blow()["id"]
    for login in ("xc-cg", "xc-res", "operator"):
        assert sign_in(login).get(f"/v1/whistles/{id}/proof").status_code == 403
    assert sjy.get(f"/v1/whistles/{id}/proof").status_code == 404, "another district's is not there"
    assert wmy.get("/v1/whistles/nonsense/proof").status_code == 422
    assert wmy.get(f"/v1/whistles/{id}/proof", params={"x": 1}).status_code == 422


def test_whoever_took_a_whistle_out_is_in_the_security_log(wmy, admin):
    id = wmy.blow()["id"]
    assert wmy.get(f"/v1/whistles/{id}/proof").status_code == 200

    def noted():
        rows = admin.get("/v1/security", params={"what": "exported"}).json()["items"]
        return [row for row in rows if row["about"].endswith(f" whistles/{id}")]

    (row,) = eventually(noted)
    assert row["who"] == wmy.get("/v1/me").json()["id"] and row["role"] == "secretary"
