"""The platform can forget: what people wrote stands beside the history, never on the bus or in a log, and can go."""

import io
import json
import secrets
import threading
import time

import pika
import pymongo
import pytest
from PIL import Image

from deploy import database, parked, topology
from services import proof
from services.whistle.store import Whistles
from shared.caller import Caller
from shared.running import clock
from tests.make import PASSWORD, Client, a_blow, eventually, fresh, solved


@pytest.fixture(scope="module")
def mongo(platform):
    with pymongo.MongoClient(database.admin_uri(platform.settings), tz_aware=True) as client:
        yield client


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    """西城区's administrator, who may erase."""
    return sign_in("xc-admin")


WRITTEN = ("title", "text", "address", "expected", "note", "result")
WRITTEN += ("note of the contact", "note of the visit", "note of the look")


def mark() -> str:
    """Give a word that stands nowhere else in the world."""
    return f"暗号{secrets.token_hex(8)}"


def upload(client: Client) -> str:
    """Upload a picture that nobody else has; gives its digest."""
    out, noise = io.BytesIO(), Image.frombytes("RGB", (40, 40), secrets.token_bytes(4800))
    noise.save(out, "PNG")
    answer = client.session.post(client.url + "/v1/photos", data=out.getvalue(), headers={"Content-Type": "image/png"})
    assert answer.status_code == 201, answer.text
    return answer.json()["digest"]


def everything(mongo) -> dict[str, str]:
    """Give all that lies in every database of ours, each collection as one long text."""
    found = {}
    for name in mongo.list_database_names():
        if name.startswith("huying_"):
            for collection in mongo[name].list_collection_names():
                rows = list(mongo[name][collection].find({}))
                found[f"{name}.{collection}"] = json.dumps(rows, ensure_ascii=False, default=str)
    return found


def places_of(word: str, texts: dict[str, str]) -> list[str]:
    return sorted(place for place, text in texts.items() if word in text)


def settled_whistle(wmy: Client, chengguan: Client) -> tuple[str, dict[str, str]]:
    """Play the main job with marked words in each step; gives the whistle's id and what was written."""
    said = {each: mark() for each in WRITTEN} | {"photo": upload(wmy), "photo of the visit": upload(chengguan)}
    first = {name: said[name] for name in ("title", "text", "address", "expected")}
    id = wmy.blow(**first, photos=[said["photo"]])["id"]
    for answer in (
        chengguan.act("contacts", id, {"note": said["note of the contact"]}),
        chengguan.report(id, photos=[said["photo of the visit"]], note=said["note of the visit"]),
        chengguan.feed_back(id, text=said["result"]),
        wmy.confirm(id, note=said["note of the look"]),
        wmy.settle(id, note=said["note"]),
    ):
        assert answer.status_code == 201, answer.text
    return id, said


def test_erased_words_and_their_salts_are_nowhere_in_any_database(wmy, chengguan, admin, mongo):
    id, said = settled_whistle(wmy, chengguan)
    rows = mongo["huying_whistle"]["whistles_words"]
    salts = [
        word["salt"]
        for row in rows.find({"record": f"110102/{id}", "said": {"$exists": True}})
        for word in row["said"].values()
    ]
    before = everything(mongo)
    assert len(salts) == len(WRITTEN) + 2
    for word in [*(said[name] for name in WRITTEN), *salts]:
        assert places_of(word, before) == ["huying_whistle.whistles_words"], "the test must see what it looks for"
    assert admin.erase(id).status_code == 201
    after = everything(mongo)
    for word in [*(said[name] for name in WRITTEN), *salts]:
        assert places_of(word, after) == [], "erased, and there still"


def test_after_an_erasure_the_chain_holds_and_readers_see_when_and_why(wmy, chengguan, admin, mongo):
    id, _ = settled_whistle(wmy, chengguan)
    wmy.at_rest(id)
    before = wmy.get(f"/v1/whistles/{id}/history").json()
    began = wmy.get("/v1/clock").json()["now"]
    answer = admin.erase(id, reason="retention")
    assert answer.status_code == 201
    seen = wmy.get(f"/v1/whistles/{id}").json()
    assert seen == answer.json()
    shown = [seen["words"], seen["settlement"], seen["reports"][0]["words"]]
    shown += [seen["summonses"][0]["answer"]["words"], seen["confirmations"][0]["words"]]
    for words in shown:
        assert set(words) == {"erased"} and words["erased"]["reason"] == "retention"
        assert began <= words["erased"]["at"] <= wmy.get("/v1/clock").json()["now"]
    after = wmy.get(f"/v1/whistles/{id}/history").json()
    assert after["whole"] and after["steps"][:-1] == before["steps"], "not one old step is touched"
    assert after["steps"][-1]["fact"] == "words_erased" and after["steps"][-1]["data"]["reason"] == "retention"
    store = Whistles(mongo["huying_whistle"], Caller("110102"), clock.now)
    assert proof.trace(store, id)["broken"] is None
    listed = wmy.get("/v1/whistles", params={"limit": 200, "community": seen["community"]}).json()["items"]
    assert next(row for row in listed if row["id"] == id)["words"] == seen["words"]


