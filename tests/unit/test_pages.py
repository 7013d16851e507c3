"""Are the pages' doors shut to other sites, is nothing that people type taken for markup, and is nothing typed lost?"""

import io
import re
import time
import uuid
from datetime import timedelta

import pytest
from PIL import Image

from gateway import cookies
from gateway.pages import saying
from gateway.pages.acts import ACTS
from gateway.pages.forms import safe_path
from shared.contracts.permissions import ROLES
from shared.errors import Conflict, Invalid, NotFound, Unauthenticated, Unavailable
from tests.make_gateway import COMMUNITY, FakeBus, a_fact, a_gateway, a_token

HERE, ELSEWHERE = {"Origin": "http://localhost"}, {"Origin": "https://elsewhere.example"}
RENEWAL = "0d9a2f6b-52c4-4a39-8a55-6ce2f3f1b7d2.ordinary-looking-secret-of-a-renewal"
ME, OTHER = str(uuid.uuid4()), str(uuid.uuid4())
AT = "2026-11-25T02:00:00.000Z"


def one(**changes) -> dict:
    """Give a whistle as a page gets it."""
    usual = {
        "id": str(uuid.uuid4()), "version": 2, "number": None, "stage": "dispatched", "echelon": "community",
        "kind": "群众诉求", "category": "0102", "community": COMMUNITY, "unit": None, "confidential": False,
        "called": ["community"], "summonses": [], "reports": [], "place": None, "blown_at": AT, "blown_by": ME,
        "settled_at": None, "result": None, "reason": None, "reopen_until": None, "clocks": [], "confirmations": [],
        "reporters": [], "words": {"title": "楼道灯不亮", "text": "坏了三天", "photos": []}, "settlement": None,
        "reopened": 0, "source": "resident",
    }  # fmt: skip
    return usual | changes


def a_summons(department="community", stage="called", **changes) -> dict:
    usual = {
        "department": department, "role": "lead", "stage": stage, "person": None, "called_at": AT, "clocks": [],
        "returned": None, "extension": None, "answer": None, "score": None,
    }  # fmt: skip
    return usual | changes


USUAL = {
    "roster.departments": {"items": [{"code": "chengguan", "name": "城管执法", "kind": "department"}]},
    "roster.categories": {"items": [
        {"code": "0102", "name": "暴露垃圾", "major": "市容环境", "retired": False},
    ], "next": None},
    "roster.unit": lambda order, caller: {"code": order["code"], "name": "万明园社区", "level": "community"},
    "roster.units": {"items": [], "next": None},
    "roster.settings": {"items": []},
    "roster.station": {"community": COMMUNITY, "name": "万明园", "street": "展览路", "head": None, "lines": []},
    "whistle.own_listing": {"items": [], "next": None},
    "whistle.inbox": {"items": [], "next": None},
    "whistle.suggest": {"items": []},
    "whistle.trace": {"id": "", "version": 1, "whole": True, "broken": None, "steps": []},
}  # fmt: skip


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """Give one gateway for all: what it prints when it is made takes most of a second."""
    bus = FakeBus()
    return a_gateway(bus, BLOBS=f"file:{tmp_path_factory.mktemp('photos')}"), bus


@pytest.fixture
def bus(gateway):
    app, bus = gateway
    bus.answers, bus.asked = dict(USUAL), []
    parts = app.extensions["huying"]
    for known in (app.extensions["huying.names"].known, parts.cookies.renewed, parts.sessions.revoked):
        known.clear()
    return bus


@pytest.fixture
def app(gateway, bus):
    return gateway[0]


def browser(app, *roles, renewal: str = "", **claims):
    """Give a browser in which somebody is signed in."""
    client = app.test_client()
    client.set_cookie(cookies.TOKEN, a_token(roles or ("resident",), **({"sub": ME} | claims)))
    if renewal:
        client.set_cookie(cookies.RENEWAL, renewal)
    return client


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


# -- the door ---------------------------------------------------------------------------------------------------------


