"""Second factors, lock-out, and the second door: where administrators need two kinds of credential."""

import statistics
import time

import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.make import Client, bearing, eventually, fresh
from tests.make_people import admitted
from tests.provider import Provider

REDIRECT = "http://127.0.0.1/oidc"


@pytest.fixture(scope="module")
def provider():
    made = Provider()
    yield made
    made.close()


@pytest.fixture(scope="module")
def strict(platform, provider, admin):
    """The same platform while administrators need a second factor and there is a second door."""

    def told(said: dict) -> None:
        platform.settings.data["of_identity"] = said
        platform.settings.save()
        platform.restart("identity")

    told(provider.environment(REDIRECT) | {"REQUIRE_TOTP": "1"})
    yield platform.url
    told({})


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    return sign_in("xc-admin")


def sign_in_with(url: str, order: dict, **more):
    said = {"login": order["login"], "password": order["password"], **more}
    return Client(url).post("/v1/sessions", said)


def enrolled(client: Client) -> tuple[str, list[str]]:
    """Enrol a second factor; gives its key and the recovery codes."""
    begun = client.post("/v1/me/totp")
    assert begun.status_code == 201 and begun.json()["uri"].startswith("otpauth://totp/"), begun.text
    key = begun.json()["key"]
    confirmed = client.post("/v1/me/totp/confirmations", {"code": pyotp.TOTP(key).now()})
    assert confirmed.status_code == 201 and len(confirmed.json()["codes"]) == 8, confirmed.text
    return key, confirmed.json()["codes"]


def what(answer) -> tuple:
    return answer.status_code, {key: value for key, value in answer.json().items() if key != "trace"}


# -- lock-out ---------------------------------------------------------------------------------------------------------


def test_where_no_provider_is_configured_there_is_no_second_door(url):
    assert Client(url).post("/v1/sessions/oidc").status_code == 404
    back = {"state": "x" * 40, "code": "y"}
    assert Client(url).post("/v1/sessions/oidc/returns", back).status_code == 404


def test_a_lock_out_tells_nobody_which_accounts_there_are(url, admin):
    order = admitted(admin)
    logins = {"ours": order["login"], "nobody's": f"n-{fresh()}"}
    answers, seconds = {name: [] for name in logins}, {name: [] for name in logins}
    for _ in range(9):
        for name, login in logins.items():  # in turns, so that what else the machine does falls on both
            began = time.perf_counter()
            answers[name].append(what(sign_in_with(url, {"login": login, "password": "wrong-password"})))
            seconds[name].append(time.perf_counter() - began)
    assert answers["ours"] == answers["nobody's"] and len({str(each) for each in answers["ours"]}) == 1
    assert answers["ours"][0][0] == 401
    one, other = (statistics.median(each) for each in seconds.values())
    assert abs(one - other) < 0.5 * max(one, other), seconds
    # While it lasts, now two seconds, the right password is refused in the same words.
    time.sleep(1.2)
    sign_in_with(url, order | {"password": "wrong-password"})
    assert what(sign_in_with(url, order)) == answers["ours"][0]
    assert eventually(lambda: sign_in_with(url, order).status_code == 201, 20, every=0.5)
    # Whoever came in begins anew.
    assert [sign_in_with(url, order | {"password": "wrong-password"}).status_code for _ in range(4)] == [401] * 4
    assert sign_in_with(url, order).status_code == 201


def test_another_way_of_writing_a_login_gives_no_more_tries(url, admin):
    def after_five_tries() -> int:
        """Try in five ways and then well; nothing where that took longer than the second that the sixth waits."""
        order = admitted(admin)
        login = order["login"]
        for way in (login, login.upper(), f" {login}", login.replace("-", "\uff0d"), login.replace("p", "\uff50")):
            began = time.monotonic()
            sign_in_with(url, {"login": way, "password": "wrong-password"})
        status = sign_in_with(url, order).status_code
        return status if status == 401 or time.monotonic() - began < 1 else 0

    assert eventually(after_five_tries, 30) == 401, "five tries are five, and the next one waits"


# -- second factors ---------------------------------------------------------------------------------------------------


def test_a_second_factor_is_asked_for_and_each_of_its_codes_is_good_once(url, admin):
    order = admitted(admin)
    client = Client(url, order["login"], order["password"])
    key, codes = enrolled(client)
    assert client.get("/v1/me").json()["has_totp"]
    without = what(sign_in_with(url, order))
    assert without[0] == 401 and what(sign_in_with(url, order, code="000000")) == without
    # The step that confirmed it is spent; the next one is good, once.
    next_code = pyotp.TOTP(key).at(time.time() + 30)
    assert sign_in_with(url, order, code=next_code).status_code == 201
    assert what(sign_in_with(url, order, code=next_code)) == without
    assert sign_in_with(url, order, code=codes[0]).status_code == 201
    assert sign_in_with(url, order, code=codes[0]).status_code == 401
    assert sign_in_with(url, order, code=codes[1].replace("-", "").upper()).status_code == 201
    assert client.post("/v1/me/totp").status_code == 409
    assert client.post("/v1/me/totp/removals", {"password": "wrong-password"}).status_code == 422
    assert client.post("/v1/me/totp/removals", {"password": order["password"]}).status_code == 204
    assert sign_in_with(url, order).status_code == 201


