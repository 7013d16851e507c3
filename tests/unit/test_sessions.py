"""Is nobody let in whose token is not good, and is whoever was put out, out at once?"""

import base64
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.limits import Limits
from shared.errors import Unauthenticated, Unavailable
from tests.make_gateway import FakeBus, a_fact, a_gateway, a_token, signed_in

PERSON, SESSION = "6f1d2a34-0b6e-4a5e-9d0c-3f5b7a9c1e01", "0d9a2f6b-52c4-4a39-8a55-6ce2f3f1b7d2"
SIGN_IN = {"login": "wang", "password": "wrong"}


def with_token(app, token):
    return app.test_client().get("/v1/whistles", headers={"Authorization": f"Bearer {token}"})


def a_revocation(subject, moment=None):
    before = (moment or datetime.now(UTC)).isoformat().replace("+00:00", "Z")
    data = {"revocation": SESSION, "reason": "dismissed", "subject": subject, "before": before}
    return a_fact("revoked", source="/identity", district="", data=data)


@pytest.fixture
def bus():
    made = FakeBus()
    made.answers["whistle.listing"] = {"items": [], "next": None}
    made.answers["identity.sign_in"] = Unauthenticated("登录名或密码不对 / Wrong login or password")
    return made


@pytest.fixture
def app(bus):
    return a_gateway(bus)


def test_a_good_token_opens_the_door(app):
    assert with_token(app, a_token()).status_code == 200


def forged(header, claims):
    parts = (base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in (header, claims))
    return ".".join(parts) + "."


NOW = time.time()
CLAIMS = {"sub": PERSON, "sid": SESSION, "district": "110102", "roles": ["district"], "iat": NOW, "exp": NOW + 900}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        a_token(key=Ed25519PrivateKey.generate()),
        forged({"alg": "none", "typ": "JWT"}, CLAIMS),
        jwt.encode(CLAIMS, "x" * 32, algorithm="HS256"),
        a_token(exp=NOW - 60, iat=NOW - 900),
        a_token(iat=NOW + 86_400, exp=NOW + 87_000),
        a_token(iat=NOW, exp=NOW + 90_000),
        a_token(sid=None),
        a_token(exp=None),
        a_token(iat=None),
        a_token(iat="now"),
        a_token(sub=None),
        a_token()[:-4] + "AAAA",
    ],
    ids=[
        *("empty", "nonsense", "another's key", "no signature", "the public key as a secret", "old", "from tomorrow"),
        *("good for a day", "no session", "no end", "no beginning", "no number", "nobody", "changed"),
    ],
)
def test_a_token_that_is_not_good_opens_nothing(app, bus, token):
    asked = len(bus.asked)
    assert with_token(app, token).status_code == 401
    assert len(bus.asked) == asked


