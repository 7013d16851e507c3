"""Is every no said in one form, in the reader's language, and does nothing come out that should stay inside?"""

import json

import pytest

from shared.bus import Fault
from shared.errors import KINDS, Unavailable
from tests.make_gateway import FakeBus, a_blow, a_gateway, signed_in

ID = "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091"


@pytest.fixture
def bus():
    return FakeBus()


@pytest.fixture
def app(bus):
    return a_gateway(bus)


@pytest.fixture
def secretary(app):
    return signed_in(app)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_of_the_six_refusals_keeps_its_status_and_its_words(bus, secretary, name):
    kind = KINDS[name]
    bus.answers["whistle.get"] = kind("哨已销 / It is settled", {"stage": ["已销 / settled"]})
    answer = secretary.get(f"/v1/whistles/{ID}")
    assert answer.status_code == kind.status
    assert answer.mimetype == "application/problem+json"
    told = answer.json
    assert told["title"] == kind.title.split(" / ")[0]
    assert told["detail"] == "哨已销"
    assert told["fields"] == {"stage": ["已销"]}
    assert told["status"] == kind.status
    assert told["instance"] == f"/v1/whistles/{ID}"
    assert told["type"] == f"/docs#problem-{kind.status}"
    assert len(told["trace"]) == 32


@pytest.mark.parametrize(
    ("wants", "says", "tongue"),
    [
        (None, "没有找到", "zh-CN"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "没有找到", "zh-CN"),
        ("en-GB,en;q=0.9", "Not found", "en"),
        ("zh-TW", "没有找到", "zh-CN"),
        ("fr-FR", "没有找到", "zh-CN"),
        ("fr, en;q=0.5", "Not found", "en"),
    ],
)
def test_a_problem_is_said_in_chinese_unless_the_reader_would_rather_have_english(bus, secretary, wants, says, tongue):
    answer = secretary.get(f"/v1/whistles/{ID}", headers={"Accept-Language": wants} if wants else {})
    assert answer.json["title"] == says
    assert answer.headers["Content-Language"] == tongue
    assert "Accept-Language" in answer.headers["Vary"]


def test_what_is_wrong_with_each_field_is_said_in_the_readers_language(secretary):
    order = a_blow(kind="别的", place={"lon": 1.0}, colour="red")
    del order["title"]
    chinese = secretary.post("/v1/whistles", json=order).json["fields"]
    assert chinese["title"] == ["必填"]
    assert chinese["colour"] == ["没有这个字段"]
    assert chinese["place"] == {"lon": ["不在北京"], "lat": ["必填"]}
    english = secretary.post("/v1/whistles", json=order, headers={"Accept-Language": "en"}).json["fields"]
    assert english["title"] == ["Missing data for required field."]
    assert english["place"]["lon"] == ["not in Beijing"]


def test_a_fault_of_ours_tells_nothing_outside_and_its_place_inside(bus, secretary, capsys):
    def breaks(order, caller):
        raise RuntimeError("王书记 13800000000")

    bus.answers["whistle.get"] = breaks
    answer = secretary.get(f"/v1/whistles/{ID}")
    assert answer.status_code == 500
    assert "13800000000" not in answer.text and "RuntimeError" not in answer.text and "detail" not in answer.json
    logged = capsys.readouterr().out
    fault = next(json.loads(line) for line in logged.splitlines() if '"fault"' in line)
    assert fault["kind"] == "RuntimeError"
    assert fault["trace"].split("-")[1] == answer.json["trace"]
    assert "test_problems.py" in fault["where"]
    assert "13800000000" not in logged


def test_a_services_bug_is_500_and_says_no_more(bus, secretary):
    bus.answers["whistle.get"] = Fault("KeyError", "1" * 32)
    answer = secretary.get(f"/v1/whistles/{ID}")
    assert answer.status_code == 500
    assert "KeyError" not in answer.text


def test_who_may_come_back_is_told_when(bus, secretary):
    bus.answers["whistle.get"] = Unavailable("服务暂时不可用 / away")
    answer = secretary.get(f"/v1/whistles/{ID}")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1


def test_who_is_not_signed_in_is_told_how(app):
    answer = app.test_client().get("/v1/whistles")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/nowhere", "/v1/nowhere", "/v1/whistles/", "/v1/whistles/a/b/c"])
def test_an_address_that_is_none_is_a_problem_like_any_other(secretary, path):
    answer = secretary.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_a_method_that_an_address_does_not_have_says_which_it_has(secretary):
    answer = secretary.put("/v1/whistles", json={})
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_one_trace_runs_from_the_request_to_the_service_and_back(bus, secretary):
    sent = f"00-{'a1' * 16}-{'b2' * 8}-01"
    answer = secretary.get(f"/v1/whistles/{ID}", headers={"traceparent": sent})
    assert answer.json["trace"] == "a1" * 16
    trace = bus.asked[-1][2].trace
    assert trace.split("-")[1] == "a1" * 16 and trace != sent


def test_a_request_is_one_line_in_the_log_and_nobody_is_named_in_it(bus, secretary, capsys):
    secretary.get(f"/v1/whistles/{ID}?secret=13800000000", headers={"User-Agent": "wang"})
    out = capsys.readouterr().out
    lines = [json.loads(line) for line in out.splitlines()]
    handled = [line for line in lines if line["event"] == "handled"]
    assert len(handled) == 1
    assert handled[0]["method"] == "GET /v1/whistles/<id>"
    assert handled[0]["outcome"] == "422"
    assert handled[0]["district"] == "110102"
    assert len(handled[0]["trace"]) == 32
    for hidden in ("13800000000", ID, "127.0.0.1", "wang"):
        assert hidden not in out