def test_a_lost_second_factor_is_taken_away_by_an_administrator(url, admin):
    order = admitted(admin)
    enrolled(Client(url, order["login"], order["password"]))
    assert sign_in_with(url, order).status_code == 401
    assert admin.delete(f"/v1/people/{order['id']}/totp").status_code == 200
    assert sign_in_with(url, order).status_code == 201


def test_keys_and_codes_are_kept_sealed(platform, url, admin):
    import pymongo

    from deploy import database

    order = admitted(admin)
    key, codes = enrolled(Client(url, order["login"], order["password"]))
    with pymongo.MongoClient(database.admin_uri(platform.settings)) as client:
        row = client["huying_identity"]["accounts"].find_one({"person": order["id"]})
        everything = str([list(each.find({})) for each in (client["huying_identity"]["accounts"],)])
    assert len(row["totp"]["codes"]) == 8
    for secret in (key, *codes, *(code.replace("-", "") for code in codes)):
        assert secret not in everything


def test_an_administrator_without_a_second_factor_chooses_one_first(strict, admin, sign_in):
    assert sign_in("wmy").get("/v1/me").status_code == 200
    order = admitted(admin, roles=["district"], unit="110102")
    session = sign_in_with(strict, order).json()
    assert session["first"] == ["totp"]
    newcomer = bearing(strict, session)
    assert newcomer.get("/v1/me").json()["permissions"] == ["person.self"]
    for path in ("/v1/people", "/v1/access", "/v1/security", "/v1/whistles"):
        assert newcomer.get(path).status_code == 403, path
    _, codes = enrolled(newcomer)
    renewed = newcomer.post("/v1/sessions/renewals", {"renewal": session["renewal"]}).json()
    assert renewed["first"] == [] and bearing(strict, renewed).get("/v1/access").status_code == 200
    assert sign_in_with(strict, order, code=codes[0]).json()["first"] == []
    secretary = admitted(admin)
    assert sign_in_with(strict, secretary).json()["first"] == []


# -- the second door --------------------------------------------------------------------------------------------------


def come_back(strict: str, provider: Provider, sub: str, **changes):
    begun = Client(strict).post("/v1/sessions/oidc")
    assert begun.status_code == 201, begun.text
    back = provider.authorize(begun.json()["url"], sub)
    assert back["state"] == begun.json()["state"]
    return Client(strict).post("/v1/sessions/oidc/returns", back | changes), back


def test_whoever_is_linked_comes_in_by_the_provider(strict, provider, admin):
    order, sub = admitted(admin, password=None), f"sub-{fresh()}"
    assert come_back(strict, provider, sub)[0].status_code == 401
    assert admin.post(f"/v1/people/{order['id']}/external", {"external": sub}).status_code == 201
    answer, back = come_back(strict, provider, sub)
    assert answer.status_code == 201, answer.text
    assert bearing(strict, answer.json()).get("/v1/me").json()["id"] == order["id"]
    # A state is good once, and only for the browser's own journey.
    assert Client(strict).post("/v1/sessions/oidc/returns", back).status_code == 401
    assert come_back(strict, provider, sub, state="z" * 43)[0].status_code == 401
    assert come_back(strict, provider, sub, code="never-given")[0].status_code == 401
    other = admitted(admin)
    assert admin.post(f"/v1/people/{other['id']}/external", {"external": sub}).status_code == 409
    assert admin.post(f"/v1/people/{order['id']}/external", {"external": ""}).status_code == 201
    assert come_back(strict, provider, sub)[0].status_code == 401


def linked(admin: Client, **changes) -> tuple[dict, str]:
    """Let somebody in who also comes by the provider; gives the order and the provider's name for them."""
    order, sub = admitted(admin, **changes), f"sub-{fresh()}"
    assert admin.post(f"/v1/people/{order['id']}/external", {"external": sub}).status_code == 201
    return order, sub


