"""Who signs in, who is put out, and what a token is worth."""

import base64
import json
import statistics
import threading
import time

import jwt
import pymongo
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy import database
from tests.make import PASSWORD, Client, a_blow, eventually, fresh
from tests.make_people import a_person, admitted, is_out, signed_in

NOBODYS = "1151f8d5-97f1-4567-9a12-0f5a2dcd5fe7"  # a session that is not there


@pytest.fixture(scope="module")
def operator(sign_in) -> Client:
    return sign_in("operator")


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    """西城区's administrator, who lets its people in and puts them out."""
    return sign_in("xc-admin")


@pytest.fixture(scope="module")
def mongo(platform):
    with pymongo.MongoClient(database.admin_uri(platform.settings), tz_aware=True) as client:
        yield client


def bearer(url: str, token: str) -> int:
    client = Client(url)
    client.session.headers["Authorization"] = f"Bearer {token}"
    return client.get("/v1/me").status_code


# -- signing in -------------------------------------------------------------------------------------------------------


def test_whoever_is_let_in_signs_in_and_finds_themselves(url, admin):
    order = admitted(admin)
    me = signed_in(url, order).get("/v1/me").json()
    said = {key: order[key] for key in ("id", "name", "login", "district", "roles", "unit")}
    assert me.items() >= (said | {"department": "", "active": True, "suspended": False, "has_totp": False}).items()
    assert {"person.self", "whistle.blow"} <= set(me["permissions"]) and "person.revoke" not in me["permissions"]
    assert signed_in(url, order | {"login": f" {order['login'].upper()} "}).get("/v1/me").status_code == 200


def test_a_wrong_password_and_an_unknown_login_are_answered_alike(url, admin):
    logins = {"wrong password": admitted(admin)["login"], "unknown login": f"nobody-{fresh()}"}
    answers, seconds = {}, {what: [] for what in logins}
    for _ in range(9):
        for what, login in logins.items():  # in turns, so that what else the machine does falls on both
            began = time.perf_counter()
            answer = Client(url).post("/v1/sessions", {"login": login, "password": PASSWORD + "x"})
            seconds[what].append(time.perf_counter() - began)
            answers[what] = (answer.status_code, {key: answer.json()[key] for key in answer.json() if key != "trace"})
    assert answers["wrong password"] == answers["unknown login"]
    assert answers["unknown login"][0] == 401
    one, other = (min(each) for each in seconds.values())
    assert abs(one - other) < 0.5 * max(one, other), seconds
    assert min(one, other) > 0.01, "a hash that costs nothing protects nothing"
    assert statistics.median(seconds["unknown login"]) < 2


def test_a_session_is_renewed_once_with_each_renewal(url, admin):
    person = signed_in(url, admitted(admin))
    first = person.signed["renewal"]
    answer = Client(url).post("/v1/sessions/renewals", {"renewal": first})
    assert answer.status_code == 201 and answer.json()["renewal"] != first
    assert bearer(url, answer.json()["token"]) == 200
    assert Client(url).post("/v1/sessions/renewals", {"renewal": first}).status_code == 401
    second = Client(url).post("/v1/sessions/renewals", {"renewal": answer.json()["renewal"]})
    assert second.status_code == 201


def test_of_eight_who_renew_at_once_with_the_same_renewal_one_succeeds(url, admin):
    renewal, codes = signed_in(url, admitted(admin)).signed["renewal"], []
    gate = threading.Barrier(8)

    def renew():
        gate.wait()
        codes.append(Client(url).post("/v1/sessions/renewals", {"renewal": renewal}).status_code)

    threads = [threading.Thread(target=renew) for _ in range(8)]
    [each.start() for each in threads]
    [each.join(30) for each in threads]
    assert sorted(codes) == [201] + [401] * 7


@pytest.mark.parametrize("renewal", ["x" * 30, f"{NOBODYS}.{'a' * 43}", "." * 30, f"{NOBODYS}."])
def test_an_invented_renewal_renews_nothing(url, renewal):
    assert Client(url).post("/v1/sessions/renewals", {"renewal": renewal}).status_code == 401


# -- being out --------------------------------------------------------------------------------------------------------


