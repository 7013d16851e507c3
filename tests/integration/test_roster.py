"""The tree, its seats and stations over HTTP: what is founded, filled, restructured and refused in plain words."""

import time
from datetime import datetime, timedelta

import pytest

from deploy.seed import person_id
from shared.rules.days import day_of
from tests.fault.belfry import a_fact, tell
from tests.make import SIJIYUAN, WANMINGYUAN, Client, eventually, fresh, solved

STREET = "110102009000"  # 展览路街道
LONG_AGO = "2026-01-01"


@pytest.fixture(scope="module")
def days(admin):
    """Give a day by its distance from the platform's today, which other tests move."""
    now = datetime.fromisoformat(admin.get("/v1/clock").json()["now"])
    return lambda n: str(day_of(now) + timedelta(days=n))


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    """西城区's administrator."""
    return sign_in("xc-admin")


def a_person(admin: Client, role: str, unit: str, department: str = "") -> str:
    """Let somebody in who only has to be there."""
    id = fresh()
    order = {"id": id, "district": "110102", "login": f"r-{id}", "name": "测试员", "password": f"口令{id}"}
    answer = admin.post("/v1/people", order | {"roles": [role], "unit": unit, "department": department})
    assert answer.status_code == 201, answer.text
    return id


def a_place(admin: Client, parent: str, level: str = "building", **changes) -> str:
    """Found a place of an invented code."""
    code = f"{parent}.{fresh()[:8]}"
    order = {"code": code, "parent": parent, "level": level, "name": "新楼", "since": LONG_AGO}
    order["type"] = {"compound": "小区", "building": "楼", "entrance": "单元"}[level]
    answer = admin.post("/v1/units", order | changes)
    assert answer.status_code == 201, answer.text
    return code


def appoint(who: Client, seat: str, person: str, **changes) -> dict:
    """Appoint somebody, also somebody new."""
    order = {"term": fresh(), "person": person, "since": LONG_AGO, **changes}
    answer = once_heard(lambda: who.post(f"/v1/seats/{seat}/terms", order))
    assert answer.status_code == 201, answer.text
    return answer.json()


def once_heard(ask) -> object:
    """Ask until the roster has heard of somebody new, which it does on its own feet; gives the answer."""
    return eventually(lambda: (answer := ask()).status_code != 422 and [answer], 10)[0]


def refused(answer, status: int, *words: str) -> None:
    """A refusal says in both languages what is wrong."""
    assert answer.status_code == status, answer.text
    said = str(answer.json())
    assert any("\u4e00" <= letter <= "\u9fff" for letter in said), said
    for word in words:
        assert word in said, said


# -- the tree ---------------------------------------------------------------------------------------------------------


def test_the_shipped_tree_is_there_from_the_first_day(admin):
    rows = admin.get("/v1/units", params={"under": "110107", "level": "street"})
    refused(rows, 404)
    streets = admin.get("/v1/units", params={"level": "street", "limit": 1000}).json()["items"]
    assert len(streets) == 15
    found = admin.get("/v1/units", params={"name": "万明园"}).json()["items"]
    assert WANMINGYUAN in [each["code"] for each in found]
    unit = admin.get(f"/v1/units/{WANMINGYUAN}").json()
    assert unit["path"] == ["110102", STREET] and unit["type"] == "社区" and unit["until"] is None


def test_pages_of_the_tree_are_the_whole_tree_each_unit_once(admin):
    seen, after = [], None
    while True:
        page = admin.get("/v1/units", params={"limit": 97} | ({"after": after} if after else {})).json()
        seen += [each["code"] for each in page["items"]]
        after = page["next"]
        if not after:
            break
    assert len(seen) == len(set(seen)) >= 278 and seen == sorted(seen)