def signs_in(app, **changes):
    data = {"login": "xc-res", "password": "huying-demo"} | changes
    return app.test_client().post("/sign-in", data=data, headers=HERE)


def test_whoever_signs_in_is_given_cookies_that_no_script_and_no_other_site_gets(app, bus):
    bus.answers["identity.sign_in"] = {"token": a_token(), "renewal": RENEWAL, "expires": 900, "first": []}
    answer = signs_in(app, next="/mine")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/mine")
    given = answer.headers.getlist("Set-Cookie")
    assert len(given) == 2
    assert all("HttpOnly" in each and "SameSite=Lax" in each and "Path=/" in each for each in given)
    assert not any("Max-Age" in each for each in given), "they end with the browser unless their owner stays"
    stays = signs_in(app, stay="1").headers.getlist("Set-Cookie")
    assert len(stays) == 3 and all(f"Max-Age={cookies.STAYS}" in each for each in stays)


def test_over_https_the_cookies_go_nowhere_else(app, bus):
    bus.answers["identity.sign_in"] = {"token": a_token(), "renewal": RENEWAL, "expires": 900, "first": []}
    data = {"login": "xc-res", "password": "x"}
    answer = app.test_client().post(
        "/sign-in", data=data, headers={"Origin": "https://localhost"}, base_url="https://localhost"
    )
    assert all("Secure" in each for each in answer.headers.getlist("Set-Cookie"))


def test_a_wrong_password_keeps_the_login_says_so_and_shows_no_password(app, bus):
    bus.answers["identity.sign_in"] = Unauthenticated("登录名或密码不对 / Wrong login or password")
    answer = signs_in(app)
    assert answer.status_code == 401 and "登录名或密码不对" in answer.text and 'value="xc-res"' in answer.text
    assert "huying-demo" not in answer.text and not answer.headers.getlist("Set-Cookie")
    assert 'name="code"' in answer.text, "whoever has a second factor finds its field"


def test_a_newcomer_is_led_to_what_they_have_to_choose_first(app, bus):
    bus.answers["identity.sign_in"] = {
        "token": a_token(("newcomer",)),
        "renewal": RENEWAL,
        "expires": 900,
        "first": ["password"],
    }
    assert signs_in(app).headers["Location"] == "/me#first"


@pytest.mark.parametrize(
    "path", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere", "javascript:x", "", "/a b"]
)
def test_nobody_is_led_elsewhere_after_signing_in(path):
    assert safe_path(path) == "/"


def test_whoever_is_not_signed_in_finds_the_door_and_then_what_they_wanted(app):
    answer = app.test_client().get("/mine?after=x")
    assert answer.status_code == 401 and 'value="/mine?after=x"' in answer.text and "<form" in answer.text


def test_an_old_session_is_renewed_once_however_much_is_asked_for_at_once(app, bus):
    bus.answers["identity.renew"] = {
        "token": a_token(("resident",), sub=ME),
        "renewal": RENEWAL + "2",
        "expires": 900,
        "first": [],
    }
    client = browser(app, "resident", renewal=RENEWAL, iat=time.time() - 900, exp=time.time() - 10)
    answer = client.get("/home")
    assert answer.status_code == 200 and len(answer.headers.getlist("Set-Cookie")) == 2
    late = browser(app, "resident", renewal=RENEWAL, iat=time.time() - 900, exp=time.time() - 10)
    assert late.get("/home").status_code == 200
    assert [name for name, _, _ in bus.asked].count("identity.renew") == 1


def test_a_session_whose_rights_have_changed_is_renewed_with_the_new_ones(app, bus):
    client = browser(app, "resident", renewal=RENEWAL)
    assert 'href="/blow"' in client.get("/home").text
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 1)) + "Z"
    data = {"reason": "adjusted", "subject": "110102", "before": moment}
    bus.on_fact(a_fact("revoked", source="/identity", district="", data=data))
    fewer = a_token(("resident",), sub=ME, adjusted=["-whistle.blow"], iat=time.time() + 1.5)
    bus.answers["identity.renew"] = {"token": fewer, "renewal": RENEWAL + "2"}
    assert 'href="/blow"' not in client.get("/home").text


