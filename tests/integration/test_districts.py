"""A district opens while everything runs, sets its own rules, and all processes follow one clock."""

import subprocess
from datetime import datetime, timedelta

import pytest

from tests.make import Client, a_blow, eventually, fresh, solved


@pytest.fixture(scope="module")
def operator(sign_in) -> Client:
    return sign_in("operator")


def admit(operator: Client, url: str, district: str, role: str, unit: str, department: str = "") -> Client:
    """Let somebody in and sign them in: an administrator by the operator, anybody else by such an administrator."""
    giver = operator if role == "district" else admit(operator, url, district, "district", district)
    id = fresh()
    order = {"id": id, "district": district, "login": f"d-{id[:13]}", "name": "新来的", "password": f"口令{id}"}
    order |= {"roles": [role], "unit": unit, "department": department}
    # Identity hears of a new district on its own feet.
    answer = eventually(lambda: (made := giver.post("/v1/people", order)).status_code != 404 and made, 10)
    assert answer.status_code == 201, answer.text
    return Client(url, order["login"], order["password"])


def a_community(operator: Client, district: str) -> str:
    rows = operator.get("/v1/divisions", params={"under": district, "limit": 1000}).json()["items"]
    return next(row["code"] for row in rows if row["level"] == "community")


def play(url: str, operator: Client, district: str) -> dict:
    """Play the main job in a district that has just been opened; gives the settled whistle."""
    community = a_community(operator, district)
    head = admit(operator, url, district, "secretary", community)
    water = admit(operator, url, district, "specialist", district, "shuiwu")
    order = a_blow(community=community, departments=["shuiwu"])
    # The whistle service hears of the new district on its own feet.
    answer = eventually(lambda: (made := head.post("/v1/whistles", order)).status_code == 201 and made, 10)
    id = answer.json()["id"]
    solved(id, head, water)
    done = head.settle(id)
    assert done.status_code == 201
    assert head.get(f"/v1/whistles/{id}/history").json()["whole"]
    sums = eventually(lambda: {row["fact"] for row in head.get("/v1/figures").json()["items"]} >= {"settled"}, 10)
    assert sums
    return done.json()


@pytest.fixture(scope="module")
def chaoyang(operator) -> str:
    """朝阳区, opened over the API."""
    order = {"code": "110105"}
    # Its five hundred streets and communities are written one after the other: a busy machine may need a second call.
    answer = eventually(lambda: (made := operator.post("/v1/districts", order)).status_code != 503 and [made], 30)[0]
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "朝阳区"
    return "110105"


def test_a_third_district_opens_over_the_api_and_works_at_once(platform, url, operator, chaoyang):
    before = platform.pids()
    assert play(url, operator, chaoyang)["community"].startswith("110105")
    assert platform.pids() == before, "nothing was started anew"


def test_a_fourth_district_opens_from_the_command_line(platform, url, operator, capfd):
    platform.module("deploy.district", "110106")
    assert "丰台区 110106" in capfd.readouterr().out
    assert play(url, operator, "110106")["community"].startswith("110106")
    platform.module("deploy.district", "110106")


def test_the_new_district_is_a_district_of_its_own(url, operator, chaoyang, wmy, sjy):
    head = admit(operator, url, chaoyang, "secretary", a_community(operator, chaoyang))
    ours = wmy.blow()["id"]
    assert head.get(f"/v1/whistles/{ours}").status_code == 404
    assert [row["code"] for row in head.get("/v1/districts").json()["items"]] == ["110105"]
    assert head.get("/v1/divisions", params={"under": "110102"}).status_code == 404
    assert head.post("/v1/whistles", a_blow()).status_code == 422


def test_the_new_districts_tree_is_there_at_once(url, operator, chaoyang):
    admin = admit(operator, url, chaoyang, "district", chaoyang)
    streets = admin.get("/v1/units", params={"level": "street", "limit": 1000}).json()["items"]
    assert len(streets) == 43 and {each["parent"] for each in streets} == {chaoyang}
    one = admin.get(f"/v1/units/{a_community(operator, chaoyang)}").json()
    assert one["path"] == [chaoyang, one["parent"]]