def test_signing_out_ends_this_session_at_once_and_no_other(url, admin):
    order = admitted(admin)
    here, there = signed_in(url, order), signed_in(url, order)
    assert here.delete("/v1/sessions/current").status_code == 204
    began = time.monotonic()
    eventually(lambda: is_out(here), 1, every=0.01)
    assert time.monotonic() - began < 1
    assert Client(url).post("/v1/sessions/renewals", {"renewal": here.signed["renewal"]}).status_code == 401
    assert there.get("/v1/me").status_code == 200


def test_whoever_is_put_out_is_out_everywhere_within_a_second(url, admin):
    order = admitted(admin)
    clients = [signed_in(url, order) for _ in range(3)]
    stream = clients[0].session.get(url + "/v1/stream", stream=True, timeout=20)
    assert stream.status_code == 200
    ended: list[float] = []

    def listen():
        for line in stream.iter_lines():
            if line == b"event: ended":
                ended.append(time.monotonic())

    ear = threading.Thread(target=listen, daemon=True)
    ear.start()
    time.sleep(0.3)
    revocation = {"revocation": fresh(), "reason": "dismissed"}
    answer = admin.post(f"/v1/people/{order['id']}/revocations", revocation)
    assert answer.status_code == 201 and answer.json()["active"] is False
    began = time.monotonic()
    eventually(lambda: all(is_out(client) for client in clients), 1, every=0.02)
    assert time.monotonic() - began < 1
    ear.join(2)
    assert ended and ended[0] - began < 1, "an open stream went on"
    assert clients[0].post("/v1/whistles", a_blow()).status_code == 401
    assert Client(url).post("/v1/sessions", {"login": order["login"], "password": order["password"]}).status_code == 401
    for client in clients:
        assert Client(url).post("/v1/sessions/renewals", {"renewal": client.signed["renewal"]}).status_code == 401
    again = admin.post(f"/v1/people/{order['id']}/revocations", revocation)
    assert again.status_code == 201 and again.json() == answer.json()


def test_who_was_put_out_stays_out_when_the_gateway_starts_anew(platform, url, admin):
    order = admitted(admin)
    person = signed_in(url, order)
    signed_out = signed_in(url, admitted(admin))
    admin.post(f"/v1/people/{order['id']}/revocations", {"revocation": fresh(), "reason": "locked"})
    signed_out.delete("/v1/sessions/current")
    eventually(lambda: is_out(person) and is_out(signed_out), 2)
    platform.restart("gateway")
    eventually(lambda: admin.get("/v1/me").status_code == 200, 15)
    assert is_out(person) and is_out(signed_out)


def test_nobody_puts_out_themselves_or_people_of_another_district(admin, sign_in):
    order = {"revocation": fresh(), "reason": "dismissed"}
    me = admin.get("/v1/me").json()["id"]
    assert admin.post(f"/v1/people/{me}/revocations", order).status_code == 403
    theirs = sign_in("sjy").get("/v1/me").json()["id"]
    assert admin.post(f"/v1/people/{theirs}/revocations", order).status_code == 404
    assert sign_in("sjy").get("/v1/me").status_code == 200
    assert sign_in("operator").post(f"/v1/people/{me}/revocations", order).status_code == 404
    for login in ("wmy", "zll", "xc-cg", "xc-look", "xc-res"):
        assert sign_in(login).post(f"/v1/people/{me}/revocations", order).status_code == 403


# -- tokens -----------------------------------------------------------------------------------------------------------


def claims(token: str, **changes) -> dict:
    return jwt.decode(token, options={"verify_signature": False}) | changes


def unsigned(head: dict, said: dict) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in (head, said))
    return ".".join(parts) + "."