def test_a_session_that_is_over_leads_to_the_door(app, bus):
    bus.answers["identity.renew"] = Unauthenticated("登录已失效 / over")
    client = browser(app, "resident", renewal=RENEWAL, iat=time.time() - 900, exp=time.time() - 10)
    answer = client.get("/home")
    assert answer.status_code == 401 and 'action="/sign-in"' in answer.text


def test_signing_out_ends_the_session_and_its_cookies(app, bus):
    bus.answers["identity.sign_out"] = None
    answer = browser(app).post("/sign-out", headers=HERE)
    assert "identity.sign_out" in [name for name, _, _ in bus.asked]
    assert all("Max-Age=0" in each or "1970" in each for each in answer.headers.getlist("Set-Cookie"))


# -- other sites ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [{}, ELSEWHERE, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://localhost.example"}],
)  # fmt: skip
def test_no_other_site_can_have_a_browser_do_something_here(app, bus, headers):
    for path in ("/blow", f"/whistles/{uuid.uuid4()}/signatures", "/sign-out", "/sign-in", "/looks", "/me/password"):
        asked = len(bus.asked)
        answer = browser(app).post(path, data={"text": "x"}, headers=headers)
        assert answer.status_code == 403, path
        assert len(bus.asked) == asked, path


def test_a_browser_that_names_no_origin_is_believed_when_it_says_the_same_site(app):
    assert (
        browser(app).post("/looks", data={"text": "large"}, headers={"Sec-Fetch-Site": "same-origin"}).status_code
        == 303
    )


@pytest.mark.parametrize(
    "method, path", [("GET", "/v1/whistles"), ("GET", "/v1/me"), ("GET", "/v1/stream"), ("POST", "/v1/whistles")]
)
def test_the_api_takes_no_cookie(app, method, path):
    answer = browser(app, "secretary").open(path, method=method, headers=HERE)
    assert answer.status_code == 401 and answer.mimetype == "application/problem+json"


def test_every_page_runs_only_what_is_ours(app, bus):
    bus.answers["whistle.own_one"] = one()
    bus.answers["identity.me"] = {
        "unit": COMMUNITY,
        "login": "r",
        "name": "孙秀英",
        "roles": ["resident"],
        "department": "",
        "phone": None,
        "has_totp": False,
    }
    bus.answers["identity.sessions"] = {"items": []}
    client = browser(app)
    for path in (
        "/home",
        "/mine",
        "/blow",
        "/people-here",
        "/me",
        "/sign-in",
        "/design",
        f"/whistles/{uuid.uuid4()}",
        "/",
    ):
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert "style=" not in answer.text and not re.search(r"<script(?![^>]*src=\"/)", answer.text), path
        assert not re.search(r"\son\w+=", answer.text), path
        assert not re.search(r'(src|href|action)="(https?:)?//', answer.text), path
        assert answer.headers["Cache-Control"] == "private, no-store", path


# -- what people type -------------------------------------------------------------------------------------------------

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_what_people_write_is_shown_as_they_wrote_it_and_never_run(app, bus):
    whistle = one(words={"title": EVIL, "text": EVIL, "address": EVIL, "photos": []})
    bus.answers |= {"whistle.own_one": whistle, "whistle.own_listing": {"items": [whistle], "next": None}}
    client = browser(app)
    for path in (f"/whistles/{whistle['id']}", "/home", "/mine"):
        page = client.get(path).text
        assert "<script>alert" not in page and "<img src=x" not in page and "&lt;script&gt;alert(1)" in page
    back = client.post("/blow", data={"step": "look", "text": EVIL, "address": EVIL}, headers=HERE).text
    assert "<script>alert" not in back and "<img src=x" not in back


def a_photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (10, 120, 70)).save(out, "JPEG")
    return out.getvalue()


