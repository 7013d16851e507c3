"""Communities that are to become one, or two, on a day to come: planned, given up, carried out on the day."""

from datetime import datetime, timedelta

import pytest

from shared.rules.days import day_of
from tests.make import Client, eventually, fresh

STREET = "110102012000"


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    """西城区's administrator."""
    return sign_in("xc-admin")


@pytest.fixture(scope="module")
def communities(admin) -> list[str]:
    rows = admin.get("/v1/units", params={"under": STREET, "level": "community", "limit": 20}).json()["items"]
    return [row["code"] for row in rows]


def in_days(admin: Client, n: int) -> str:
    now = datetime.fromisoformat(admin.get("/v1/clock").json()["now"])
    return str(day_of(now) + timedelta(days=n))


def plans(admin: Client, code: str) -> list[dict]:
    return admin.get(f"/v1/units/{code}").json()["plans"]


def test_a_plan_is_shown_changes_nothing_and_may_be_given_up(admin, sign_in, communities):
    stays, goes = communities[:2]
    order = {"change": fresh(), "communities": [goes], "since": in_days(admin, 5), "name": "合并后社区"}
    before = admin.get("/v1/units", params={"under": STREET, "limit": 1000}).json()
    first, again = (admin.post(f"/v1/units/{stays}/mergers", order) for _ in range(2))
    assert first.status_code == 201 and first.json() == again.json(), first.text
    [plan] = plans(admin, stays)
    assert (plan["plan"], plan["kind"], plan["communities"]) == (order["change"], "merger", [goes])
    after = admin.get("/v1/units", params={"under": STREET, "limit": 1000}).json()
    names = [[row["code"], row["name"], row["until"]] for row in before["items"]]
    assert names == [[row["code"], row["name"], row["until"]] for row in after["items"]]
    path, up = f"/v1/units/{stays}/plans/{plan['plan']}/withdrawals", {"change": fresh()}
    assert sign_in("zll").post(path, up).status_code == 403
    assert [admin.post(path, up).status_code for _ in range(2)] == [201, 201]
    assert plans(admin, stays) == [] and admin.post(path, {"change": fresh()}).status_code == 404
    wrong = order | {"change": fresh(), "communities": [stays]}
    assert admin.post(f"/v1/units/{stays}/mergers", wrong).status_code == 422, "a plan is judged when it is made"


def test_what_was_planned_happens_on_its_day_and_what_cannot_any_more_says_why(admin, sign_in, communities):
    one, other, goes, splits = communities[2:6]
    code = f"{splits}.{fresh()[:8]}"
    place = {
        "code": code,
        "parent": splits,
        "level": "compound",
        "type": "小区",
        "name": "新小区",
        "since": "2026-01-01",
    }
    assert admin.post("/v1/units", place).status_code == 201
    order = {"communities": [goes], "since": in_days(admin, 1)}
    for stays in (one, other):
        assert admin.post(f"/v1/units/{stays}/mergers", order | {"change": fresh()}).status_code == 201
    split = {"new": "110102012097", "name": "新分社区", "places": [code], "since": in_days(admin, 1)}
    answer = admin.post(f"/v1/units/{splits}/splits", split | {"change": fresh()})
    assert answer.status_code == 201, answer.text
    assert sign_in("operator").post("/v1/clock", {"forward": 86_400}).status_code == 200
    into = eventually(lambda: admin.get(f"/v1/units/{goes}").json()["into"], 20)
    assert into in (one, other)
    assert admin.get(f"/v1/units/{goes}").json()["until"] == in_days(admin, -1)
    lost = other if into == one else one
    eventually(lambda: plans(admin, lost) == [] == plans(admin, into) == plans(admin, splits), 20)
    dropped = admin.get(f"/v1/units/{lost}/history").json()["steps"][-1]
    assert dropped["fact"] == "plan_dropped" and "已并入" in dropped["data"]["why"] and dropped["actor"] == "timer"
    eventually(lambda: admin.get(f"/v1/units/{code}").json()["parent"] == "110102012097", 20)
    for each in (into, lost, splits):
        assert admin.get(f"/v1/units/{each}/history").json()["whole"]
