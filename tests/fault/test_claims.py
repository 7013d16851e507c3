"""Two who write different records about one thing, at one moment: what only one of them may do, only one does."""

import threading
from datetime import UTC, date, datetime, timedelta

import pymongo
import pytest

from deploy.database import service_uri
from services.roster.domain import holders, seats, units
from services.roster.store import Departments, Holders, Seats, Staff, Tree, Units
from shared.caller import Caller
from shared.rules.days import day_of
from shared.running import clock
from tests.fault.harm import is_well
from tests.make import WANMINGYUAN, Client, Mute, eventually, fresh

DISTRICT = "110102"
LONG_AGO = date(2026, 1, 1)


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    return sign_in("xc-admin")


@pytest.fixture(scope="module")
def database(platform):
    with pymongo.MongoClient(service_uri(platform.settings, "roster"), tz_aware=True) as client:
        yield client["huying_roster"]


@pytest.fixture(scope="module")
def store(database):
    """Give a store of the roster's as its administrator's worker has it, which asks nobody for a claim."""
    caller = Caller(DISTRICT, "somebody-else", ("district",), DISTRICT)
    return lambda kind: kind(database, caller, clock.now, Mute(database))


@pytest.fixture(scope="module")
def today(admin) -> date:
    return day_of(datetime.fromisoformat(admin.get("/v1/clock").json()["now"]))


def somebody(admin: Client, role: str, department: str = "") -> str:
    id = fresh()
    order = {"id": id, "district": DISTRICT, "login": f"k-{id}", "name": "测试员", "password": f"口令{id}"}
    order |= {"roles": [role], "unit": DISTRICT if department else WANMINGYUAN, "department": department}
    assert admin.post("/v1/people", order).status_code == 201
    eventually(lambda: admin.get(f"/v1/holders/{id}").status_code == 200)
    return id


def a_building(admin: Client) -> str:
    code = f"{WANMINGYUAN}.{fresh()[:8]}"
    order = {"code": code, "parent": WANMINGYUAN, "level": "building", "type": "楼", "name": "新楼"}
    assert admin.post("/v1/units", order | {"since": str(LONG_AGO)}).status_code == 201
    return code


def at_once(*acts) -> list[int]:
    """Do several things at one moment; gives what became of each."""
    gate, codes = threading.Barrier(len(acts)), [0] * len(acts)

    def act(n: int) -> None:
        gate.wait()
        codes[n] = acts[n]().status_code

    threads = [threading.Thread(target=act, args=(n,)) for n in range(len(acts))]
    [each.start() for each in threads]
    [each.join(60) for each in threads]
    return codes