def test_a_token_that_is_not_ours_opens_nothing(platform, url, wmy):
    token = wmy.signed["token"]
    files = platform.settings.keys()
    private, public = files[0].read_bytes(), files[1].read_bytes()
    said, now = claims(token), time.time()
    head, body, signature = token.split(".")
    forged = {
        "expired": jwt.encode(said | {"iat": now - 2000, "exp": int(now) - 60}, private, "EdDSA"),
        "of another key": jwt.encode(said, Ed25519PrivateKey.generate(), "EdDSA"),
        "of no algorithm": unsigned({"alg": "none", "typ": "JWT"}, said),
        "of no algorithm in capitals": unsigned({"alg": "NONE", "typ": "JWT"}, said),
        "signed by the public key as a word": hmac_signed(said, public),
        "with other claims": f"{head}.{unsigned({}, said | {'district': '110107'}).split('.')[1]}.{signature}",
        "without its signature": f"{head}.{body}.",
        "cut": token[:-4],
        "that never ends": jwt.encode({key: said[key] for key in said if key != "exp"}, private, "EdDSA"),
        "without a session": jwt.encode({key: said[key] for key in said if key != "sid"}, private, "EdDSA"),
        "that lives too long": jwt.encode(said | {"iat": now, "exp": int(now) + 86_400 * 30}, private, "EdDSA"),
        "from the future": jwt.encode(said | {"iat": now + 600, "exp": int(now) + 900}, private, "EdDSA"),
        "a renewal": wmy.signed["renewal"],
        "nothing": "",
        "letters": "a.b.c",
    }
    assert bearer(url, token) == 200
    assert bearer(url, jwt.encode(said | {"iat": now, "exp": int(now) + 60}, private, "EdDSA")) == 200
    assert {what: bearer(url, each) for what, each in forged.items()} == dict.fromkeys(forged, 401)


def hmac_signed(said: dict, key: bytes) -> str:
    """Sign with the public key as an HMAC secret, as the old confusion of algorithms would."""
    import hashlib
    import hmac

    head = unsigned({"alg": "HS256", "typ": "JWT"}, said).rstrip(".")
    made = hmac.new(key, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def test_a_token_is_taken_from_the_header_only(url, wmy):
    token = wmy.signed["token"]
    assert Client(url).get("/v1/me", params={"access_token": token}).status_code == 401
    assert Client(url).get("/v1/me", cookies={"token": token, "session": token}).status_code == 401


def test_a_role_that_a_client_claims_in_headers_is_not_believed(wmy):
    headers = {"roles": "operator", "district": "110107", "X-Roles": "operator", "actor": "x"}
    assert wmy.get("/v1/me", headers=headers).json()["roles"] == ["secretary"]
    assert wmy.post("/v1/districts", {"code": "110106"}, headers=headers).status_code == 403


# -- one login, one person --------------------------------------------------------------------------------------------


def test_nobody_is_let_in_under_a_login_that_is_anothers(url, admin):
    order = admitted(admin)
    for login in (order["login"], order["login"].upper(), f" {order['login']} "):
        assert admin.post("/v1/people", a_person(login=login)).status_code == 409
    assert signed_in(url, order).get("/v1/me").json()["id"] == order["id"]


def test_of_two_who_are_let_in_at_once_under_one_login_one_is_in(url, admin):
    orders, gate, codes = [a_person(login=f"both-{fresh()[:8]}")], threading.Barrier(2), {}
    orders.append(a_person(login=orders[0]["login"]))

    def admit(n):
        gate.wait()
        codes[n] = admin.post("/v1/people", orders[n]).status_code

    threads = [threading.Thread(target=admit, args=(n,)) for n in (0, 1)]
    [each.start() for each in threads]
    [each.join(30) for each in threads]
    assert sorted(codes.values()) == [201, 409]
    won = orders[next(n for n in codes if codes[n] == 201)]
    assert signed_in(url, won).get("/v1/me").json()["id"] == won["id"]


def test_the_same_person_let_in_twice_is_one_person(admin, mongo):
    order = admitted(admin)
    assert admin.post("/v1/people", order).status_code == 201
    row = mongo["huying_identity"]["people"].find_one({"_id": f"110102/{order['id']}"})
    assert row["version"] == 1
    assert admin.post("/v1/people", order | {"roles": ["street"]}).status_code == 409


def test_one_person_has_one_login(admin, mongo):
    order = admitted(admin)
    answer = admin.post("/v1/people", order | {"login": f"second-{fresh()[:8]}", "password": "another one"})
    logins = [row["_id"] for row in mongo["huying_identity"]["accounts"].find({}) if row["person"] == order["id"]]
    assert answer.status_code == 409 and logins == [order["login"]], "two logins and two passwords open one account"


def test_one_login_is_of_one_district(admin, sign_in, mongo):
    order = admitted(admin)
    answer = sign_in("sjs-admin").post("/v1/people", order | {"district": "110107", "unit": "110107001012"})
    ids = [row["_id"] for row in mongo["huying_identity"]["people"].find({}) if row["id"] == order["id"]]
    assert answer.status_code == 409 and ids == [f"110102/{order['id']}"], "one login, two people"


def test_a_login_is_not_spent_by_an_order_that_was_refused(url, admin):
    login = f"spent-{fresh()[:8]}"
    assert admin.post("/v1/people", a_person(login=login, unit="110107001012")).status_code == 422
    assert admin.post("/v1/people", a_person(login=login, roles=["specialist"])).status_code == 422
    assert Client(url).post("/v1/sessions", {"login": login, "password": "whatever"}).status_code == 401
    order = a_person(login=login)
    assert admin.post("/v1/people", order).status_code == 201
    assert signed_in(url, order).get("/v1/me").json()["id"] == order["id"]


def test_the_same_order_with_another_password_is_not_answered_as_if_it_were_taken(url, admin):
    order = admitted(admin)
    answer = admin.post("/v1/people", order | {"password": "something else"})
    again = Client(url).post("/v1/sessions", {"login": order["login"], "password": "something else"})
    assert (answer.status_code, again.status_code) == (409, 401)
    assert signed_in(url, order).get("/v1/me").status_code == 200


@pytest.mark.parametrize("login", ["wmy", "xc-cg", "xc-res", "xc-look", "sjs-admin", "sjy", "operator"])
def test_nobody_lets_in_whom_they_do_not_look_after(sign_in, login):
    assert sign_in(login).post("/v1/people", a_person()).status_code == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "x" * 201}, "password"),
        ({"roles": ["king"]}, "roles"),
        ({"roles": ["plugin"]}, "roles"),
        ({"roles": ["gateway"]}, "roles"),
        ({"roles": []}, "roles"),
        ({"unit": "110107001012"}, "unit"),
        ({"department": "chengguan"}, "department"),
        ({"roles": ["specialist"], "department": ""}, "department"),
        ({"name": " "}, "name"),
        ({"login": ""}, "login"),
        ({"district": "1101"}, "district"),
    ],
    ids=str,
)
def test_an_order_that_does_not_fit_lets_nobody_in(url, admin, change, field):
    order = a_person(**change)
    answer = admin.post("/v1/people", order)
    assert answer.status_code == 422 and list(answer.json()["fields"]) == [field]
    assert Client(url).post("/v1/sessions", {"login": order["login"], "password": order["password"]}).status_code in (
        401,
        422,
    )


