"""Does a row say all that an address does, and does nothing pass that the contract does not know?"""

import pytest

from tests.make_gateway import FakeBus, a_blow, a_gateway, a_whistle, signed_in

ID = "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091"
OTHER = "0b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091"
SETTLEMENT = "7e4d2b19-6a5c-4d8e-9f01-b2c3d4e5f607"


@pytest.fixture
def bus():
    made = FakeBus()
    made.answers |= {
        "whistle.blow": lambda order, caller: a_whistle(id=order["id"]),
        "whistle.get": a_whistle(id=ID, version=3),
        "whistle.listing": {"items": [a_whistle(id=ID)], "next": None},
        "whistle.settle": a_whistle(id=ID, version=4, stage="settled"),
        "whistle.trace": {"id": ID, "version": 3, "whole": True, "broken": None, "steps": []},
        "identity.sign_out": None,
    }
    return made


@pytest.fixture
def app(bus):
    return a_gateway(bus)


@pytest.fixture
def secretary(app):
    return signed_in(app)


def raw(client, body, path="/v1/whistles", kind="application/json"):
    return client.post(path, data=body, content_type=kind)


def test_what_is_in_the_body_reaches_the_service_as_it_was_written(bus, secretary):
    order = a_blow(title="三号楼前垃圾成堆", place={"lon": 116.345, "lat": 39.925})
    answer = secretary.post("/v1/whistles", json=order)
    assert answer.status_code == 201
    assert bus.order_for("whistle.blow") == order
    assert answer.json["id"] == order["id"]


def test_the_same_order_sent_twice_gets_the_same_answer_and_the_same_status(secretary):
    order = a_blow()
    first, second = (secretary.post("/v1/whistles", json=order) for _ in range(2))
    assert (first.status_code, first.json["id"]) == (second.status_code, second.json["id"]) == (201, order["id"])


def test_the_caller_travels_with_the_order_and_never_comes_from_the_body(bus, app):
    client = signed_in(app, sub=ID, sid=OTHER, department="")
    assert client.get("/v1/whistles").status_code == 200
    name, _, caller = bus.asked[-1]
    assert name == "whistle.listing"
    assert (caller.district, caller.actor, caller.session, caller.roles) == ("110102", ID, OTHER, ("secretary",))


def test_a_body_that_names_another_district_is_refused(bus, secretary):
    answer = secretary.post("/v1/whistles", json=a_blow(district="110107"))
    assert answer.status_code == 422
    assert "district" in answer.json["fields"]


def test_a_role_without_the_permission_is_refused_before_anything_is_asked(bus, app):
    asked = len(bus.asked)
    answer = signed_in(app, "observer").post("/v1/whistles", data=b"not even JSON", content_type="text/plain")
    assert answer.status_code == 403
    assert len(bus.asked) == asked


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk"])
def test_only_json_is_taken(secretary, kind):
    assert raw(secretary, b"{}", kind=kind).status_code == 415


def test_a_body_is_bounded_before_it_is_read(bus, secretary):
    asked = len(bus.asked)
    assert raw(secretary, b'{"text": "' + b"x" * 70_000 + b'"}').status_code == 413
    assert len(bus.asked) == asked


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"title": "a", "title": "b"}',
        b'{"place": {"lon": NaN, "lat": 39.9}}',
        b'{"place": {"lon": Infinity, "lat": 39.9}}',
        b'{"place": {"lon": 1e999, "lat": 39.9}}',
        b'{"version": 99999999999999999999999999}',
        b'{"version": 9007199254740993}',
        b'{"title": "\\ud83d"}',
        b'\xff\xfe{"title": "a"}',
        b"[" * 60_000,
        b'{"n": ' + b"9" * 50_000 + b"}",
    ],
    ids=["cut", "twins", "nan", "infinity", "overflow", "huge", "unsafe", "surrogate", "utf16", "deep", "long"],
)
def test_json_that_programs_would_read_differently_is_refused(bus, secretary, body):
    asked = len(bus.asked)
    answer = raw(secretary, body)
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert len(bus.asked) == asked


@pytest.mark.parametrize("body", [b"[]", b'"a"', b"1", b"null", b"true"])
def test_a_body_must_be_an_object(secretary, body):
    assert raw(secretary, body).status_code == 422


def test_an_empty_body_is_an_order_that_says_nothing(secretary):
    answer = secretary.post("/v1/whistles")
    assert answer.status_code == 422
    assert {"id", "kind", "title"} <= set(answer.json["fields"])


def test_a_body_that_names_another_record_than_the_path_is_refused(secretary):
    path = f"/v1/whistles/{ID}/settlements"
    differs = secretary.post(path, json={"id": OTHER, "act": SETTLEMENT})
    assert differs.status_code == 422
    assert "id" in differs.json["fields"]
    assert secretary.post(path, json={"id": ID, "act": SETTLEMENT}).status_code == 201