def test_an_erased_photos_bytes_are_gone(wmy, chengguan, admin, platform):
    id, said = settled_whistle(wmy, chengguan)
    folder = platform.home / "photos" / "110102"
    files = [folder / f"{said[each]}{size}" for each in ("photo", "photo of the visit") for size in ("", ".thumb")]
    assert all(file.exists() for file in files)
    tag = wmy.get(f"/v1/photos/{said['photo']}").headers["ETag"]
    assert admin.erase(id).status_code == 201
    assert [file.name for file in files if file.exists()] == []
    assert wmy.get(f"/v1/photos/{said['photo']}").status_code == 404
    assert wmy.get(f"/v1/photos/{said['photo']}", headers={"If-None-Match": tag}).status_code == 404
    assert wmy.get(f"/v1/photos/{said['photo']}", params={"size": "thumb"}).status_code == 404


def test_a_photo_that_another_whistle_shows_stays_until_that_goes_too(wmy, admin, platform):
    photo = upload(wmy)
    one, other = (wmy.blow(photos=[photo])["id"] for _ in range(2))
    file = platform.home / "photos" / "110102" / photo
    assert admin.erase(one).status_code == 201
    assert file.exists() and wmy.get(f"/v1/photos/{photo}").status_code == 200
    assert wmy.get(f"/v1/whistles/{other}").json()["words"]["photos"] == [photo]
    assert admin.erase(other).status_code == 201
    assert not file.exists() and wmy.get(f"/v1/photos/{photo}").status_code == 404


def test_an_erasure_asked_for_twice_happens_once(wmy, admin):
    id, order = wmy.blow()["id"], {"act": fresh(), "reason": "mistaken"}
    wmy.at_rest(id)
    first, again = admin.erase(id, **order), admin.erase(id, **order)
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    assert wmy.steps(id).count("words_erased") == 1


def test_what_is_written_after_an_erasure_can_be_erased_too(wmy, chengguan, admin, mongo):
    id = wmy.blow()["id"]
    assert admin.erase(id, reason="unlawful").status_code == 201
    solved(id, wmy, chengguan)
    note = mark()
    assert wmy.settle(id, note=note).status_code == 201
    assert wmy.get(f"/v1/whistles/{id}").json()["settlement"]["note"] == note
    assert admin.erase(id, reason="requested").status_code == 201
    seen = wmy.get(f"/v1/whistles/{id}").json()
    assert seen["words"]["erased"]["reason"] == "unlawful" and seen["settlement"]["erased"]["reason"] == "requested"
    assert places_of(note, everything(mongo)) == []
    assert wmy.get(f"/v1/whistles/{id}/history").json()["whole"]


def test_a_blow_that_is_sent_again_brings_no_erased_words_back(wmy, admin, mongo):
    order = a_blow(title=mark(), photos=[upload(wmy)])
    assert wmy.post("/v1/whistles", order).status_code == 201
    assert admin.erase(order["id"]).status_code == 201
    again = wmy.post("/v1/whistles", order)
    assert places_of(order["title"], everything(mongo)) == []
    assert wmy.steps(order["id"]) == ["blown", "called", "words_erased"]
    assert again.status_code == 201 and "erased" in again.json()["words"], "the same order finds what it made"


# -- the grep ---------------------------------------------------------------------------------------------------------


class Ear:
    """Hears every message on every exchange of ours but the calls and their replies, as the broker's administrator."""

    def __init__(self, uri: str):
        self.heard: list[str] = []
        self.connection = pika.BlockingConnection(pika.URLParameters(uri))
        channel = self.connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        for name, exchange in topology.exchanges().items():
            if name in ("calls", "replies"):
                continue
            keys = {key for source, _, key in topology.bindings() if source == name} | {"#"}
            for key in keys if exchange["type"] == "direct" else {"#"}:
                channel.queue_bind(queue, name, key)
        channel.basic_consume(queue, self.hear, auto_ack=True)
        self.going = True
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def hear(self, channel, method, properties, body) -> None:
        self.heard.append(f"{method.exchange} {method.routing_key} {properties} {body.decode()}")

    def listen(self) -> None:
        while self.going:
            self.connection.process_data_events(time_limit=0.2)

    def close(self) -> list[str]:
        self.going = False
        self.thread.join(5)
        self.connection.close()
        return self.heard