def claim(database, *what: str, seconds: float = 25) -> None:
    """Hold something as another worker would who is in the middle of it."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    rows = [{"_id": f"{DISTRICT}/{each}", "district": DISTRICT, "by": "another", "until": until} for each in what]
    database.claims.insert_many(rows)


def let_go(database) -> None:
    database.claims.delete_many({"by": "another"})


def meanwhile(database, what: str, ask, other):
    """Have somebody ask while another holds a thing, who does something and lets go; gives the answer."""
    answers: list = []
    claim(database, what)
    try:
        thread = threading.Thread(target=lambda: answers.append(ask()))
        thread.start()
        thread.join(0.5)
        assert not answers, "it did not wait"
        other()
    finally:
        let_go(database)
    thread.join(30)
    return answers[0]


def closing(store, building: str, today: date) -> None:
    """Close a unit as whoever holds it does."""
    order = {"row": store(Tree).row(building), "hanging": [], "change": fresh(), "until": today}
    store(Tree).put(store(Units).change(building, units.close, **order))


def appointing(store, building: str, person: str) -> None:
    """Appoint somebody as whoever holds the unit does."""
    order = {"unit": store(Tree).row(building), "known": store(Departments).known(), "who": store(Staff).find(person)}
    order |= {"other": None, "leaves": [], "post": "steward", "term": fresh(), "person": person, "since": LONG_AGO}
    store(Seats).change(f"steward@{building}", seats.appoint, until=None, substitute=None, **order)


def test_nobody_is_appointed_where_a_unit_has_just_been_closed(platform, admin, database, store, today):
    is_well(platform)
    building, person = a_building(admin), somebody(admin, "steward")
    order = {"term": fresh(), "person": person, "since": str(LONG_AGO)}
    answer = meanwhile(
        database, building, lambda: admin.post(f"/v1/seats/steward@{building}/terms", order),
        lambda: closing(store, building, today),
    )  # fmt: skip
    assert answer.status_code == 409 and "不存在或已撤销" in answer.json()["detail"], answer.text


def test_no_unit_closes_where_somebody_has_just_been_appointed(admin, database, store, today):
    building, person = a_building(admin), somebody(admin, "steward")
    order = {"change": fresh(), "until": str(today)}
    answer = meanwhile(
        database, building, lambda: admin.post(f"/v1/units/{building}/closures", order),
        lambda: appointing(store, building, person),
    )  # fmt: skip
    assert answer.status_code == 409 and f"steward@{building}" in answer.json()["detail"], answer.text


def test_of_a_closing_and_an_appointment_at_one_moment_one_is_refused(admin, today):
    person, seen = somebody(admin, "steward"), set()
    for _ in range(8):
        building = a_building(admin)
        term = {"term": fresh(), "person": person, "since": str(LONG_AGO)}
        codes = at_once(
            lambda b=building, t=term: admin.post(f"/v1/seats/steward@{b}/terms", t),
            lambda b=building: admin.post(f"/v1/units/{b}/closures", {"change": fresh(), "until": str(today)}),
        )
        assert sorted(codes) == [201, 409], codes
        seen.add(tuple(codes))
        assert (admin.get(f"/v1/units/{building}").json()["until"] is None) == (codes[0] == 201)


def test_who_stands_in_for_somebody_who_has_just_gone_does_not_go(admin, database, store, today):
    one, other = (somebody(admin, "specialist", "chengguan") for _ in range(2))
    period = {"since": today, "until": today + timedelta(days=2)}
    asked = {name: str(day) for name, day in period.items()} | {"absence": fresh(), "substitute": one}

    def go() -> None:
        order = {"who": store(Staff).find(one), "path": [], "other": store(Staff).find(other), "leaves": []}
        order |= {"covered": [], "person": one, "absence": fresh(), "substitute": other}
        store(Holders).change(one, holders.take_leave, **order, **period)

    answer = meanwhile(database, one, lambda: admin.post(f"/v1/holders/{other}/leaves", asked), go)
    assert answer.status_code == 409 and "须替别人" in answer.json()["detail"], answer.text


def test_of_two_leaves_that_cross_at_one_moment_one_is_refused(admin, today):
    days = {"since": str(today), "until": str(today + timedelta(days=2))}
    for _ in range(5):
        one, other = (somebody(admin, "specialist", "chengguan") for _ in range(2))
        codes = at_once(
            lambda a=one, b=other: admin.post(f"/v1/holders/{a}/leaves", days | {"absence": fresh(), "substitute": b}),
            lambda a=one, b=other: admin.post(f"/v1/holders/{b}/leaves", days | {"absence": fresh(), "substitute": a}),
        )
        assert sorted(codes) == [201, 409], codes


def test_who_died_holding_something_keeps_nobody_waiting_for_long(admin, database, today):
    building = a_building(admin)
    order = {"change": fresh(), "until": str(today)}
    claim(database, building)
    try:
        busy = admin.post(f"/v1/units/{building}/closures", order)
        assert busy.status_code == 503 and "请再试" in busy.json()["detail"], busy.text
    finally:
        let_go(database)
    claim(database, building, seconds=1)
    try:
        assert admin.post(f"/v1/units/{building}/closures", order).status_code == 201
    finally:
        let_go(database)
    assert database.claims.count_documents({}) == 0, "whoever is done holds nothing"