def test_a_form_that_was_refused_comes_back_as_it_was_typed_with_its_photos(app, bus):
    bus.answers["whistle.keep_photo"] = lambda order, caller: order
    bus.answers["whistle.blow"] = Invalid("请检查填写的内容 / Please check", {"title": ["最多 60 个字 / 60 at most"]})
    data = {
        "step": "blow", "id": str(uuid.uuid4()), "title": "三号楼楼道灯", "text": "灯坏了三天", "address": "二单元三层",
        "category": "0102", "confidential": "true", "lon": "116.344100", "lat": "39.931200",
        "photos": (io.BytesIO(a_photo()), "p.jpg"),
    }  # fmt: skip
    answer = browser(app).post("/blow", data=data, headers=HERE)
    assert answer.status_code == 422
    assert (
        "请检查填写的内容" in answer.text
        and "最多 60 个字" in answer.text
        and 'aria-describedby="wrong-title"' in answer.text
    )
    for typed in ("三号楼楼道灯", "灯坏了三天", "二单元三层", "116.344100", data["id"]):
        assert typed in answer.text, typed
    order = bus.order_for("whistle.blow")
    assert order["photos"] and f'name="kept" value="{order["photos"][0]}"' in answer.text
    assert order["place"] == {"lon": 116.3441, "lat": 39.9312} and order["confidential"] is True


def test_a_whistle_is_blown_under_the_id_that_came_with_its_form_and_leads_on_to_its_page(app, bus):
    id = str(uuid.uuid4())
    bus.answers["whistle.blow"] = lambda order, caller: one(id=order["id"])
    data = {"step": "blow", "id": id, "title": "灯不亮", "text": "灯不亮", "category": "0102"}
    answer = browser(app).post("/blow", data=data, headers=HERE)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/whistles/{id}?done=blown")
    assert bus.order_for("whistle.blow")["kind"] == "群众诉求" and "departments" not in bus.order_for("whistle.blow")


def test_an_empty_form_says_at_the_field_what_is_missing(app):
    answer = browser(app).post("/blow", data={"step": "look", "address": "北门"}, headers=HERE)
    assert answer.status_code == 422 and "请说说是什么事" in answer.text and 'value="北门"' in answer.text


def test_a_category_is_suggested_with_the_words_that_speak_for_it_and_what_is_open_nearby(app, bus):
    bus.answers["whistle.suggest"] = {
        "items": [{"category": "0102", "name": "暴露垃圾", "score": 0.9, "because": ["垃圾", "臭"]}]
    }
    near = {"whistle": str(uuid.uuid4()), "title": "楼前垃圾", "stage": "dispatched", "blown_at": AT, "distance": 12}
    bus.answers["whistle.near"] = {"items": [near]}
    page = browser(app).post("/blow", data={"step": "look", "text": "楼前垃圾很臭"}, headers=HERE).text
    assert "因为您提到：垃圾、臭" in page and 'value="0102" checked' in page
    assert f"/whistles/{near['whistle']}/joinings" in page and "相距 12 米" in page


def test_an_act_that_was_refused_shows_the_whistle_and_its_form_as_typed(app, bus):
    whistle = one(stage="answered")
    bus.answers |= {"whistle.own_one": whistle, "whistle.confirm": Conflict("情况已变 / It has moved on")}
    data = {"act": str(uuid.uuid4()), "solved": "true", "note": "看过了,好的"}
    answer = browser(app).post(f"/whistles/{whistle['id']}/confirmations", data=data, headers=HERE)
    assert answer.status_code == 409 and "情况已变" in answer.text and "看过了,好的" in answer.text
    assert bus.order_for("whistle.confirm")["act"] == data["act"]


# -- who is offered what ----------------------------------------------------------------------------------------------


def offers(app, bus, whistle: dict, *roles, **claims) -> set[str]:
    """Give the acts that a whistle's page offers to somebody."""
    bus.answers["whistle.get"] = bus.answers["whistle.own_one"] = whistle
    page = browser(app, *roles, **claims).get(f"/whistles/{whistle['id']}").text
    return set(re.findall(rf'action="/whistles/{whistle["id"]}/([\w-]+)"', page))