@pytest.mark.parametrize("header", ["Basic d2FuZzp3YW5n", "Bearer", "Bearer ", "bearer-token x", "Token x"])
def test_only_a_bearer_token_is_a_token(app, header):
    assert app.test_client().get("/v1/whistles", headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize("subject", [PERSON, SESSION])
def test_whoever_is_put_out_is_out_at_once(app, bus, subject):
    client = signed_in(app, sub=PERSON, sid=SESSION)
    others = signed_in(app)
    assert client.get("/v1/whistles").status_code == 200
    bus.on_fact(a_revocation(subject))
    assert client.get("/v1/whistles").status_code == 401
    assert others.get("/v1/whistles").status_code == 200


def test_a_token_made_after_the_revocation_is_good(app, bus):
    bus.on_fact(a_revocation(PERSON, datetime.now(UTC) - timedelta(seconds=5)))
    assert signed_in(app, sub=PERSON).get("/v1/whistles").status_code == 200


def test_an_older_revocation_heard_later_does_not_open_the_door_again(app, bus):
    client = signed_in(app, sub=PERSON)
    bus.on_fact(a_revocation(PERSON))
    bus.on_fact(a_revocation(PERSON, datetime.now(UTC) - timedelta(minutes=50)))
    assert client.get("/v1/whistles").status_code == 401


def test_what_was_revoked_before_this_gateway_started_is_known(bus):
    before = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    bus.answers["identity.revocations"] = {"items": [{"subject": PERSON, "before": before}]}
    app = a_gateway(bus)
    assert signed_in(app, sub=PERSON).get("/v1/whistles").status_code == 401
    name, order, caller = next(asked for asked in bus.asked if asked[0] == "identity.revocations")
    assert caller.roles == ("gateway",)
    age = datetime.now(UTC) - datetime.fromisoformat(order["since"])
    assert timedelta(minutes=59) < age < timedelta(minutes=61)


def test_until_it_knows_whom_to_refuse_a_gateway_lets_nobody_in_and_says_so(bus):
    bus.answers["identity.revocations"] = Unavailable("还没有 / not yet")
    app = a_gateway(bus)
    assert app.test_client().get("/readyz").status_code == 503
    assert app.test_client().get("/readyz").json == {"bus": True, "revocations": False}
    answer = signed_in(app).get("/v1/whistles")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert app.test_client().get("/healthz").status_code == 200
    bus.answers["identity.revocations"] = {"items": []}
    limit = time.time() + 5
    while app.test_client().get("/readyz").status_code != 200 and time.time() < limit:
        time.sleep(0.05)
    assert signed_in(app).get("/v1/whistles").status_code == 200


def test_a_gateway_without_its_bus_is_not_ready(app, bus):
    assert app.test_client().get("/readyz").status_code == 200
    bus.connected = False
    assert app.test_client().get("/readyz").status_code == 503


def test_each_time_the_bus_comes_back_the_list_is_read_again(app, bus):
    client = signed_in(app, sub=PERSON)
    before = datetime.now(UTC).isoformat()
    bus.answers["identity.revocations"] = {"items": [{"subject": PERSON, "before": before}]}
    bus.on_connected()
    limit = time.time() + 5
    while client.get("/v1/whistles").status_code == 200 and time.time() < limit:
        time.sleep(0.02)
    assert client.get("/v1/whistles").status_code == 401


def test_a_gateway_that_lost_its_ear_refuses_until_the_list_is_loaded_again(app, bus):
    client = signed_in(app, sub=PERSON)
    assert client.get("/v1/whistles").status_code == 200
    bus.on_lost()
    refused = client.get("/v1/whistles")
    assert refused.status_code == 503 and "Retry-After" in refused.headers
    assert app.test_client().get("/readyz").json == {"bus": True, "revocations": False}

    # The list was asked for, and while it was on its way the ear was lost again: that list is too old to go by.
    asked, answered = threading.Event(), threading.Event()

    def late_list(order, caller):
        asked.set()
        answered.wait(5)
        return {"items": []}

    bus.answers["identity.revocations"] = late_list
    bus.on_connected()
    assert asked.wait(5)
    bus.on_lost()
    answered.set()
    time.sleep(0.1)
    assert client.get("/v1/whistles").status_code == 503

    bus.answers["identity.revocations"] = {"items": []}
    bus.on_connected()
    limit = time.time() + 5
    while client.get("/v1/whistles").status_code != 200 and time.time() < limit:
        time.sleep(0.02)
    assert client.get("/v1/whistles").status_code == 200


def test_nobody_guesses_one_password_for_long(bus):
    client = a_gateway(bus, RATE_LIMITS="").test_client()
    told = [client.post("/v1/sessions", json=SIGN_IN).status_code for _ in range(12)]
    assert told == [401] * 10 + [429] * 2
    answer = client.post("/v1/sessions", json=SIGN_IN)
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert answer.mimetype == "application/problem+json"
    assert client.post("/v1/sessions", json=SIGN_IN | {"login": "li"}).status_code == 401


def test_writing_a_login_in_another_way_gives_no_more_guesses(bus):
    client = a_gateway(bus, RATE_LIMITS="").test_client()
    logins = ["wang", "WANG", " wang", "Wang "] * 3
    told = [client.post("/v1/sessions", json=SIGN_IN | {"login": login}).status_code for login in logins]
    assert told == [401] * 10 + [429] * 2


def test_nobody_guesses_many_logins_from_one_address(bus):
    client = a_gateway(bus, RATE_LIMITS="address=5/minute").test_client()
    told = [client.post("/v1/sessions", json=SIGN_IN | {"login": f"p{n}"}).status_code for n in range(7)]
    assert told == [401] * 5 + [429] * 2


def test_many_people_behind_one_address_renew_without_holding_each_other_up(bus):
    bus.answers["identity.renew"] = {"token": "t", "renewal": "r" * 30, "expires": 900}
    client = a_gateway(bus, RATE_LIMITS="").test_client()
    assert {client.post("/v1/sessions/renewals", json={"renewal": "r" * 30}).status_code for _ in range(40)} == {201}


def test_an_address_that_a_client_claims_is_not_believed(bus):
    client = a_gateway(bus, RATE_LIMITS="address=2/minute").test_client()
    told = [
        client.post("/v1/sessions", json=SIGN_IN, headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code
        for n in range(4)
    ]
    assert told == [401, 401, 429, 429]


def test_one_persons_writes_are_counted_and_another_person_is_not_held_up(bus):
    bus.answers["identity.sign_out"] = None
    app = a_gateway(bus, RATE_LIMITS="writes=2/minute, reads=3/minute")
    busy, other = signed_in(app), signed_in(app)
    assert [busy.delete("/v1/sessions/current").status_code for _ in range(3)] == [204, 204, 429]
    assert busy.get("/v1/whistles").status_code == 200
    assert other.delete("/v1/sessions/current").status_code == 204


def test_a_setting_that_nobody_knows_is_refused_at_the_start():
    with pytest.raises(ValueError, match="logins"):
        Limits("logins=1/minute")


def test_limits_can_be_off(bus):
    client = a_gateway(bus, RATE_LIMITS="off").test_client()
    assert {client.post("/v1/sessions", json=SIGN_IN).status_code for _ in range(30)} == {401}


def test_a_view_that_forgets_to_say_who_may_is_closed(app):
    app.add_url_rule("/v1/forgotten", "forgotten", lambda: "open")
    assert app.test_client().get("/v1/forgotten").status_code == 401
    assert signed_in(app).get("/v1/forgotten").status_code == 200