def test_a_community_founds_its_own_places_and_finds_them_again(admin, wmy):
    code = f"{WANMINGYUAN}.{fresh()[:8]}"
    order = {
        "code": code,
        "parent": WANMINGYUAN,
        "level": "compound",
        "type": "小区",
        "name": "万明园",
        "since": LONG_AGO,
    }
    first, again = (wmy.post("/v1/units", order) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    building = a_place(wmy, code)
    entrance = a_place(wmy, building, "entrance")
    assert wmy.get(f"/v1/units/{entrance}").json()["path"] == ["110102", STREET, WANMINGYUAN, code, building]
    below = wmy.get("/v1/units", params={"under": code}).json()["items"]
    assert [each["code"] for each in below] == sorted([building, entrance])
    assert wmy.get(f"/v1/units/{code}/history").json()["whole"]
    refused(wmy.post("/v1/units", order | {"name": "别的"}), 409)


@pytest.mark.parametrize(
    ("changes", "status"),
    {
        "a building on a street": ({"parent": STREET}, 422),
        "a parent that is not": ({"parent": "110102009999"}, 404),
        "another district's parent": ({"parent": SIJIYUAN}, 404),
        "a code from elsewhere": ({"code": "110102009038.9"}, 422),
        "a code that is taken": ({"code": STREET, "level": "street", "type": "街道", "parent": "110102"}, 409),
        "a type of another level": ({"type": "街道"}, 422),
        "200 characters": ({"name": "楼" * 200}, 422),
        "a name of blanks": ({"name": "  "}, 422),
        "a day that is none": ({"since": "2026-02-30"}, 422),
        "a level that is none": ({"level": "room"}, 422),
    }.values(),
)
def test_a_unit_that_does_not_fit_is_refused_and_nothing_changes(admin, changes, status):
    before = admin.get("/v1/units", params={"limit": 1000}).json()
    order = {"code": f"{WANMINGYUAN}.bad1", "parent": WANMINGYUAN, "level": "building", "type": "楼", "name": "一号楼"}
    refused(admin.post("/v1/units", order | {"since": LONG_AGO} | changes), status)
    assert admin.get("/v1/units", params={"limit": 1000}).json() == before


def test_a_tree_has_no_cycles(admin):
    compound = a_place(admin, WANMINGYUAN, "compound")
    building = a_place(admin, compound)
    for parent in (compound, building):
        before = admin.get(f"/v1/units/{compound}").json()
        refused(admin.post(f"/v1/units/{compound}/changes", {"change": fresh(), "parent": parent}), 409)
        assert admin.get(f"/v1/units/{compound}").json() == before


def test_a_unit_that_hangs_elsewhere_takes_along_what_is_below(admin):
    compound, other = (a_place(admin, WANMINGYUAN, "compound") for _ in range(2))
    building = a_place(admin, compound)
    entrance = a_place(admin, building, "entrance")
    order = {"change": fresh(), "parent": other}
    first, again = (admin.post(f"/v1/units/{building}/changes", order) for _ in range(2))
    assert first.status_code == 201 and first.json() == again.json()
    assert admin.get(f"/v1/units/{entrance}").json()["path"][-2:] == [other, building]
    stale = {"change": fresh(), "name": "旧", "version": 1}
    refused(admin.post(f"/v1/units/{building}/changes", stale), 409)


def test_each_acts_in_their_own_unit_only(sign_in, wmy, sjy):
    order = {"code": "110102009038.1", "parent": "110102009038", "level": "building", "type": "楼", "name": "一号楼"}
    refused(wmy.post("/v1/units", order | {"since": LONG_AGO}), 403)
    refused(wmy.post(f"/v1/units/{WANMINGYUAN}/changes", {"change": fresh(), "name": "别名"}), 403)
    refused(sjy.get(f"/v1/units/{WANMINGYUAN}"), 404)
    refused(sjy.post(f"/v1/units/{WANMINGYUAN}/changes", {"change": fresh(), "name": "别名"}), 404)
    refused(sign_in("xc-res").post("/v1/units", order | {"since": LONG_AGO}), 403)


def test_nothing_closes_while_something_hangs_on_it(admin, days):
    compound = a_place(admin, WANMINGYUAN, "compound")
    building = a_place(admin, compound)
    appoint(admin, f"steward@{building}", a_person(admin, "steward", WANMINGYUAN))
    seat = admin.get(f"/v1/seats/steward@{building}").json()
    close = {"change": fresh(), "until": days(0)}
    refused(admin.post(f"/v1/units/{compound}/closures", close), 409, building)
    refused(admin.post(f"/v1/units/{building}/closures", close), 409, seat["id"])
    ended = {"term": seat["terms"][0]["term"], "change": fresh(), "until": days(0)}
    assert admin.post(f"/v1/seats/steward@{building}/departures", ended).status_code == 201
    assert admin.post(f"/v1/units/{building}/closures", close).json()["until"] == days(0)
    assert admin.post(f"/v1/units/{compound}/closures", close | {"change": fresh()}).status_code == 201
    there = admin.get("/v1/units", params={"under": compound, "at": days(1)}).json()["items"]
    assert there == [] and admin.get(f"/v1/units/{building}").status_code == 200


# -- settings, departments --------------------------------------------------------------------------------------------


def test_settings_come_down_the_tree_and_say_from_where(admin, sign_in):
    street, community, plain = "110102003000", "110102003023", "110102003025"
    codes = [row["code"] for row in admin.get("/v1/units", params={"under": street, "limit": 9}).json()["items"]]
    community, plain = codes[:2]

    def at(code):
        rows = admin.get(f"/v1/units/{code}/settings").json()["items"]
        return {row["name"]: (row["value"], row["origin"]) for row in rows}

    def put(code, settings, **more):
        order = {"change": fresh(), "settings": settings, **more}
        answer = admin.post(f"/v1/units/{code}/settings", order)
        assert answer.status_code == 201, answer.text

    assert at(community)["report_within"] == (300, "city")
    put(street, {"report_within": 500})
    assert at(community)["report_within"] == (500, street)
    put(street, {"report_within": 900, "resident_whistle": True}, pilot=True)
    assert at(community)["report_within"] == (500, street), "nothing is marked yet"
    marked = admin.post(f"/v1/units/{community}/marks", {"change": fresh(), "pilot": "绿哨试点"})
    assert marked.status_code == 201 and marked.json()["pilot"] == "绿哨试点"
    assert at(community)["report_within"] == (900, f"pilot of {street}")
    assert at(plain)["resident_whistle"] == (False, "city"), "the others are the comparison"
    put(community, {"report_within": 100})
    assert at(community)["report_within"] == (100, community)
    put(community, {}, inherit=["report_within"])
    assert at(community)["report_within"] == (900, f"pilot of {street}")
    pilots = admin.get("/v1/units", params={"pilot": "true", "under": street}).json()["items"]
    assert [row["code"] for row in pilots] == [community]
    before = at(street)
    strange = {"change": fresh(), "settings": {"must_have": ["moon"]}}
    refused(admin.post(f"/v1/units/{street}/settings", strange), 422, "moon")
    assert at(street) == before
    refused(sign_in("zll").post(f"/v1/units/{STREET}/settings", strange), 403)


def test_a_district_names_its_departments_and_stations_their_teams(admin, sign_in):
    gas = {"code": "gas", "change": fresh(), "name": "燃气集团", "kind": "utility", "phone": "96777"}
    first, again = (admin.post("/v1/departments", gas) for _ in range(2))
    assert first.status_code == 201 and first.json() == again.json()
    assert {"gas", "chengguan"} <= {row["code"] for row in admin.get("/v1/departments").json()["items"]}
    refused(admin.post("/v1/departments", gas | {"code": "head", "change": fresh()}), 422)
    team = {"id": fresh(), "change": fresh(), "department": "gas", "unit": STREET, "name": "展览路燃气服务站"}
    made = sign_in("zll").post("/v1/teams", team)
    assert made.status_code == 201, made.text
    assert team["id"] in [row["id"] for row in admin.get("/v1/teams", params={"unit": STREET}).json()["items"]]
    refused(admin.post("/v1/teams", team | {"change": fresh(), "department": "moon"}), 422)
    refused(sign_in("zll").post("/v1/teams", team | {"id": fresh(), "unit": "110102003000"}), 403)


# -- seats ------------------------------------------------------------------------------------------------------------


def test_one_station_has_one_head_and_periods_do_not_overlap(admin, sign_in, days):
    community = "110102009008"
    one, other = (a_person(admin, "secretary", community) for _ in range(2))
    seat = appoint(sign_in("zll"), f"head@{community}", one, until=days(30))
    assert seat["holder"] == one and seat["answers"] == one
    eventually(lambda: admin.get(f"/v1/holders/{one}").json()["seats"])
    order = {"term": fresh(), "person": other, "since": days(30)}
    answer = once_heard(lambda: admin.post(f"/v1/seats/head@{community}/terms", order))
    refused(answer, 409, "已有人")
    assert admin.get(f"/v1/seats/head@{community}").json()["version"] == seat["version"]
    assert admin.post(f"/v1/seats/head@{community}/terms", order | {"since": days(31)}).status_code == 201


@pytest.mark.parametrize(
    ("seat", "changes", "status"),
    {
        "nobody known": (f"chengguan@{STREET[:9]}008", {"person": "00000000-0000-4000-8000-000000000000"}, 422),
        "no specialist": (f"chengguan@{STREET[:9]}008", {"person": person_id("wmy")}, 422),
        "another department's": (f"weijian@{STREET[:9]}008", {}, 422),
        "a department of the moon": (f"moon@{STREET[:9]}008", {}, 422),
        "a specialist on a street": (f"chengguan@{STREET}", {}, 422),
        "a unit that is not": ("chengguan@110102009999", {}, 404),
        "another district's": (f"chengguan@{SIJIYUAN}", {}, 404),
        "an end before the beginning": (f"chengguan@{STREET[:9]}008", {"until": "2025-01-01"}, 422),
        "their own substitute": (f"chengguan@{STREET[:9]}008", {"substitute": person_id("xc-cg")}, 422),
        "a substitute of another kind": (f"chengguan@{STREET[:9]}008", {"substitute": person_id("xc-zj")}, 422),
    }.values(),
)
def test_an_appointment_that_does_not_fit_is_refused_and_nothing_changes(admin, seat, changes, status):
    before = admin.get(f"/v1/seats/{seat}").json().get("version")
    order = {"term": fresh(), "person": person_id("xc-cg"), "since": LONG_AGO, **changes}
    refused(admin.post(f"/v1/seats/{seat}/terms", order), status)
    assert admin.get(f"/v1/seats/{seat}").json().get("version") == before


def test_a_community_names_its_stewards_and_nobody_else(admin, wmy):
    building = a_place(wmy, WANMINGYUAN)
    gap = {"unit": building, "name": "新楼", "post": "steward", "why": "empty"}
    assert gap in wmy.get("/v1/gaps", params={"unit": WANMINGYUAN, "limit": 1000}).json()["items"]
    steward = a_person(admin, "steward", WANMINGYUAN)
    appoint(wmy, f"steward@{building}", steward)
    assert gap not in wmy.get("/v1/gaps", params={"unit": WANMINGYUAN, "limit": 1000}).json()["items"]
    held = wmy.get("/v1/seats", params={"person": steward}).json()["items"]
    assert [each["id"] for each in held] == [f"steward@{building}"]
    order = {"term": fresh(), "person": person_id("xc-cg"), "since": LONG_AGO}
    refused(wmy.post(f"/v1/seats/chengguan@{WANMINGYUAN}/terms", order), 403)


def test_who_is_away_is_stood_in_for_and_who_stands_in_is_not_away(admin, days):
    community = "110102009009"
    one, other, third = (a_person(admin, "specialist", "110102", "shichang") for _ in range(3))
    appoint(admin, f"shichang@{community}", third, until="2026-01-31")
    seat = appoint(admin, f"shichang@{community}", one, since="2026-02-01", substitute=other)
    assert seat["answers"] == one
    away = {"absence": fresh(), "since": days(0), "until": days(3)}
    first, again = (admin.post(f"/v1/holders/{one}/leaves", away) for _ in range(2))
    assert first.status_code == 201 and first.json() == again.json()
    assert admin.get(f"/v1/seats/shichang@{community}").json()["answers"] == other
    refused(admin.post(f"/v1/holders/{other}/leaves", away | {"absence": fresh()}), 409, "须替别人")
    refused(admin.post(f"/v1/holders/{one}/leaves", away | {"absence": fresh()}), 409)
    # A substitute who is on leave is none: neither in a leave, nor in a term.
    refused(admin.post(f"/v1/holders/{third}/leaves", away | {"absence": fresh(), "substitute": one}), 409, "请假")
    order = {"term": fresh(), "person": third, "since": days(1), "substitute": one}
    refused(admin.post("/v1/seats/shichang@110102009011/terms", order), 409, "请假")
    line = admin.get(f"/v1/stations/{community}").json()["lines"][1]
    assert (line["post"], line["holder"]["person"], line["answers"]["person"]) == ("shichang", one, other)
    back = {"absence": away["absence"], "change": fresh(), "back": days(0)}
    assert admin.post(f"/v1/holders/{one}/returns", back).json()["leaves"] == []
    assert admin.get(f"/v1/seats/shichang@{community}").json()["answers"] == one


def test_a_specialist_takes_their_own_leave_only(admin, chengguan, days):
    away = {"absence": fresh(), "since": days(200), "until": days(201)}
    assert chengguan.post(f"/v1/holders/{person_id('xc-cg')}/leaves", away).status_code == 201
    other = person_id("xc-zj")
    refused(chengguan.post(f"/v1/holders/{other}/leaves", away | {"absence": fresh()}), 403)


def test_a_seat_is_handed_over_without_a_day_between_and_with_a_note(admin, days):
    community = "110102009011"
    one, other = (a_person(admin, "specialist", "110102", "weijian") for _ in range(2))
    appoint(admin, f"weijian@{community}", one)
    order = {"change": fresh(), "term": fresh(), "person": other, "since": days(1), "note": "两件未办结,见台账。"}
    path = f"/v1/seats/weijian@{community}"
    first = once_heard(lambda: admin.post(f"{path}/handovers", order))
    again = admin.post(f"{path}/handovers", order)
    assert first.status_code == 201 and first.json() == again.json()
    old, new = first.json()["terms"]
    assert (old["until"], new["since"], new["note"]) == (days(0), days(1), order["note"])
    seats = admin.get("/v1/seats", params={"unit": community, "post": "weijian", "at": days(1)}).json()["items"]
    assert [each["holder"] for each in seats] == [other]
    trace = admin.get(f"{path}/history").json()
    assert trace["whole"] and order["note"] not in str(trace)


def test_a_handover_is_printed_with_the_work_that_is_still_open(admin, sign_in, days):
    community, street, specialist = "110102009017", sign_in("zll"), sign_in("xc-cg")
    seat, next_one = f"chengguan@{community}", a_person(admin, "specialist", "110102", "chengguan")
    appoint(admin, seat, person_id("xc-cg"))
    done, left = (street.blow(community=community, title=title) for title in ("已办的事", "未办的<事>"))
    solved(done["id"], street, specialist)
    settled = street.settle(done["id"])
    assert settled.status_code == 201, settled.text
    order = {"change": fresh(), "term": fresh(), "person": next_one, "since": days(1), "note": "钥匙在<站里>。"}
    answer = once_heard(lambda: admin.post(f"/v1/seats/{seat}/handovers", order))
    sheet = f"/v1/seats/{seat}/sheet"
    assert answer.status_code == 201 and answer.headers["Link"] == f'<{sheet}>; rel="related"', answer.text
    page = admin.get(sheet)
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
    for word in ("交接单", left["id"], "未办的&lt;事&gt;", "钥匙在&lt;站里&gt;。", days(0), days(1), "城管"):
        assert word in page.text, word
    assert done["id"] not in page.text
    assert admin.get(f"/v1/seats/chengguan@{SIJIYUAN}/sheet").status_code == 404
    assert admin.get(f"/v1/seats/head@{community}/sheet").status_code == 200
    refused(sign_in("xc-res").get(sheet), 403)


def test_whoever_is_dismissed_answers_no_more(admin):
    community = "110102009013"
    one = a_person(admin, "specialist", "110102", "xiaofang")
    appoint(admin, f"xiaofang@{community}", one)
    revoked = admin.post(f"/v1/people/{one}/revocations", {"revocation": fresh(), "reason": "dismissed"})
    assert revoked.status_code == 201, revoked.text
    eventually(lambda: admin.get(f"/v1/seats/xiaofang@{community}").json()["answers"] is None, 5)
    gaps = admin.get("/v1/gaps", params={"unit": community}).json()["items"]
    assert {"post": "xiaofang", "why": "away"}.items() <= next(g for g in gaps if g["post"] == "xiaofang").items()


def test_whoever_moved_to_other_work_or_was_dismissed_is_named_by_nobody_any_more(admin):
    community = admin.get("/v1/units", params={"under": "110102013000", "limit": 9}).json()["items"][0]["code"]
    rule = {"category": "*", "unit": "110102013000", "change": fresh(), "lead": "gongan", "assists": ["zhujian"]}
    assert admin.post("/v1/rules", rule).status_code == 201
    one, other = a_person(admin, "specialist", "110102", "gongan"), a_person(admin, "specialist", "110102", "zhujian")
    appoint(admin, f"gongan@{community}", one)
    appoint(admin, f"zhujian@{community}", other)

    def named() -> tuple:
        found = admin.get("/v1/responsible", params={"category": "0101", "unit": community}).json()
        seats = [admin.get(f"/v1/seats/{post}@{community}").json()["answers"] for post in ("gongan", "zhujian")]
        return found["lead"]["person"], found["assists"][0]["person"], *seats

    eventually(lambda: named() == (one, other, one, other))
    away = {"move": fresh(), "roles": ["specialist"], "unit": "110102", "department": "shuiwu"}
    assert admin.post(f"/v1/people/{one}/moves", away).status_code == 201
    out = {"suspension": fresh(), "reason": "absent"}
    assert admin.post(f"/v1/people/{other}/suspensions", out).status_code == 201
    eventually(lambda: named() == (None, None, None, None))
    assert admin.post(f"/v1/people/{other}/resumptions", {"resumption": fresh()}).status_code == 201
    eventually(lambda: named() == (None, other, None, other))
    revoked = {"revocation": fresh(), "reason": "dismissed"}
    assert admin.post(f"/v1/people/{other}/revocations", revoked).status_code == 201
    eventually(lambda: named() == (None, None, None, None))


def test_what_colleagues_tell_each_other_is_not_for_residents(admin, sign_in, days):
    community, resident = "110102009020", sign_in("xc-res")
    one, other = (a_person(admin, "specialist", "110102", "shuiwu") for _ in range(2))
    appoint(admin, f"shuiwu@{community}", one)
    order = {"change": fresh(), "term": fresh(), "person": other, "since": days(1), "note": "内部说明"}
    assert once_heard(lambda: admin.post(f"/v1/seats/shuiwu@{community}/handovers", order)).status_code == 201
    away = {"absence": fresh(), "since": days(0), "until": days(3)}
    assert admin.post(f"/v1/holders/{one}/leaves", away).status_code == 201
    shown = [resident.get(path) for path in (f"/v1/seats/shuiwu@{community}", f"/v1/seats?unit={community}")]
    assert all(each.status_code == 200 and "内部说明" not in each.text for each in shown)
    assert resident.get(f"/v1/holders/{one}").json()["leaves"] == []
    assert "内部说明" in sign_in("xc-look").get(f"/v1/seats/shuiwu@{community}").text
    assert len(sign_in("wmy").get(f"/v1/holders/{one}").json()["leaves"]) == 1


def test_a_card_is_published_on_the_sheet_and_its_words_are_gone_when_it_is_withdrawn(admin, chengguan, wmy):
    me = person_id("xc-cg")
    appoint(admin, f"chengguan@{WANMINGYUAN}", me)
    hours = [{"days": [1, 3, 5], "opens": "09:00", "closes": "17:30"}]
    card = {"change": fresh(), "name": "马志强<b>", "phone": "13810001234", "title": "城管专员", "hours": hours}
    assert chengguan.post(f"/v1/holders/{me}/card", card).status_code == 201
    page = wmy.get(f"/v1/stations/{WANMINGYUAN}/sheet")
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
    for word in ("马志强&lt;b&gt;", "13810001234", "周一、周三、周五 09:00–17:30", "城管", "展览路街道", "暂缺"):
        assert word in page.text
    assert chengguan.post(f"/v1/holders/{me}/card", card).status_code == 201
    refused(chengguan.post(f"/v1/holders/{me}/card", card | {"phone": "13810009999"}), 409)
    gone = chengguan.post(f"/v1/holders/{me}/card/withdrawals", {"change": fresh()})
    assert gone.status_code == 201 and gone.json()["name"] is None
    assert "13810001234" not in wmy.get(f"/v1/stations/{WANMINGYUAN}/sheet").text
    refused(chengguan.post(f"/v1/holders/{person_id('xc-zj')}/card", card), 403)
    again = chengguan.post(f"/v1/holders/{me}/card", card | {"change": fresh()})
    assert again.json()["name"] == card["name"]


# -- restructuring ----------------------------------------------------------------------------------------------------


def communities(admin: Client) -> list[str]:
    rows = admin.get("/v1/units", params={"under": STREET, "level": "community", "limit": 1000}).json()["items"]
    return [row["code"] for row in rows]


def test_a_street_has_one_community_less_and_then_one_more_and_nothing_that_hung_on_them_is_lost(admin, sign_in, days):
    stays, goes, splits, new = "110102009001", "110102009002", "110102009005", "110102009099"
    count = len(communities(admin))
    moved, kept = a_place(admin, goes, "compound"), a_place(admin, splits, "compound")
    inside, along = a_place(admin, moved), a_place(admin, splits, "compound")
    steward = a_person(admin, "steward", goes)
    cg, sc, head = (
        a_person(admin, "specialist", "110102", "chengguan"),
        a_person(admin, "specialist", "110102", "shichang"),
        a_person(admin, "secretary", goes),
    )
    appoint(admin, f"steward@{inside}", steward)
    appoint(admin, f"chengguan@{goes}", cg)
    appoint(admin, f"shichang@{goes}", sc)
    appoint(admin, f"head@{goes}", head)
    appoint(admin, f"chengguan@{stays}", cg)
    appoint(admin, f"shichang@{splits}", sc)
    admin.post(f"/v1/units/{splits}/settings", {"change": fresh(), "settings": {"report_within": 150}})

    merge = {"change": fresh(), "communities": [goes], "since": days(0), "name": "文兴街社区"}
    refused(sign_in("zll").post(f"/v1/units/{stays}/mergers", merge), 403)
    refused(admin.post(f"/v1/units/{stays}/mergers", merge | {"communities": ["110102003023"]}), 404)
    first, again = (admin.post(f"/v1/units/{stays}/mergers", merge) for _ in range(2))
    assert first.status_code == 201 and first.json()["name"] == "文兴街社区" == again.json()["name"]
    old = eventually(lambda: (unit := admin.get(f"/v1/units/{goes}").json())["into"] and unit)
    assert (old["into"], old["until"]) == (stays, days(-1)), "the old code is still found, and says where it went"
    assert len(communities(admin)) == count - 1
    assert admin.get(f"/v1/units/{inside}").json()["path"] == ["110102", STREET, stays, moved]
    assert admin.get(f"/v1/seats/steward@{inside}").json()["answers"] == steward
    assert admin.get(f"/v1/seats/shichang@{stays}").json()["answers"] == sc
    assert len(admin.get(f"/v1/seats/chengguan@{stays}").json()["terms"]) == 1, "it was filled already"
    for post in ("chengguan", "shichang", "head"):
        assert admin.get(f"/v1/seats/{post}@{goes}").json()["holder"] is None
    assert admin.get(f"/v1/units/{stays}/history").json()["whole"]

    split = {"change": fresh(), "new": new, "name": "三塔东社区", "places": [along], "since": days(0)}
    refused(admin.post(f"/v1/units/{splits}/splits", split | {"places": [moved]}), 409)
    refused(admin.post(f"/v1/units/{splits}/splits", split | {"new": stays}), 409)
    assert admin.post(f"/v1/units/{splits}/splits", split).status_code == 201
    eventually(lambda: admin.get(f"/v1/seats/shichang@{new}").json().get("answers") == sc)
    assert admin.get(f"/v1/units/{new}").json()["split_from"] == splits
    assert len(communities(admin)) == count
    assert admin.get(f"/v1/units/{along}").json()["parent"] == new
    assert admin.get(f"/v1/units/{kept}").json()["parent"] == splits
    assert admin.get(f"/v1/seats/shichang@{splits}").json()["answers"] == sc
    values = {row["name"]: row["value"] for row in admin.get(f"/v1/units/{splits}/settings").json()["items"]}
    assert values["report_within"] == 150
    gaps = admin.get("/v1/gaps", params={"unit": new}).json()["items"]
    assert {"unit": new, "name": "三塔东社区", "post": "head", "why": "empty"} in gaps
    assert [gap["post"] for gap in gaps] == sorted(gap["post"] for gap in gaps) and "shichang" not in str(gaps)


def test_of_two_mergers_of_one_community_at_once_one_is_refused(admin, days):
    street = "110102011000"
    rows = admin.get("/v1/units", params={"under": street, "level": "community", "limit": 9}).json()["items"]
    one, other, goes = (row["code"] for row in rows[:3])
    order = {"communities": [goes], "since": days(0)}
    assert admin.post(f"/v1/units/{one}/mergers", order | {"change": fresh()}).status_code == 201
    # At once: the tree has perhaps not followed yet.
    refused(admin.post(f"/v1/units/{other}/mergers", order | {"change": fresh()}), 409)
    split = {"change": fresh(), "new": "110102011098", "name": "新社区", "places": [], "since": days(0)}
    refused(admin.post(f"/v1/units/{goes}/splits", split), 409)
    eventually(lambda: admin.get(f"/v1/units/{goes}").json()["into"] == one)


def test_what_follows_from_a_restructuring_follows_once_however_often_it_is_heard(platform, admin):
    def everything():
        units = [admin.get(f"/v1/units/{row['code']}").json() for row in below(admin, STREET)]
        return units, admin.get("/v1/seats", params={"unit": STREET, "limit": 1000}).json()["items"]

    told = []
    for code in ("110102009001", "110102009005", "110102009099", "110102009002"):
        for step in admin.get(f"/v1/units/{code}/history").json()["steps"]:
            # The very same facts: with another time or hash they would stand beside the true ones as witnesses.
            fact = a_fact("roster", step["fact"], step["data"], code, step["n"])
            told.append(fact | {"time": step["at"], "hash": step["hash"]})
    assert {"units_merged", "unit_split", "unit_founded", "unit_changed"} <= {fact["type"] for fact in told}
    before = everything()
    tell(platform.settings, "roster", [*reversed(told), *told])
    time.sleep(2)
    assert everything() == before


def below(admin: Client, unit: str) -> list[dict]:
    return admin.get("/v1/units", params={"under": unit, "limit": 1000}).json()["items"]


def test_pages_of_gaps_are_all_gaps_each_once(admin):
    whole = admin.get("/v1/gaps", params={"unit": STREET, "limit": 1000}).json()["items"]
    seen, after = [], None
    while True:
        asked = {"unit": STREET, "limit": 7} | ({"after": after} if after else {})
        page = admin.get("/v1/gaps", params=asked).json()
        seen += page["items"]
        after = page["next"]
        if not after:
            break
    assert seen == whole and len(whole) > 40


def test_the_histories_of_the_roster_prove_themselves(platform, capfd):
    platform.module("deploy.verify")
    said = capfd.readouterr().out
    for name in ("units", "seats", "holders", "cards", "departments", "teams"):
        assert f"roster.{name}" in said