def test_a_station_is_offered_what_is_its_turn(app, bus):
    assert {"signatures", "reports", "summonses"} <= offers(
        app, bus, one(blown_by=OTHER, summonses=[a_summons()]), "secretary"
    )
    at_work = one(blown_by=OTHER, summonses=[a_summons(stage="reported")])
    assert {"handlings", "answers"} <= offers(app, bus, at_work, "secretary")
    assert "settlements" in offers(app, bus, one(stage="confirmed", blown_by=OTHER), "secretary")


def test_a_specialist_is_offered_what_is_theirs_and_nothing_of_the_community(app, bus):
    whistle = one(blown_by=OTHER, summonses=[a_summons("chengguan")])
    mine = {"unit": "110102", "department": "chengguan"}
    assert offers(app, bus, whistle, "specialist", **mine) == {
        "signatures",
        "reports",
        "contacts",
        "returns",
        "extension-requests",
    }
    assert offers(app, bus, whistle, "specialist", **mine | {"department": "shuiwu"}) == set()


def test_a_reporter_confirms_and_reopens_and_a_neighbour_does_not(app, bus):
    whistle = one(stage="answered", summonses=[a_summons(stage="fed_back")])
    assert offers(app, bus, whistle, "resident") == {"confirmations"}
    assert offers(app, bus, whistle, "resident", sub=OTHER) == set()
    late = one(stage="settled", settled_at=AT, result="solved", reopen_until="2099-01-01T00:00:00.000Z")
    assert offers(app, bus, late, "resident") == {"reopenings"}


@pytest.mark.parametrize("role", sorted(role for role in ROLES if role not in ("timer", "gateway", "plugin")))
def test_every_role_finds_a_page_of_its_own_after_signing_in(app, bus, role):
    bus.answers["whistle.counts"] = {"stages": {}, "total": 0}
    claims = {"unit": "110102", "department": "chengguan"} if role in ("specialist", "lead") else {}
    claims |= {"unit": "110102009000"} if role == "street" else {}
    assert browser(app, role, **claims).get("/home").status_code in (200, 303)


def test_what_is_not_there_is_told_in_plain_words(app, bus):
    bus.answers["whistle.own_one"] = NotFound("没有这一件 / No such thing among yours")
    answer = browser(app).get(f"/whistles/{uuid.uuid4()}")
    assert answer.status_code == 404 and "没有这一件" in text_of(answer.text) and answer.mimetype == "text/html"


def test_a_service_that_is_away_is_told_in_plain_words(app, bus):
    bus.answers["whistle.own_listing"] = Unavailable("服务暂时没有回应 / away")
    answer = browser(app).get("/home")
    assert answer.status_code == 503 and "服务暂时没有回应" in answer.text


# -- what goes over the wire ------------------------------------------------------------------------------------------


def test_what_never_changes_is_kept_by_the_browser_and_sent_small(app):
    address = re.search(r'href="(/static/house\.css\?v=\w+)"', app.test_client().get("/sign-in").text).group(1)
    answer = app.test_client().get(address, headers={"Accept-Encoding": "gzip"})
    assert "immutable" in answer.headers["Cache-Control"] and answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.data) < 8_000


def test_the_first_view_of_a_residents_home_is_below_100_kb(app, bus):
    client = browser(app)
    page = client.get("/home")
    sent = len(page.data)
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        sent += len(client.get(address, headers={"Accept-Encoding": "gzip"}).data)
    assert sent < 100_000


def test_a_page_hears_only_that_something_has_moved_and_a_reporter_only_of_their_own(app, bus):
    mine, other = one(), one()
    bus.answers["whistle.own_listing"] = {"items": [mine], "next": None}
    stream = browser(app).get("/live", buffered=False)
    lines = iter(stream.response)
    next(lines)
    bus.on_fact(a_fact("sent_back", 2, subject=other["id"]))
    bus.on_fact(a_fact("sent_back", 3, subject=mine["id"], data={"reason": "not_our_duty"}))
    said = next(lines).decode()
    assert mine["id"] in said and "event: fact" in said and "not_our_duty" not in said
    stream.close()