def test_a_district_that_is_not_open_takes_nobody_in(operator):
    answer = operator.post("/v1/people", a_person(district="999999", unit="999999", roles=["district"]))
    assert answer.status_code in (404, 422), "people of a district that does not exist"


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_passwords_are_kept_as_argon2id_hashes_and_nothing_else(admin, mongo):
    order = admitted(admin)
    # Who comes in by the provider only, or by a table without a password, has none.
    rows = [row for row in mongo["huying_identity"]["accounts"].find({}) if row["hash"]]
    assert len(rows) >= 14
    for row in rows:
        algorithm, version, cost = row["hash"].split("$")[1:4]
        memory, passes, lanes = (int(part.partition("=")[2]) for part in cost.split(","))
        # OWASP: at least 19 MiB and two passes.
        assert (algorithm, version) == ("argon2id", "v=19") and memory >= 19_456 and passes >= 2 and lanes >= 1
    assert len({row["hash"] for row in rows}) == len(rows), "the same password has another hash for each person"
    for collection in mongo["huying_identity"].list_collection_names():
        text = json.dumps(list(mongo["huying_identity"][collection].find({})), ensure_ascii=False, default=str)
        assert order["password"] not in text
        if collection != "accounts":
            assert "argon2" not in text, collection


def test_no_history_holds_a_name_a_login_or_a_secret(url, admin, mongo):
    order = admitted(admin, name="欧阳暗号")
    person = signed_in(url, order)
    row = mongo["huying_identity"]["people"].find_one({"_id": f"110102/{order['id']}"})
    text = json.dumps([row["history"], row["state"]], ensure_ascii=False, default=str)
    for secret in (order["name"], order["login"], order["password"], "argon2", person.signed["renewal"]):
        assert secret not in text
    assert row["history"][0]["words"]["digests"].keys() == {"name", "login"}


def test_renewals_are_kept_sealed(url, admin, mongo):
    secret = signed_in(url, admitted(admin)).signed["renewal"].partition(".")[2]
    rows = json.dumps(list(mongo["huying_identity"]["sessions"].find({})), default=str)
    assert len(secret) >= 43 and secret not in rows