def test_a_query_has_the_types_of_its_schema(bus, secretary):
    assert secretary.get("/v1/whistles?limit=7&stage=blown").status_code == 200
    assert bus.order_for("whistle.listing") == {"limit": 7, "stage": "blown"}


@pytest.mark.parametrize(
    "query", ["colour=red", "limit=1&limit=2", "limit=many", "limit=0", "stage=lost", f"limit={'9' * 30}"]
)
def test_a_query_that_does_not_fit_is_refused_by_name(secretary, query):
    answer = secretary.get(f"/v1/whistles?{query}")
    assert answer.status_code == 422
    assert query.split("=")[0] in answer.json["fields"]


def test_a_query_beside_a_body_is_refused(secretary):
    assert secretary.post("/v1/whistles?limit=1", json=a_blow()).status_code == 422


def test_who_has_the_record_already_is_told_so_without_it(secretary):
    first = secretary.get(f"/v1/whistles/{ID}")
    assert first.headers["ETag"] == '"3"'
    again = secretary.get(f"/v1/whistles/{ID}", headers={"If-None-Match": '"3"'})
    assert (again.status_code, again.data) == (304, b"")
    assert secretary.get(f"/v1/whistles/{ID}", headers={"If-None-Match": '"2"'}).status_code == 200


def test_a_list_is_known_by_its_content(bus, secretary):
    first = secretary.get("/v1/whistles")
    tag = first.headers["ETag"]
    assert tag.startswith("W/")
    assert secretary.get("/v1/whistles", headers={"If-None-Match": tag}).status_code == 304
    bus.answers["whistle.listing"] = {"items": [], "next": None}
    changed = secretary.get("/v1/whistles", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_a_history_that_was_broken_at_the_same_version_is_not_taken_for_the_whole_one(bus, secretary):
    whole = secretary.get(f"/v1/whistles/{ID}/history").headers["ETag"]
    bus.answers["whistle.trace"] = bus.answers["whistle.trace"] | {"whole": False, "broken": "3"}
    answer = secretary.get(f"/v1/whistles/{ID}/history", headers={"If-None-Match": whole})
    assert (answer.status_code, answer.json["whole"]) == (200, False)


def test_acting_on_one_version_only_says_so_to_the_service(bus, secretary):
    path, order = f"/v1/whistles/{ID}/settlements", {"act": SETTLEMENT}
    answer = secretary.post(path, json=order, headers={"If-Match": '"3"'})
    assert (answer.status_code, answer.headers["ETag"]) == (201, '"4"')
    assert bus.order_for("whistle.settle")["version"] == 3


@pytest.mark.parametrize("tag", ['W/"3"', '"3", "4"', "3", '"three"'])
def test_a_condition_that_cannot_hold_is_never_overlooked(bus, secretary, tag):
    path, asked = f"/v1/whistles/{ID}/settlements", len(bus.asked)
    answer = secretary.post(path, json={"act": SETTLEMENT}, headers={"If-Match": tag})
    assert answer.status_code == 412
    assert len(bus.asked) == asked


def test_a_condition_on_what_cannot_be_conditional_is_refused(secretary):
    assert secretary.post("/v1/whistles", json=a_blow(), headers={"If-Match": '"1"'}).status_code == 422


def test_a_condition_and_a_body_that_name_two_versions_are_refused(secretary):
    path, order = f"/v1/whistles/{ID}/settlements", {"act": SETTLEMENT, "version": 2}
    assert secretary.post(path, json=order, headers={"If-Match": '"3"'}).status_code == 422


def test_signing_out_answers_with_nothing(secretary):
    answer = secretary.delete("/v1/sessions/current")
    assert (answer.status_code, answer.data) == (204, b"")


def test_what_is_somebodys_own_is_kept_by_no_cache_between(secretary):
    answer = secretary.get("/v1/whistles")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Authorization" in answer.headers["Vary"]
    assert secretary.post("/v1/whistles", json=a_blow()).headers["Cache-Control"] == "no-store"


def test_nothing_of_ours_says_that_another_site_may_read_it(app, secretary):
    answer = secretary.get("/v1/whistles", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]
    asked = app.test_client().options("/v1/whistles", headers={"Access-Control-Request-Method": "POST"})
    assert asked.status_code == 405
    assert not [name for name, _ in asked.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/v1/whistles", "/nowhere", "/static/huying.css"])
def test_every_answer_tells_the_browser_to_be_careful(app, path):
    headers = app.test_client().get(path).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    # A page's own orders have to say that they come from here; nothing else gives an address away.
    assert headers["Referrer-Policy"] == ("same-origin" if path == "/" else "no-referrer")