def test_a_station_hears_of_everything_in_its_district(app, bus):
    stream = browser(app, "secretary").get("/live", buffered=False)
    lines = iter(stream.response)
    next(lines)
    told = a_fact("reported")
    bus.on_fact(told)
    assert told["subject"] in next(lines).decode()
    stream.close()


# -- oneself, and the second door -------------------------------------------------------------------------------------

MYSELF = {
    "unit": COMMUNITY,
    "login": "xc-res",
    "name": "孙秀英",
    "roles": ["resident"],
    "department": "",
    "phone": None,
}


@pytest.fixture
def oneself(app, bus):
    bus.answers |= {
        "identity.me": MYSELF | {"has_totp": False, "department": "", "phone": None},
        "identity.sessions": {"items": []},
    }
    return browser(app)


def test_a_new_password_has_to_be_typed_twice_alike(oneself, bus):
    data = {"old": "huying-demo", "new": "nine-letters", "again": "nine-lettres"}
    answer = oneself.post("/me/password", data=data, headers=HERE)
    assert answer.status_code == 422 and "两次输入的新密码不一样" in answer.text
    assert "identity.change_password" not in [name for name, _, _ in bus.asked] and "nine-letters" not in answer.text


def test_a_wrong_old_password_is_said_at_the_form_and_signs_nobody_out(oneself, bus):
    bus.answers["identity.change_password"] = Unauthenticated("原密码不对 / The old password is wrong")
    data = {"old": "x", "new": "nine-letters", "again": "nine-letters"}
    answer = oneself.post("/me/password", data=data, headers=HERE)
    assert answer.status_code == 422 and "原密码不对" in answer.text and not answer.headers.getlist("Set-Cookie")


def test_a_changed_password_gives_this_browser_its_new_session(oneself, bus):
    bus.answers["identity.change_password"] = {
        "token": a_token(("resident",)),
        "renewal": RENEWAL + "3",
        "expires": 900,
    }
    data = {"old": "x", "new": "nine-letters", "again": "nine-letters"}
    answer = oneself.post("/me/password", data=data, headers=HERE)
    assert answer.status_code == 303 and RENEWAL + "3" in " ".join(answer.headers.getlist("Set-Cookie"))


def test_the_key_of_a_second_factor_is_shown_once_and_confirmed_by_its_first_code(oneself, bus):
    bus.answers["identity.begin_totp"] = {
        "key": "JBSWY3DPEHPK3PXP",
        "uri": "otpauth://totp/huying?secret=JBSWY3DPEHPK3PXP",
    }
    page = oneself.post("/me/totp", headers=HERE).text
    assert "JBSWY3DPEHPK3PXP" in page and "JBSWY3DPEHPK3PXP" not in oneself.get("/me").text
    bus.answers["identity.confirm_totp"] = {"codes": ["aaaa-bbbb", "cccc-dddd"]}
    assert "aaaa-bbbb" in oneself.post("/me/totp/confirmations", data={"code": "123456"}, headers=HERE).text


def test_whoever_goes_through_the_second_door_comes_back_by_the_browser_that_went(app, bus):
    bus.answers["identity.begin_oidc"] = {"url": "https://provider.example/authorize?x", "state": "s" * 24}
    went = app.test_client()
    answer = went.post("/sign-in/other", headers=HERE)
    assert answer.status_code == 200 and 'content="0; url=https://provider.example/authorize?x"' in answer.text
    bus.answers["identity.finish_oidc"] = {"token": a_token(), "renewal": RENEWAL, "expires": 900, "first": []}
    back = f"/sign-in/return?state={'s' * 24}&code=what-it-gave"
    assert app.test_client().get(back).status_code == 401, "another browser than the one that went"
    answer = went.get(back)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/home")