def test_opening_a_district_twice_is_opening_it_once(operator, chaoyang):
    first, again = (operator.post("/v1/districts", {"code": chaoyang}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    codes = [row["code"] for row in operator.get("/v1/districts").json()["items"]]
    assert codes.count("110105") == 1


def test_opening_it_again_does_not_undo_what_it_has_set(url, operator, chaoyang):
    admin = admit(operator, url, chaoyang, "district", chaoyang)
    order = {"change": fresh(), "settings": {"departments": ["chengguan", "shuiwu", "gongan"]}}
    changed = admin.post("/v1/districts/current/settings", order)
    assert changed.status_code == 201
    again = operator.post("/v1/districts", {"code": chaoyang})
    assert again.status_code == 201 and again.json()["settings"] == changed.json()["settings"]


@pytest.mark.parametrize("code", ["999999", "110103", "310101"])
def test_a_district_that_beijing_does_not_have_is_refused_in_plain_words(operator, code):
    answer = operator.post("/v1/districts", {"code": code}, headers={"Accept-Language": "zh"})
    assert answer.status_code == 422 and list(answer.json()["fields"]) == ["code"]
    assert "北京没有这个区" in answer.json()["detail"] and "110105 朝阳区" in answer.json()["detail"]


def test_the_command_line_refuses_in_plain_words_too(platform, capfd):
    for words in (("999999",), ("朝阳",), ()):
        with pytest.raises(subprocess.CalledProcessError):
            platform.module("deploy.district", *words)
        said = capfd.readouterr().err
        assert "Traceback" not in said and any("\u4e00" <= letter <= "\u9fff" for letter in said), said


@pytest.mark.parametrize("login", ["wmy", "zll", "xc-cg", "xc-admin", "xc-look", "xc-res"])
def test_only_an_operator_opens_a_district(sign_in, login):
    assert sign_in(login).post("/v1/districts", {"code": "110109"}).status_code == 403


# -- settings ---------------------------------------------------------------------------------------------------------


def test_a_department_that_was_taken_out_is_called_no_more_within_seconds(url, operator, chaoyang, wmy):
    community = a_community(operator, chaoyang)
    admin = admit(operator, url, chaoyang, "district", chaoyang)
    head = admit(operator, url, chaoyang, "secretary", community)

    def set_to(*departments):
        order = {"change": fresh(), "settings": {"departments": list(departments)}}
        assert admin.post("/v1/districts/current/settings", order).status_code == 201

    def blow(department):
        return head.post("/v1/whistles", a_blow(community=community, departments=[department]))

    set_to("chengguan", "weijian")
    eventually(lambda: blow("weijian").status_code == 201, 5)
    set_to("chengguan")
    refused = eventually(lambda: (answer := blow("weijian")).status_code == 422 and answer.json(), 5)
    assert "chengguan" in refused["detail"]
    assert blow("chengguan").status_code == 201
    set_to("chengguan", "weijian")
    eventually(lambda: blow("weijian").status_code == 201, 5)
    # What one district sets is nobody else's.
    assert wmy.post("/v1/whistles", a_blow(departments=["zhujian"])).status_code == 201


def test_a_blow_sent_again_after_its_department_was_taken_out_finds_what_it_made(url, operator, chaoyang):
    community = a_community(operator, chaoyang)
    admin = admit(operator, url, chaoyang, "district", chaoyang)
    head = admit(operator, url, chaoyang, "secretary", community)
    order = {"change": fresh(), "settings": {"departments": ["chengguan", "zongzhi"]}}
    admin.post("/v1/districts/current/settings", order)
    blow = a_blow(community=community, departments=["zongzhi"])
    eventually(lambda: head.post("/v1/whistles", blow).status_code == 201, 5)
    first = head.at_rest(blow["id"])
    admin.post("/v1/districts/current/settings", {"change": fresh(), "settings": {"departments": ["chengguan"]}})
    other = blow | {"id": fresh()}
    eventually(lambda: head.post("/v1/whistles", other | {"id": fresh()}).status_code == 422, 5)
    again = head.post("/v1/whistles", blow)
    assert again.status_code == 201 and again.json() == first.json(), "the same order twice must be one"


def test_the_same_change_twice_is_one_change(url, operator, chaoyang):
    admin = admit(operator, url, chaoyang, "district", chaoyang)
    order = {"change": fresh(), "settings": {"departments": ["chengguan"]}}
    first, again = (admin.post("/v1/districts/current/settings", order) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    stale = {"change": fresh(), "settings": {"departments": ["gongan"]}, "version": first.json()["version"] - 1}
    assert admin.post("/v1/districts/current/settings", stale).status_code == 409


@pytest.mark.parametrize("departments", [[], ["BIG"], ["a" * 25], ["chengguan"] * 61, "chengguan", None])
def test_settings_that_do_not_fit_change_nothing(url, operator, chaoyang, departments):
    admin = admit(operator, url, chaoyang, "district", chaoyang)
    before = admin.get("/v1/districts").json()
    order = {"change": fresh(), "settings": {"departments": departments}}
    assert admin.post("/v1/districts/current/settings", order).status_code == 422
    assert admin.get("/v1/districts").json() == before


@pytest.mark.parametrize("login", ["wmy", "zll", "xc-cg", "xc-look", "xc-res", "operator"])
def test_only_the_districts_administrator_changes_its_settings(sign_in, login):
    order = {"change": fresh(), "settings": {"departments": ["chengguan"]}}
    assert sign_in(login).post("/v1/districts/current/settings", order).status_code == 403


# -- the clock --------------------------------------------------------------------------------------------------------


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_clock_moves_forward_for_every_process(platform, operator, wmy, chengguan):
    before = moment(operator.get("/v1/clock").json()["now"])
    moved = operator.post("/v1/clock", {"forward": 3600})
    assert moved.status_code == 200, moved.text
    now = moment(operator.get("/v1/clock").json()["now"])
    assert timedelta(hours=1) <= now - before < timedelta(hours=1, seconds=30)
    blown = moment(wmy.blow()["blown_at"])
    assert now <= blown < now + timedelta(seconds=30), "the whistle service follows"
    id = wmy.blow()["id"]
    step = chengguan.get(f"/v1/whistles/{id}/history").json()["steps"][0]
    assert moment(step["at"]) >= now
    # What is real stays real: nobody's session ended through it.
    assert wmy.get("/v1/me").status_code == 200


def test_the_clock_can_run_faster_and_slow_down_again(operator, wmy):
    try:
        operator.post("/v1/clock", {"speed": 600})
        first = moment(wmy.blow()["blown_at"])
        second = eventually(lambda: (at := moment(wmy.blow()["blown_at"])) - first > timedelta(minutes=2) and at, 5)
    finally:
        answer = operator.post("/v1/clock", {"speed": 1})
    assert answer.json()["speed"] == 1 and answer.json()["movable"]
    assert moment(operator.get("/v1/clock").json()["now"]) >= second, "time did not run backwards"


@pytest.mark.parametrize(
    "order", [{"forward": -1}, {"speed": 0}, {"speed": -1}, {"speed": 1e9}, {"forward": 1e12}], ids=str
)
def test_the_clock_refuses_backwards_and_nonsense(operator, order):
    before = operator.get("/v1/clock").json()
    answer = operator.post("/v1/clock", order)
    assert answer.status_code == 422 and list(answer.json()["fields"]) == list(order)
    after = operator.get("/v1/clock").json()
    assert after["speed"] == before["speed"]
    assert timedelta(0) <= moment(after["now"]) - moment(before["now"]) < timedelta(seconds=10)


@pytest.mark.parametrize("login", ["wmy", "zll", "xc-cg", "xc-admin", "xc-look", "xc-res"])
def test_only_an_operator_moves_the_clock(sign_in, login):
    assert sign_in(login).post("/v1/clock", {"forward": 60}).status_code == 403
    assert sign_in(login).get("/v1/clock").status_code == 200
