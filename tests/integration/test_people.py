"""What becomes of people: moved, suspended, looked at, and what their district changed of their roles."""

import json
import subprocess
import time

import pika
import pymongo
import pytest

from deploy import database
from services.identity import domain
from services.identity.store import People, Roles
from shared.caller import Caller
from shared.running import clock, real_now
from tests.make import WANMINGYUAN, Client, Mute, bearing, eventually, fresh
from tests.make_people import XICHENG, a_worker, admitted, is_out, signed_in

ZHANLANLU = "110102009000"


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    return sign_in("xc-admin")


@pytest.fixture(scope="module")
def mongo(platform):
    with pymongo.MongoClient(database.admin_uri(platform.settings), tz_aware=True) as client:
        yield client["huying_identity"]


def let_in(who: Client, **changes) -> dict:
    """Let a worker in; gives the order."""
    return admitted(who, a_worker, **changes)


def renewed(client: Client) -> Client:
    answer = Client(client.url).post("/v1/sessions/renewals", {"renewal": client.signed["renewal"]})
    assert answer.status_code == 201, answer.text
    return bearing(client.url, answer.json())


def within_a_second(what) -> None:
    began = time.monotonic()
    eventually(what, 1, every=0.02)
    assert time.monotonic() - began < 1


def log_of(admin: Client, **asked) -> list[dict]:
    answer = admin.get("/v1/security", params={"limit": 1000, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


# -- in effect everywhere ---------------------------------------------------------------------------------------------


def test_whoever_is_moved_is_what_they_are_now_within_a_second(url, admin):
    order = let_in(admin)
    client = signed_in(url, order)
    move = {"move": fresh(), "roles": ["specialist"], "unit": XICHENG, "department": "chengguan"}
    answer = admin.post(f"/v1/people/{order['id']}/moves", move)
    assert answer.status_code == 201 and answer.json()["roles"] == ["specialist"], answer.text
    within_a_second(lambda: is_out(client))
    after = renewed(client)
    me = after.get("/v1/me").json()
    assert (me["roles"], me["unit"], me["department"]) == (["specialist"], XICHENG, "chengguan")
    assert "whistle.report" in me["permissions"]
    again = admin.post(f"/v1/people/{order['id']}/moves", move)
    assert again.status_code == 201 and again.json() == answer.json()
    assert after.get("/v1/me").status_code == 200, "the same order again revokes nothing"


def test_whoever_is_suspended_is_out_until_it_ends(url, admin):
    order = let_in(admin)
    client, path = signed_in(url, order), f"/v1/people/{order['id']}"
    assert admin.post(f"{path}/suspensions", {"suspension": fresh(), "reason": "absent"}).json()["suspended"]
    within_a_second(lambda: is_out(client))
    session = {"login": order["login"], "password": order["password"]}
    assert Client(url).post("/v1/sessions", session).status_code == 401
    assert Client(url).post("/v1/sessions/renewals", {"renewal": client.signed["renewal"]}).status_code == 401
    assert admin.post(f"{path}/suspensions", {"suspension": fresh(), "reason": "absent"}).status_code == 409
    resumption = {"resumption": fresh()}
    for _ in range(2):
        assert admin.post(f"{path}/resumptions", resumption).json()["suspended"] is False
    assert signed_in(url, order).get("/v1/me").status_code == 200


def test_an_adjusted_role_may_more_or_less_within_a_second_and_no_other_district_notices(url, sign_in):
    # A district of its own: an adjustment has everybody of the district renew.
    operator, wmy, here = sign_in("operator"), sign_in("wmy"), {"district": "110108", "unit": "110108"}
    assert operator.post("/v1/districts", {"code": "110108"}).status_code == 201
    orders = here | {"roles": ["district"]}
    eventually(lambda: operator.post("/v1/people", a_worker(**orders)).status_code == 201)
    admin = signed_in(url, let_in(operator, **orders))
    client = signed_in(url, let_in(admin, **here))
    assert "figures.read" in client.get("/v1/me").json()["permissions"]
    change = {"adjustment": fresh(), "role": "worker", "add": ["whistle.settle"], "drop": ["figures.read"]}
    answer = admin.post("/v1/access/adjustments", change)
    assert answer.status_code == 201 and answer.json()["drop"] == ["figures.read"], answer.text
    within_a_second(lambda: is_out(client) and is_out(admin))
    assert wmy.get("/v1/me").status_code == 200
    after, admin = renewed(client), renewed(admin)
    mine = after.get("/v1/me").json()["permissions"]
    assert "whistle.settle" in mine and "figures.read" not in mine
    assert after.get("/v1/figures").status_code == 403
    row = next(row for row in admin.get("/v1/access").json()["items"] if row["role"] == "worker")
    assert row["add"] == ["whistle.settle"] and "figures.read" not in row["permissions"]
    for wrong in ({"add": ["person.admit"]}, {"drop": ["person.self"]}, {"role": "district", "drop": ["unit.mark"]}):
        beyond = {"adjustment": fresh(), "role": "worker", "add": [], "drop": []} | wrong
        assert admin.post("/v1/access/adjustments", beyond).status_code == 422, wrong
    assert admin.post("/v1/access/adjustments", change).json() == answer.json()
    assert after.get("/v1/me").status_code == 200, "the same order again revokes nothing"


def test_a_changed_password_ends_all_other_sessions_and_a_reset_one_is_good_once(url, admin):
    order = let_in(admin)
    here, there = signed_in(url, order), signed_in(url, order)
    assert len(here.get("/v1/me/sessions").json()["items"]) == 2
    assert here.post("/v1/me/password", {"old": "wrong-one", "new": "another-one"}).status_code == 422
    fresh_one = here.post("/v1/me/password", {"old": order["password"], "new": "another-one"})
    assert fresh_one.status_code == 201, fresh_one.text
    within_a_second(lambda: is_out(here) and is_out(there))
    mine = bearing(url, fresh_one.json())
    [only] = mine.get("/v1/me/sessions").json()["items"]
    assert only["current"] and only["address"] == "127.0.0.1"
    assert Client(url).post("/v1/sessions/renewals", {"renewal": there.signed["renewal"]}).status_code == 401
    assert admin.post(f"/v1/people/{order['id']}/password", {"password": "good-for-once"}).status_code == 201
    within_a_second(lambda: is_out(mine))
    newcomer = Client(url, order["login"], "good-for-once")
    assert newcomer.signed["first"] == ["password"] and newcomer.get("/v1/whistles").status_code == 403
    chosen = newcomer.post("/v1/me/password", {"old": "good-for-once", "new": "my-own-choice"})
    assert chosen.json()["first"] == [] and bearing(url, chosen.json()).get("/v1/whistles").status_code == 200


def test_one_session_of_ones_own_is_ended_and_nobody_elses(url, admin):
    order, other = let_in(admin), signed_in(url, let_in(admin))
    here, there = signed_in(url, order), signed_in(url, order)
    theirs = next(row["id"] for row in there.get("/v1/me/sessions").json()["items"] if row["current"])
    assert other.delete(f"/v1/me/sessions/{theirs}").status_code == 404
    assert here.delete(f"/v1/me/sessions/{theirs}").status_code == 204
    within_a_second(lambda: is_out(there))
    assert here.get("/v1/me").status_code == 200


# -- cut off in the middle --------------------------------------------------------------------------------------------


def recorded_only(store, id: str, decide, **order) -> None:
    """Record an order as a call does that dies before it does anything else, and before it could tell of it."""
    store.change(id, decide, before=real_now(), **order)


@pytest.fixture(scope="module")
def people(mongo, admin) -> People:
    me = admin.get("/v1/me").json()["id"]
    return People(mongo, Caller(XICHENG, me, ("district",), XICHENG), clock.now, Mute(mongo))


def test_a_suspension_whose_call_was_cut_off_puts_out_all_the_same(url, admin, people):
    order = let_in(admin)
    client = signed_in(url, order)
    said = {"self_id": order["id"], "suspension": fresh(), "reason": "inquiry"}
    recorded_only(people, order["id"], domain.suspend, **said)
    eventually(lambda: is_out(client), 15)
    assert Client(url).post("/v1/sessions/renewals", {"renewal": client.signed["renewal"]}).status_code == 401
    assert admin.post(f"/v1/people/{order['id']}/resumptions", {"resumption": fresh()}).status_code == 201
    assert signed_in(url, order).get("/v1/me").status_code == 200


def test_a_dismissal_whose_call_was_cut_off_puts_out_all_the_same(url, admin, people):
    order = let_in(admin)
    client = signed_in(url, order)
    said = {"self_id": order["id"], "revocation": fresh(), "reason": "dismissed"}
    recorded_only(people, order["id"], domain.dismiss, **said)
    eventually(lambda: is_out(client), 15)
    assert Client(url).post("/v1/sessions/renewals", {"renewal": client.signed["renewal"]}).status_code == 401


def test_a_move_whose_call_was_cut_off_holds_for_tokens_too(url, admin, people):
    order = let_in(admin)
    client = signed_in(url, order)
    said = {"self_id": order["id"], "move": fresh(), "roles": ["observer"], "unit": XICHENG, "department": ""}
    recorded_only(people, order["id"], domain.move, place=domain.Place(), **said)
    eventually(lambda: is_out(client), 15)
    assert renewed(client).get("/v1/me").json()["roles"] == ["observer"]


def test_an_adjustment_whose_call_was_cut_off_holds_for_tokens_too(url, mongo, sign_in):
    operator, here = sign_in("operator"), {"district": "110117", "unit": "110117", "roles": ["district"]}
    assert operator.post("/v1/districts", {"code": "110117"}).status_code == 201
    order = eventually(lambda: (made := a_worker(**here)) and operator.post("/v1/people", made).ok and made)
    client = signed_in(url, order)
    roles = Roles(mongo, Caller("110117", order["id"], ("district",), "110117"), clock.now, Mute(mongo))
    said = {"adjustment": fresh(), "role": "worker", "add": ["person.reveal"], "drop": []}
    recorded_only(roles, "worker", domain.adjust, **said)
    eventually(lambda: is_out(client), 15)
    row = next(row for row in renewed(client).get("/v1/access").json()["items"] if row["role"] == "worker")
    assert row["add"] == ["person.reveal"]


# -- put right --------------------------------------------------------------------------------------------------------


def test_a_name_or_phone_is_put_right_and_what_it_was_is_forgotten(platform, admin, sign_in, mongo):
    order = let_in(admin, name="诸葛旧名", phone="13911112222")
    path = f"/v1/people/{order['id']}"
    said = {"correction": fresh(), "name": "诸葛新名"}
    first, again = (admin.post(f"{path}/corrections", said) for _ in range(2))
    assert first.status_code == 201 and first.json() == again.json(), first.text
    assert admin.post(f"{path}/corrections", said | {"name": "别的名字"}).status_code == 409
    assert admin.post(f"{path}/corrections", {"correction": fresh()}).status_code == 422
    seen = admin.post(f"{path}/views", {"purpose": "correct"}).json()
    assert (seen["name"], seen["phone"], seen["login"]) == ("诸葛新名", "13911112222", order["login"])
    assert admin.post(f"{path}/corrections", {"correction": fresh(), "phone": "13933334444"}).status_code == 201
    seen = admin.post(f"{path}/views", {"purpose": "correct"}).json()
    assert (seen["name"], seen["phone"]) == ("诸葛新名", "13933334444")
    everything = json.dumps([list(mongo[each].find({})) for each in ("people", "people_words")], default=str)
    for gone in ("诸葛旧名", "13911112222"):
        assert gone not in json.loads(json.dumps(everything)) and json.dumps(gone)[1:-1] not in everything
    history = admin.get(f"{path}/history").json()
    assert history["whole"] and [step["fact"] for step in history["steps"]] == ["admitted", "corrected", "corrected"]
    assert admin.post("/v1/people", order).status_code == 201, "letting them in again finds them"
    colleague = sign_in("wmy").get("/v1/me").json()["id"]
    fresh_one = {"correction": fresh(), "name": "自己"}
    assert sign_in("wmy").post(f"/v1/people/{colleague}/corrections", fresh_one).status_code == 403
    assert sign_in("sjs-admin").post(f"{path}/corrections", fresh_one).status_code == 404
    assert [row["whom"] for row in log_of(admin, what="corrected")][0] == order["id"]


# -- who sees whom ----------------------------------------------------------------------------------------------------


def test_people_are_masked_and_only_of_ones_own_unit(url, admin, sign_in):
    order, street = let_in(admin), sign_in("zll")
    elsewhere = let_in(admin, unit="110102010000", roles=["street"])
    shown = street.get(f"/v1/people/{order['id']}").json()
    assert (shown["name"], shown["phone"], shown["login"]) == ("欧阳*", "138****1234", "p****")
    assert street.get(f"/v1/people/{elsewhere['id']}").status_code == 404
    assert admin.get(f"/v1/people/{elsewhere['id']}").status_code == 200
    found, after = [], None
    while True:
        page = street.get("/v1/people", params={"limit": 3, **({"after": after} if after else {})}).json()
        found += page["items"]
        after = page["next"]
        if not after:
            break
    ids = [row["id"] for row in found]
    assert len(set(ids)) == len(ids) and order["id"] in ids and elsewhere["id"] not in ids
    assert all(row["unit"].startswith(ZHANLANLU[:9]) for row in found)
    one = street.get("/v1/people", params={"login": order["login"][:9]}).json()["items"]
    assert [row["id"] for row in one] == [order["id"]]
    assert {row["roles"][0] for row in admin.get("/v1/people", params={"role": "district"}).json()["items"]} == {
        "district"
    }
    assert street.get("/v1/people", params={"unit": "110102010002"}).status_code == 404
    assert sign_in("sjy").get(f"/v1/people/{order['id']}").status_code == 404


def test_whoever_looks_at_somebody_unmasked_says_why_and_is_in_the_log(url, admin, sign_in):
    order, head = let_in(admin), sign_in("wmy")
    path = f"/v1/people/{order['id']}/views"
    assert head.post(path, {"note": "x"}).status_code == 422
    seen = head.post(path, {"purpose": "contact", "note": "关于三号楼"}).json()
    assert (seen["name"], seen["phone"], seen["login"]) == (order["name"], order["phone"], order["login"])
    [row] = [row for row in log_of(admin, what="revealed") if row["whom"] == order["id"]]
    assert row["who"] == head.get("/v1/me").json()["id"] and row["ok"] and row["address"] == "127.0.0.1"
    assert row["about"].startswith("contact ") and "三号楼" not in row["about"]
    colleague = let_in(admin, roles=["secretary"])
    assert head.post(f"/v1/people/{colleague['id']}/views", {"purpose": "contact"}).status_code == 403


def test_a_city_observer_visits_one_district_after_the_other_and_writes_in_none(url, sign_in):
    id = fresh()
    order = {"id": id, "district": "", "login": f"c-{id[:13]}", "name": "周", "password": f"口令{id}", "unit": ""}
    assert sign_in("operator").post("/v1/people", order | {"roles": ["city_observer"]}).status_code == 201
    city = Client(url, order["login"], order["password"])
    theirs, ours = sign_in("sjy").blow(community="110107001012")["id"], sign_in("wmy").blow()["id"]
    for district, seen in (("110102", ours), ("110107", theirs)):
        there = {"X-District": district}
        assert city.get(f"/v1/whistles/{seen}", headers=there).status_code == 200
        assert city.get("/v1/me", headers=there).json()["district"] == ""
        assert city.get("/v1/people", headers=there).status_code == 403
    assert city.get(f"/v1/whistles/{ours}", headers={"X-District": "110107"}).status_code == 404
    assert city.get("/v1/whistles", headers={"X-District": "xicheng"}).status_code == 422
    assert sign_in("wmy").get("/v1/whistles", headers={"X-District": "110107"}).status_code == 403


def test_nobody_gives_what_they_do_not_have(url, admin, sign_in):
    head, street = sign_in("wmy"), sign_in("zll")
    assert let_in(head, roles=["worker"]) and let_in(street, roles=["secretary"])

    def tries(who: Client, **changes) -> int:
        id = fresh()
        order = {"id": id, "district": XICHENG, "login": f"z-{id[:13]}", "name": "周", "password": f"口令{id}"}
        order |= {"roles": ["worker"], "unit": WANMINGYUAN} | changes
        return who.post("/v1/people", order).status_code

    assert (
        tries(head, roles=["secretary"]) == tries(head, unit="110102009042") == tries(street, roles=["district"]) == 403
    )
    assert tries(street, unit="110102010002") == 403
    assert tries(admin, district="110107", unit="110107001012") == 403
    assert tries(admin, unit="110102009999") == tries(admin, roles=["specialist"], department="nobody") == 422
    assert tries(admin, login="wm\u200by") == 422
    order = let_in(admin, roles=["secretary"])
    move = {"move": fresh(), "roles": ["worker"], "unit": WANMINGYUAN}
    assert head.post(f"/v1/people/{order['id']}/moves", move).status_code == 403, "a colleague is not theirs to move"


def test_people_of_communities_that_became_one_go_along_once(platform, url, admin):
    gone, into = "110102010005", "110102010002"
    order = let_in(admin, unit=gone, roles=["secretary"])
    client = signed_in(url, order)
    change, now = fresh(), admin.get("/v1/clock").json()["now"]
    unit = {
        "code": into,
        "level": "community",
        "type": "社区",
        "name": "安德路社区",
        "aliases": [],
        "pilot": "",
        "parent": "110102010000",
    }
    fact = {
        "specversion": "1.0", "id": f"roster/110102/{into}/{change}", "source": "/roster", "type": "units_merged",
        "subject": into, "time": now, "datacontenttype": "application/json",
        "district": XICHENG, "to": "all", "actor": "x", "traceparent": "", "hash": "0" * 64,
        "data": {
            "change": change, "into": into, "communities": [gone], "since": now[:10], "unit": unit
        },
    }  # fmt: skip
    properties = pika.BasicProperties(
        user_id="operator", type="units_merged", message_id=fact["id"], delivery_mode=2, content_type="application/json"
    )
    with pika.BlockingConnection(pika.URLParameters(platform.settings.amqp_uri("operator"))) as connection:
        for _ in range(2):
            connection.channel().basic_publish("identity.wait", "again", json.dumps(fact).encode(), properties)
    path = f"/v1/people/{order['id']}"
    eventually(lambda: admin.get(path).json()["unit"] == into, 15)
    eventually(lambda: is_out(client), 1)
    assert renewed(client).get("/v1/me").json()["unit"] == into
    assert [step["fact"] for step in admin.get(f"{path}/history").json()["steps"]] == ["admitted", "moved"]
    assert admin.post("/v1/people", a_worker(unit=gone)).status_code == 422, "nobody is let into what is no more"


# -- the security log -------------------------------------------------------------------------------------------------


def test_what_somebody_did_and_was_refused_is_in_the_log(url, admin, sign_in):
    order = let_in(admin)
    Client(url).post("/v1/sessions", {"login": order["login"], "password": "wrong-password"})
    client = signed_in(url, order)
    assert client.get("/v1/access").status_code == 403
    client.delete("/v1/sessions/current")
    rows = eventually(lambda: len(found := log_of(admin, who=order["id"])) >= 4 and found)
    assert [row["what"] for row in reversed(rows)] == ["sign_in_failed", "signed_in", "refused", "signed_out"]
    assert [row["ok"] for row in reversed(rows)] == [False, True, False, True]
    assert all(row["address"] == "127.0.0.1" for row in rows) and "/v1/access" in rows[1]["about"]
    assert any(row["whom"] == order["id"] for row in log_of(admin, what="admitted"))
    text = json.dumps(log_of(admin), ensure_ascii=False)
    assert order["login"] not in text and order["name"] not in text and order["password"] not in text
    assert not [row for row in log_of(sign_in("sjs-admin")) if order["id"] in (row["who"], row["whom"])]
    assert sign_in("wmy").get("/v1/security").status_code == 403
    # Page by page it is the same.
    pages, after = [], None
    until = rows[0]["at"]
    while len(pages) < 40:
        asked = {"limit": 10, "until": until} | ({"after": after} if after else {})
        page = admin.get("/v1/security", params=asked).json()
        pages, after = pages + page["items"], page["next"]
        if not after:
            break
    assert [row["id"] for row in pages] == [row["id"] for row in log_of(admin, until=until)[: len(pages)]]


def test_the_log_is_taken_out_as_a_table_and_that_is_in_it_too(url, admin, sign_in):
    answer = admin.get("/v1/security.csv")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/csv")
    assert answer.text.lstrip("\ufeff").startswith("id,at,what,ok,who")
    me = admin.get("/v1/me").json()["id"]
    assert eventually(lambda: [row for row in log_of(admin, what="exported") if row["who"] == me])
    assert sign_in("xc-look").get("/v1/security.csv").status_code == 403


def test_a_log_that_was_changed_or_cut_off_is_found(platform, admin, mongo, capfd):
    """Each book is whole and as long as its last seal: a changed row and a missing end are found."""
    let_in(admin)
    newest = max(mongo["security"].find({}), key=lambda row: row["at"])
    book = newest["book"]

    def is_sealed():
        record = mongo["books"].find_one({"_id": f"/{book}"})
        return record and record["state"]["n"] >= newest["n"]

    eventually(is_sealed, 20)

    def verify() -> str:
        try:
            platform.module("deploy.verify")
            return ""
        except subprocess.CalledProcessError:
            return capfd.readouterr().err

    eventually(lambda: verify() == "", 20, every=1)
    rows = list(mongo["security"].find({"book": book}).sort("n", 1))
    seal = mongo["books"].find_one({"_id": f"/{book}"})["state"]["n"]
    mongo["security"].update_one({"_id": rows[0]["_id"]}, {"$set": {"who": fresh()}})
    assert f"security/{book}/000001" in verify()
    mongo["security"].replace_one({"_id": rows[0]["_id"]}, rows[0])
    assert verify() == ""
    gone = list(mongo["security"].find({"book": book, "n": {"$gte": seal}}))
    mongo["security"].delete_many({"book": book, "n": {"$gte": seal}})
    assert f"security/{book}" in verify()
    for row in gone:
        mongo["security"].insert_one(row)
    assert verify() == ""


def test_names_phones_and_passwords_are_in_no_log_and_in_no_history(platform, url, admin, mongo):
    marks = {"name": "诸葛暗号", "phone": "13987654321", "password": f"secret-{fresh()}"}
    order = let_in(admin, **marks)
    signed_in(url, order).get("/v1/me")
    admin.post(f"/v1/people/{order['id']}/views", {"purpose": "verify"})
    Client(url).post("/v1/sessions", {"login": order["login"], "password": marks["password"] + "x"})
    logs = "".join(file.read_text(errors="replace") for file in (platform.home / "logs").glob("*.log"))
    for collection in ("people", "security", "revocations", "books", "sessions", "tries"):
        logs += json.dumps(list(mongo[collection].find({})), ensure_ascii=False, default=str)
    for mark in (*marks.values(), order["login"]):
        assert mark not in logs, mark