def test_who_has_a_second_factor_is_asked_for_it_at_the_second_door_too(strict, provider, admin):
    order, sub = linked(admin)
    key, codes = enrolled(Client(strict, order["login"], order["password"]))
    answer, back = come_back(strict, provider, sub)
    assert answer.status_code == 401 and list(answer.json()["fields"]) == ["totp"], answer.text
    provider.lies = {"amr": ["pwd", "otp"]}
    try:
        assert come_back(strict, provider, sub)[0].status_code == 401, "nobody said that its word is taken"
    finally:
        provider.lies = {}

    def prove(code: str) -> int:
        return Client(strict).post("/v1/sessions/oidc/returns", back | {"totp": code}).status_code

    assert prove("000000") == 401
    assert prove(pyotp.TOTP(key).at(time.time() + 30)) == 201
    assert prove(codes[0]) == 401, "and then this journey is over"
    # Whoever guesses codes there waits as at the first door, and the first door waits with them.
    _, back = come_back(strict, provider, sub)
    assert [prove("000000") for _ in range(6)] == [401] * 6
    assert prove(codes[0]) == 401
    assert sign_in_with(strict, order, code=codes[0]).status_code == 401
    eventually(lambda: prove(codes[0]) == 201, 20, every=0.5)


def test_where_the_providers_word_is_taken_no_code_of_ours_is_asked_for(platform, strict, provider, admin):
    order, sub = linked(admin, roles=["district"], unit="110102")
    kept = dict(platform.settings.data["of_identity"])
    platform.settings.data["of_identity"] = kept | {"OIDC_SECOND_FACTORS": "mfa otp"}
    platform.settings.save()
    platform.restart("identity")
    try:
        session = come_back(strict, provider, sub)[0].json()
        assert session["first"] == ["totp"], "the provider said nothing of a second factor"
        provider.lies = {"amr": ["pwd", "otp"]}
        session = come_back(strict, provider, sub)[0].json()
        assert session["first"] == []
        renewed = Client(strict).post("/v1/sessions/renewals", {"renewal": session["renewal"]}).json()
        assert renewed["first"] == [] and bearing(strict, renewed).get("/v1/access").status_code == 200
        assert sign_in_with(strict, order).json()["first"] == ["totp"], "at the first door as ever"
    finally:
        provider.lies = {}
        platform.settings.data["of_identity"] = kept
        platform.settings.save()
        platform.restart("identity")


def test_an_id_token_that_does_not_hold_lets_nobody_in(strict, provider, admin):
    order, sub = admitted(admin), f"sub-{fresh()}"
    assert admin.post(f"/v1/people/{order['id']}/external", {"external": sub}).status_code == 201
    now = int(time.time())
    lies = [
        {"iss": "http://elsewhere"}, {"aud": "another"}, {"nonce": "another"}, {"nonce": None}, {"sub": None},
        {"exp": now - 600, "iat": now - 900}, {"exp": None}, {"aud": ["huying", "another"], "azp": "another"},
    ]  # fmt: skip
    try:
        for lie in lies:
            provider.lies = lie
            assert come_back(strict, provider, sub)[0].status_code == 401, lie
        provider.lies = {}
        provider.signs_with = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        assert come_back(strict, provider, sub)[0].status_code == 401, "signed by another key"
    finally:
        provider.lies, provider.signs_with = {}, provider.key
    assert come_back(strict, provider, sub)[0].status_code == 201


def test_a_second_factor_outlives_the_key_that_signs_tokens(platform, url, admin):
    """Its secret is another one; where even that was lost, whoever signs in is told so, and an administrator helps."""
    order = admitted(admin)
    key, codes = enrolled(Client(url, order["login"], order["password"]))
    private, public = platform.settings.keys()
    kept, secret = (private.read_bytes(), public.read_bytes()), platform.settings.data["secrets"]["identity.sealing"]
    try:
        private.unlink(), public.unlink()
        platform.settings.keys()
        platform.restart("identity")
        platform.restart("gateway")
        eventually(lambda: sign_in_with(url, order, code=codes[0]).status_code == 201, 20, every=1)
    finally:
        private.write_bytes(kept[0]), public.write_bytes(kept[1])
    platform.settings.data["secrets"]["identity.sealing"] = "another-secret-of-this-test"
    platform.settings.save()
    try:
        platform.restart("identity")
        platform.restart("gateway")
        (answer,) = eventually(lambda: (said := sign_in_with(url, order, code=codes[1])).status_code != 503 and [said])
        assert answer.status_code == 409 and "管理员" in answer.json()["detail"], answer.text
        assert sign_in_with(url, order | {"password": "wrong-password"}, code=codes[1]).status_code == 401
        assert admin.delete(f"/v1/people/{order['id']}/totp").status_code == 200
        assert sign_in_with(url, order).status_code == 201
    finally:
        platform.settings.data["secrets"]["identity.sealing"] = secret
        platform.settings.save()
        platform.restart("identity")
        eventually(lambda: Client(url).get("/readyz").ok, 20)
