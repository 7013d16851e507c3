"""Who asks, as services see them: what a district changed, whom a city observer visits, and what is noted."""

import time
from datetime import UTC, datetime

import pytest

from tests.make_gateway import SHIJINGSHAN, XICHENG, FakeBus, a_gateway, signed_in


@pytest.fixture
def bus() -> FakeBus:
    made = FakeBus()
    made.answers |= {"whistle.listing": {"items": []}, "identity.me": {}, "identity.access": {"items": []}}
    return made


def test_what_a_district_changed_comes_with_the_token(bus):
    app = a_gateway(bus)
    assert signed_in(app, "resident").get("/v1/whistles").status_code == 403
    assert signed_in(app, "resident", adjusted=["+whistle.read"]).get("/v1/whistles").status_code == 200
    assert bus.asked[-1][2].adjusted == ("+whistle.read",) and bus.asked[-1][2].address == "127.0.0.1"
    assert signed_in(app, "secretary", adjusted=["-whistle.read"]).get("/v1/whistles").status_code == 403


def test_a_revoked_district_refuses_the_tokens_of_its_people_and_no_others(bus):
    app = a_gateway(bus)
    ours, theirs = signed_in(app), signed_in(app, district=SHIJINGSHAN)
    assert ours.get("/v1/whistles").status_code == theirs.get("/v1/whistles").status_code == 200
    before = datetime.fromtimestamp(time.time(), UTC).isoformat()
    data = {"subject": XICHENG, "before": before, "reason": "adjusted"}
    bus.on_fact({"id": "1", "source": "/identity", "type": "revoked", "district": XICHENG, "data": data})
    assert ours.get("/v1/whistles").status_code == 401
    assert theirs.get("/v1/whistles").status_code == 200
    later = signed_in(app, iat=time.time() + 1)
    assert later.get("/v1/whistles").status_code == 200, "a token made since is good"


def test_a_city_observer_is_of_the_district_that_they_visit_except_for_what_is_their_own(bus):
    city = signed_in(a_gateway(bus), "city_observer", district="", unit="")
    assert city.get("/v1/whistles", headers={"X-District": XICHENG}).status_code == 200
    assert (bus.asked[-1][2].district, bus.asked[-1][2].unit) == (XICHENG, XICHENG)
    city.get("/v1/me", headers={"X-District": XICHENG})
    assert bus.asked[-1][2].district == ""
    assert city.get("/v1/whistles", headers={"X-District": "1101"}).status_code == 422


@pytest.mark.parametrize("role", ["secretary", "district", "operator", "observer"])
def test_nobody_else_visits_anybody(bus, role):
    answer = signed_in(a_gateway(bus), role).get("/v1/whistles", headers={"X-District": SHIJINGSHAN})
    assert answer.status_code == 403


def test_refusals_are_noted_and_what_is_allowed_is_not(bus):
    app = a_gateway(bus)
    signed_in(app, "district").get("/v1/access")
    assert bus.noted == []
    signed_in(app, "secretary", sub="5b0f6c9e-9a51-4a0f-8a7e-0f2a4c8d1b33").get("/v1/access")
    [note] = bus.noted
    assert (note["what"], note["status"], note["about"]) == ("refused", 403, "GET /v1/access")
    assert (note["who"], note["district"], note["role"]) == (
        "5b0f6c9e-9a51-4a0f-8a7e-0f2a4c8d1b33", XICHENG, "secretary"
    )  # fmt: skip
    app.test_client().get("/v1/access")
    assert len(bus.noted) == 1, "whoever brings no token was not refused, but asked to sign in"
    app.test_client().get("/v1/access", headers={"Authorization": "Bearer x"})
    assert (bus.noted[-1]["status"], bus.noted[-1]["who"]) == (401, "")


def test_a_log_that_is_away_stands_in_nobodys_way():
    class Away(FakeBus):
        def ask(self, call, order, caller, patience=None):
            if call.name == "note":
                raise OSError("away")
            return super().ask(call, order, caller, patience)

    assert signed_in(a_gateway(Away()), "secretary").get("/v1/access").status_code == 403


def test_bad_tokens_do_not_fill_the_log(bus):
    app = a_gateway(bus, RATE_LIMITS="address=3/minute")
    for _ in range(10):
        assert app.test_client().get("/v1/access", headers={"Authorization": "Bearer x"}).status_code == 401
    assert len(bus.noted) == 3


def test_a_table_of_the_log_holds_no_formulas(bus):
    row = {"id": "b/000001", "at": "2026-11-24T02:20:13Z", "what": "refused", "ok": False, "about": "=1+1"}
    bus.answers["identity.security"] = {"items": [row], "next": None}
    answer = signed_in(a_gateway(bus), "district").get("/v1/security.csv")
    assert answer.status_code == 200 and ",'=1+1," in answer.text
    assert [note["what"] for note in bus.noted] == ["exported"]