def test_nothing_that_people_wrote_or_are_is_on_the_bus_in_a_log_or_in_a_history(
    platform, url, wmy, chengguan, admin, sign_in, mongo
):
    ear = Ear(platform.settings.amqp_admin_uri())
    # A person with marks for a name, a login and a password does the whole job, and some things that are refused.
    who = {"name": mark(), "login": f"l{secrets.token_hex(8)}", "password": secrets.token_hex(12)}
    person = fresh()
    order = {
        "id": person,
        "district": "110102",
        "roles": ["secretary"],
        "unit": wmy.get("/v1/me").json()["unit"],
        **who,
    }
    assert admin.post("/v1/people", order).status_code == 201
    assert admin.post("/v1/people", order | {"id": fresh()}).status_code == 409
    assert admin.post("/v1/people", order | {"id": fresh(), "unit": "x" + who["name"]}).status_code == 422
    head = Client(url, who["login"], who["password"])
    wrong = Client(url).post("/v1/sessions", {"login": who["login"], "password": who["password"] + "x"})
    assert wrong.status_code == 401
    id, said = settled_whistle(head, chengguan)
    refused = {f"refused {field}": mark() for field in ("title", "kind", "department", "colour", "community", "id")}
    for change in (
        {"title": refused["refused title"] * 9},
        {"kind": refused["refused kind"]},
        {"departments": [refused["refused department"]]},
        {refused["refused colour"]: 1},
        {"community": refused["refused community"]},
        {"id": refused["refused id"]},
    ):
        assert head.post("/v1/whistles", a_blow(**change)).status_code == 422
    assert head.get(f"/v1/whistles/{refused['refused id']}").status_code == 422
    assert head.get("/v1/whistles", params={"after": refused["refused id"]}).status_code == 422
    assert admin.erase(id).status_code == 201
    later, more = settled_whistle(head, chengguan)
    assert (
        admin.post(f"/v1/people/{person}/revocations", {"revocation": fresh(), "reason": "dismissed"}).status_code
        == 201
    )
    # One fact that cannot be handled, so that the parked ones are looked at too.
    poison = park_one(platform)
    eventually(lambda: any(poison in line and " parked " in line for line in ear.heard), 15)
    eventually(lambda: any("revoked.110102" in line and person in line for line in ear.heard), 15)
    time.sleep(0.5)
    heard = ear.close()
    assert parked.settle(platform.settings.amqp_uri("operator"), "drop", "whistle", poison, "a test") == 1
    assert sum(id in line or later in line for line in heard) >= 9, "the test must hear what it looks for"
    assert any("admitted.110102.all" in line for line in heard)

    words = who | said | refused | {f"later {name}": word for name, word in more.items()}
    words |= {"demo password": PASSWORD, "token": head.signed["token"], "renewal": head.signed["renewal"]}
    words |= {f"hash of {row['_id']}": row["hash"] for row in mongo["huying_identity"]["accounts"].find({})}
    logs = {str(file): file.read_text(errors="replace") for file in sorted((platform.home / "logs").iterdir())}
    assert any(id in text for text in logs.values()) or any("POST /v1/whistles" in text for text in logs.values())
    histories = {}
    for name in mongo.list_database_names():
        for collection in mongo[name].list_collection_names() if name.startswith("huying_") else ():
            for row in mongo[name][collection].find({"history": {"$exists": True}}):
                histories[f"{name}.{collection} {row['_id']}"] = json.dumps(
                    [row["history"], row["state"]], ensure_ascii=False, default=str
                )
    assert len(histories) > 15
    leaks = []
    for name, word in ((name, word) for name, word in words.items() if word):
        leaks += [f"{name} on the bus: {line[:300]}" for line in heard if written(word, line)]
        leaks += [f"{name} in {place}" for place, text in logs.items() if written(word, text)]
        leaks += [f"{name} in the history of {place}" for place, text in histories.items() if written(word, text)]
    assert leaks == []


def written(word: str, text: str) -> bool:
    """Say whether a word stands in a text, as itself or as JSON or an address would write it."""
    from urllib.parse import quote

    return any(form in text for form in {word, json.dumps(word)[1:-1], quote(word)})


def park_one(platform) -> str:
    """Have the whistle service hear of an erasure in a whistle that is none; gives the message's id."""
    subject = fresh()
    fact = {
        "specversion": "1.0", "id": f"whistle/110102/{subject}/9", "source": "/whistle", "type": "words_erased",
        "subject": subject, "time": "2026-11-24T02:20:13.000Z", "datacontenttype": "application/json",
        "district": "110102", "to": "all", "actor": "x", "traceparent": "", "hash": "0" * 64,
        "data": {"act": fresh(), "order": "0" * 16, "reason": "requested", "community": "110102009041"},
    }  # fmt: skip
    properties = pika.BasicProperties(
        user_id="operator", type="words_erased", message_id=fact["id"], delivery_mode=2, content_type="application/json"
    )
    with pika.BlockingConnection(pika.URLParameters(platform.settings.amqp_uri("operator"))) as connection:
        connection.channel().basic_publish("whistle.wait", "again", json.dumps(fact).encode(), properties)
    return fact["id"]