def test_the_second_door_asks_for_a_second_factor_where_there_is_one(app, bus):
    bus.answers["identity.begin_oidc"] = {"url": "https://provider.example/authorize?x", "state": "s" * 24}
    went = app.test_client()
    went.post("/sign-in/other", headers=HERE)
    bus.answers["identity.finish_oidc"] = Unauthenticated(
        "请输入动态口令 / code", {"totp": ["不对或未填 / wrong or missing"]}
    )
    page = went.get(f"/sign-in/return?state={'s' * 24}&code=what-it-gave").text
    assert 'name="totp"' in page and 'value="what-it-gave"' in page
    bus.answers["identity.finish_oidc"] = {"token": a_token(), "renewal": RENEWAL, "expires": 900, "first": []}
    data = {"state": "s" * 24, "code": "what-it-gave", "totp": "123456"}
    assert went.post("/sign-in/return", data=data, headers=HERE).headers["Location"] == "/home"
    assert bus.order_for("identity.finish_oidc")["totp"] == "123456"


# -- the station and the specialist -----------------------------------------------------------------------------------


def test_a_station_blows_to_whom_it_chose_who_leads_first(app, bus):
    bus.answers["whistle.blow"] = lambda order, caller: one(id=order["id"])
    data = {
        "step": "blow", "id": str(uuid.uuid4()), "title": "违建", "text": "违建", "category": "0102",
        "kind": "综合执法",
        "departments": ["zhujian", "chengguan"], "lead": "chengguan",
    }  # fmt: skip
    assert browser(app, "secretary").post("/blow", data=data, headers=HERE).status_code == 303
    order = bus.order_for("whistle.blow")
    assert (order["kind"], order["departments"]) == ("综合执法", ["chengguan", "zhujian"])


def test_a_result_is_given_back_with_what_was_counted(app, bus):
    whistle = one(summonses=[a_summons("chengguan", "handling")])
    bus.answers |= {"whistle.feed_back": whistle, "whistle.get": whistle}
    data = {
        "result": "solved", "text": "拆了", "measure.0": "illegal_structure", "count.0": "1", "amount.0": "12.5",
        "measure.1": "", "count.1": "7", "measure.2": "problem", "count.2": "",
    }  # fmt: skip
    client = browser(app, "specialist", unit="110102", department="chengguan")
    answer = client.post(f"/whistles/{whistle['id']}/answers", data=data, headers=HERE)
    assert answer.status_code == 303, answer.text
    assert bus.order_for("whistle.feed_back")["outcomes"] == [
        {"measure": "illegal_structure", "count": 1, "amount": 12.5}, {"measure": "problem", "count": 1},
    ]  # fmt: skip


def test_every_act_of_the_table_builds_an_order_that_its_contract_takes(app, bus):
    typed = {
        "approved": "true", "solved": "true", "note": "说明", "way": "phone", "result": "solved", "text": "办了",
        "department": "chengguan", "departments": "chengguan", "upheld": "false", "granted": "true",
        "until": "2026-12-01T10:00", "reason": "not_our_duty",
    }  # fmt: skip
    typed |= {f"indicators.{each}": "4" for each in saying.INDICATORS}
    whistle = one()
    for act in ACTS:
        bus.answers[f"{act.call.service}.{act.call.name}"] = whistle
        bus.answers["whistle.get"] = whistle
        data = typed | ({"reason": "objective_obstacle"} if act.noun == "settlements-unsolved" else {})
        answer = browser(app, "secretary").post(f"/whistles/{whistle['id']}/{act.noun}", data=data, headers=HERE)
        assert answer.status_code == 303, (act.noun, text_of(answer.text))


def test_a_limit_is_said_as_people_say_it_with_the_exact_time_behind_it(app):
    with app.test_request_context("/"):
        now = saying.now()
        assert "还剩 3 小时" in saying.left(now + timedelta(hours=3, minutes=5))
        assert "已超时 2 天" in saying.left(now - timedelta(days=2, hours=1)) and "late" in saying.left(
            now - timedelta(days=2)
        )
        assert f'title="{saying.exact(now)}"' in saying.ago(now)
