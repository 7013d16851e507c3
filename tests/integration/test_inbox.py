"""What is open, whose it is, how much of it there is, and what follows by itself: numbers, recurrences, handovers."""

from datetime import datetime, timedelta

import pytest

from deploy.seed import person_id
from shared.rules.days import day_of
from tests.integration.test_roster import a_person, appoint, refused
from tests.integration.test_whistle import at_once
from tests.make import SIJIYUAN, WANMINGYUAN, Client, a_blow, eventually, fresh, solved
from tests.make_people import admitted, signed_in

STREET = "110102009000"
# Communities in which no other test blows anything, so that what is counted there is this test's own.
QUIET, MERGING, LEAVING, SAME = "110102009020", "110102009023", "110102009026", "110102009028"


@pytest.fixture(scope="module")
def street(sign_in) -> Client:
    return sign_in("zll")


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    return sign_in("xc-admin")


@pytest.fixture(scope="module")
def days(admin):
    """Give a day by its distance from the platform's today, which other tests move."""
    now = datetime.fromisoformat(admin.get("/v1/clock").json()["now"])
    return lambda n: str(day_of(now) + timedelta(days=n))


def inbox(who: Client, **asked) -> list[dict]:
    """Give a whole inbox, page by page."""
    found, after = [], {}
    while True:
        page = who.get("/v1/inbox", params={"limit": 2} | asked | after)
        assert page.status_code == 200, page.text
        found += page.json()["items"]
        if page.json()["next"] is None:
            return found
        after = {"after": page.json()["next"]}


def ids(rows: list[dict]) -> list[str]:
    return [row["whistle"] for row in rows]


def counts(who: Client, **asked) -> dict:
    answer = who.get("/v1/inbox-counts", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["stages"]


def shown(who: Client, id: str, **asked):
    """Wait until a whistle is in an inbox, and give its row."""
    return eventually(lambda: next((row for row in inbox(who, limit=100, **asked) if row["whistle"] == id), None))


def gone(who: Client, id: str, **asked) -> bool:
    return eventually(lambda: id not in ids(inbox(who, limit=100, **asked)))


# -- inboxes ----------------------------------------------------------------------------------------------------------


def test_each_sees_what_is_open_for_them_by_what_is_due_first(sign_in, street):
    head, specialist, quiet = sign_in("zl020"), sign_in("xc-cg"), {"scope": "community", "unit": QUIET}
    before = counts(head, scope="community")
    made = [
        street.blow(community=QUIET, kind=kind, title=f"第{n}件")["id"]
        for n, kind in enumerate(("群众诉求", "综合执法", "应急处置"))
    ]
    eventually(lambda: set(made) <= set(ids(inbox(head, **quiet))))
    rows = [row for row in inbox(head, **quiet) if row["whistle"] in made]
    assert [row["kind"] for row in rows] == ["应急处置", "综合执法", "群众诉求"]
    assert [row["due"] for row in rows] == sorted(row["due"] for row in rows)
    assert [row["title"] for row in rows] == ["第2件", "第1件", "第0件"]
    assert eventually(lambda: counts(head, scope="community").get("dispatched", 0)) == before.get("dispatched", 0) + 3
    assert set(made) <= set(ids(inbox(street, scope="street", limit=100)))
    assert set(made) <= set(ids(inbox(sign_in("xc-look"), scope="district", limit=100)))
    assert set(made) <= set(ids(inbox(specialist, scope="department", limit=100)))
    mine = [row for row in inbox(specialist, scope="mine", limit=100) if row["whistle"] in made]
    persons = {row["person"] for row in inbox(specialist, scope="department", limit=100) if row["whistle"] in made}
    assert {row["whistle"] for row in mine} == (set(made) if persons == {person_id("xc-cg")} else set())

    assert specialist.act("signatures", made[2], {}).status_code == 201
    row = shown(specialist, made[2], scope="department", stage="signed")
    assert row["department"] == "chengguan" and row["person"] == person_id("xc-cg")
    assert made[2] in ids(inbox(specialist, scope="mine", limit=100))
    assert made[2] not in ids(inbox(specialist, scope="department", limit=100, stage="called"))


def test_what_is_closed_leaves_every_inbox_and_every_count(sign_in, street):
    head, specialist = sign_in("zl020"), sign_in("xc-cg")
    before = counts(head, scope="community"), counts(specialist, scope="department")
    id = street.blow(community=QUIET)["id"]
    shown(head, id, scope="community")
    assert counts(specialist, scope="department")["called"] == before[1].get("called", 0) + 1
    solved(id, head, specialist)
    eventually(lambda: shown(head, id, scope="community")["stage"] == "confirmed")
    assert head.settle(id).status_code == 201
    assert gone(head, id, scope="community") and gone(specialist, id, scope="department")
    assert (counts(head, scope="community"), counts(specialist, scope="department")) == before
    assert street.act("reopenings", id, {"note": "又来了。"}).status_code == 201
    assert shown(specialist, id, scope="department")["stage"] == "handling"
    assert street.act("mergers", id, {"into": street.blow(community=QUIET)["id"]}).status_code in (201, 409)


def test_an_inbox_is_searched_by_words_kind_category_and_due(sign_in, street):
    head, word = sign_in("zl020"), f"井盖{fresh()[:6]}"
    one = street.blow(community=QUIET, category="0102", title=f"缺了{word}", text="路口。")["id"]
    other = street.blow(community=QUIET, kind="应急处置", title="另一件", text=f"也是{word}。")["id"]
    shown(head, other, scope="community")
    shown(head, one, scope="community")
    asked = {"scope": "community", "text": word}
    assert set(ids(inbox(head, **asked))) == {one, other}
    assert ids(inbox(head, **asked, kind="应急处置")) == [other]
    assert ids(inbox(head, **asked, category="0102")) == [one]
    assert ids(inbox(head, **asked, due_before=shown(head, one, scope="community")["due"])) == [other]
    assert inbox(head, **asked, stage="answered") == []
    number = eventually(lambda: shown(head, one, scope="community")["number"])
    assert ids(inbox(head, scope="community", text=number)) == [one]


def test_nobody_looks_further_than_they_may(sign_in, street, admin):
    specialist, head, look = sign_in("xc-cg"), sign_in("wmy"), sign_in("xc-look")
    for who, asked in (
        (specialist, {"scope": "department", "department": "zhujian"}),
        (specialist, {"scope": "community", "unit": WANMINGYUAN}),
        (specialist, {"scope": "district"}),
        (head, {"scope": "community", "unit": QUIET}),
        (head, {"scope": "street", "unit": STREET}),
        (head, {"scope": "district"}),
        (head, {"scope": "department", "department": "chengguan"}),
        (street, {"scope": "street", "unit": "110102010000"}),
        (street, {"scope": "district"}),
        (look, {"scope": "community", "unit": SIJIYUAN}),
    ):
        for path in ("/v1/inbox", "/v1/inbox-counts"):
            refused(who.get(path, params=asked), 403)
    for who, asked in (
        (head, {"scope": "street"}),
        (head, {"scope": "mine", "unit": WANMINGYUAN}),
        (street, {"scope": "department"}),
        (admin, {"scope": "district", "unit": SIJIYUAN}),
    ):
        refused(who.get("/v1/inbox", params=asked), 422)
    for asked in ({"scope": "department", "department": "zhujian"}, {"scope": "community", "unit": QUIET}):
        assert look.get("/v1/inbox", params=asked).status_code == 200
    assert street.get("/v1/inbox", params={"scope": "community", "unit": QUIET}).status_code == 200
    assert sign_in("xc-res").get("/v1/inbox").status_code == 403


def test_a_confidential_title_is_shown_to_those_who_handle_it_only(sign_in, wmy, street):
    id = wmy.blow(confidential=True, title="不便公开的事", category="0116", departments=["shichang"])["id"]
    assert shown(wmy, id, scope="community")["title"] == "不便公开的事"
    assert shown(sign_in("xc-look"), id, scope="district")["title"] is None
    assert id not in ids(inbox(sign_in("xc-look"), scope="district", text="不便公开"))
    asked = {"category": "0116", "community": WANMINGYUAN, "lon": 116.3441, "lat": 39.9312}
    near = {row["whistle"]: row for row in wmy.get("/v1/near-whistles", params=asked).json()["items"]}
    assert near[id]["title"] == "不便公开的事" and near[id]["distance"] == 0
    assert id not in sign_in("xc-res").get("/v1/near-whistles", params=asked).text, (
        "what is confidential is not offered"
    )
    read = sign_in("xc-look").get(f"/v1/whistles/{id}").json()
    assert (read["place"], read["blown_by"], read["words"]) == (None, "", {"withheld": True})


def test_what_a_department_has_open_in_a_community_is_listed(sign_in, street):
    made = [street.blow(community=LEAVING, departments=["gongan", "zhujian"])["id"] for _ in range(2)]
    police = sign_in("xc-ga")
    asked = {"department": "gongan", "community": LEAVING}
    eventually(
        lambda: set(made) <= {row["id"] for row in street.get("/v1/open-whistles", params=asked).json()["items"]}
    )
    police.report(made[0])
    assert police.feed_back(made[0]).status_code == 201
    eventually(lambda: [row["id"] for row in street.get("/v1/open-whistles", params=asked).json()["items"]] == made[1:])


# -- near, again, one's own -------------------------------------------------------------------------------------------


def test_what_is_open_near_by_is_offered_before_one_blows_again(street):
    place = {"lon": 116.3550, "lat": 39.9450}
    here = street.blow(community=SAME, category="0102", place=place, departments=["chengguan"])["id"]
    further = street.blow(community=SAME, category="0102", place={"lon": 116.3565, "lat": 39.9450})["id"]
    far = street.blow(community=SAME, category="0102", place={"lon": 116.3650, "lat": 39.9450})["id"]
    other = street.blow(community=SAME, category="0103", place=place)["id"]
    asked = {"category": "0102", "community": SAME}

    def near(**more) -> list[dict]:
        answer = street.get("/v1/near-whistles", params=asked | more)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    eventually(lambda: {here, further, far} <= {row["whistle"] for row in near()})
    found = near(**place)
    assert [row["whistle"] for row in found] == [here, further]
    assert found[0]["distance"] == 0 and 120 < found[1]["distance"] < 135
    assert other not in {row["whistle"] for row in near()}
    refused(street.get("/v1/near-whistles", params=asked | {"lon": 116.3}), 422)


def test_the_same_at_the_same_place_is_named_as_coming_again(sign_in, street):
    place, head, specialist = {"lon": 116.3710, "lat": 39.9410}, sign_in("zl028"), sign_in("xc-cg")
    order = {"community": SAME, "category": "0104", "departments": ["chengguan"]}
    first = street.blow(**order, place=place)["id"]
    withdrawn = street.blow(**order, place=place)["id"]
    assert street.act("withdrawals", withdrawn, {"note": "重复。"}).status_code == 201
    solved(first, head, specialist)
    assert head.settle(first).status_code == 201
    eventually(lambda: head.get(f"/v1/whistles/{first}").json()["number"])
    gone(head, first, scope="community")
    again = street.blow(**order, place={"lon": 116.3713, "lat": 39.9410})["id"]
    assert street.at_rest(again).json()["recurrence_of"] == first
    for changes in ({"place": {"lon": 116.3730, "lat": 39.9410}}, {"place": place, "category": "0105"}):
        assert street.at_rest(street.blow(**(order | changes))["id"]).json()["recurrence_of"] is None
    assert [step["fact"] for step in street.get(f"/v1/whistles/{again}/history").json()["steps"]][2:] == [
        "numbered", "recurred",
    ]  # fmt: skip


def test_ones_own_whistles_are_listed_and_those_that_one_joined(sign_in, street):
    head, joiner = sign_in("zl023"), sign_in("wmy")
    one, other = (head.blow(community=MERGING, title=title)["id"] for title in ("甲", "乙"))
    assert joiner.act("joinings", one, {"note": "我也看到了。"}).status_code == 201

    def own(who: Client) -> list[str]:
        return [row["id"] for row in who.get("/v1/my-whistles", params={"limit": 3}).json()["items"]]

    eventually(lambda: own(head)[:2] == [other, one])
    eventually(lambda: own(joiner)[:1] == [one])
    assert head.act("mergers", one, {"into": other, "note": "一件事。"}).status_code == 201
    merged = eventually(lambda: (row := head.get(f"/v1/whistles/{other}").json())["reporters"] and row)
    assert [(each["person"], each["from_whistle"]) for each in merged["reporters"]] == [(person_id("wmy"), one)]
    eventually(lambda: own(joiner)[:2] == [other, one])
    assert joiner.get(f"/v1/my-whistles/{other}").status_code == 200
    # What is merged on takes everybody along.
    third = head.blow(community=MERGING, title="丙")["id"]
    assert head.act("mergers", other, {"into": third, "note": "还是一件事。"}).status_code == 201
    eventually(
        lambda: person_id("wmy") in [each["person"] for each in head.get(f"/v1/whistles/{third}").json()["reporters"]]
    )


# -- by itself --------------------------------------------------------------------------------------------------------


def test_each_whistle_has_its_number_in_the_streets_register_of_the_year(street, sign_in):
    made = [street.blow(community=QUIET)["id"] for _ in range(5)]
    numbers = [street.at_rest(id).json()["number"] for id in made]
    year = street.get(f"/v1/whistles/{made[0]}").json()["blown_at"][:4]
    assert all(number.startswith(f"展览路街道〔{year}〕") and number.endswith("号") for number in numbers), numbers
    assert len(set(numbers)) == 5
    figures = sorted(int(number[-5:-1]) for number in numbers)
    assert figures[-1] - figures[0] == 4
    other = sign_in("bbs")
    number = other.at_rest(other.blow(community=SIJIYUAN, departments=["xiaofang"])["id"]).json()["number"]
    assert number.startswith("八宝山街道〔")


def test_open_work_goes_to_whoever_answers_when_a_term_ends(admin, street, days):
    one, other = (a_person(admin, "specialist", "110102", "shuiwu") for _ in range(2))
    seat = f"shuiwu@{LEAVING}"
    term = appoint(admin, seat, one)["terms"][-1]["term"]
    order = {"community": LEAVING, "departments": ["shuiwu"]}

    def person(id: str) -> str:
        return street.get(f"/v1/whistles/{id}").json()["summonses"][0]["person"]

    left = eventually(lambda: (id := street.blow(**order)["id"]) and person(id) == one and id, every=1)
    ended = {"term": term, "change": fresh(), "until": days(-1)}
    assert admin.post(f"/v1/seats/{seat}/departures", ended).status_code == 201
    appoint(admin, seat, other, since=days(0))
    whom = eventually(lambda: (now := person(left)) != one and [now], 15)[0]
    steps = street.get(f"/v1/whistles/{left}/history").json()["steps"]
    assert [step["data"]["person"] for step in steps if step["fact"] == "handed_over"][-1] == whom
    assert whom != one


def test_open_work_goes_to_who_stands_in_when_a_leave_begins_and_back_when_it_ends(admin, street, days):
    community = "110102009032"
    one, other = (a_person(admin, "specialist", "110102", "gongan") for _ in range(2))
    appoint(admin, f"gongan@{community}", one)
    order = {"community": community, "departments": ["gongan"]}

    def person(id: str) -> str:
        return street.get(f"/v1/whistles/{id}").json()["summonses"][0]["person"]

    id = eventually(lambda: (id := street.blow(**order)["id"]) and person(id) == one and id, every=1)
    away = {"absence": fresh(), "since": days(0), "until": days(9), "substitute": other}
    answer = eventually(lambda: (said := admin.post(f"/v1/holders/{one}/leaves", away)).status_code == 201 and said)
    assert answer.json()["leaves"]
    eventually(lambda: person(id) == other, 15)
    back = {"absence": away["absence"], "change": fresh(), "back": days(0)}
    assert admin.post(f"/v1/holders/{one}/returns", back).status_code == 201
    eventually(lambda: person(id) == one, 15)


def test_what_found_nobody_goes_to_whoever_is_appointed(admin, street, days):
    community = "110102009035"
    id = street.blow(community=community, departments=["zongzhi"])["id"]
    assert street.get(f"/v1/whistles/{id}").json()["summonses"][0]["person"] is None
    one = a_person(admin, "specialist", "110102", "zongzhi")
    appoint(admin, f"zongzhi@{community}", one, since=days(0))
    eventually(lambda: street.get(f"/v1/whistles/{id}").json()["summonses"][0]["person"] == one, 15)


def test_whistles_that_are_merged_into_each_other_at_once_are_not_lost(street):
    for _ in range(4):
        a, b = (street.blow(community=MERGING)["id"] for _ in range(2))
        merges = [
            lambda a=a, b=b: street.act("mergers", a, {"into": b}),
            lambda a=a, b=b: street.act("mergers", b, {"into": a}),
        ]
        assert 201 in [answer.status_code for answer in at_once(*merges)]

        def is_alive(*ids: str) -> bool:
            return any(street.get(f"/v1/whistles/{id}").json()["stage"] == "dispatched" for id in ids)

        eventually(lambda a=a, b=b: is_alive(a, b))
    refused(street.act("mergers", a, {"into": a}), 422, "自己")


def test_a_place_is_where_the_tree_has_it_today_and_nowhere_else(admin, url, days):
    street = signed_in(url, admitted(admin, roles=["street"], unit="110102014000"))
    rows = admin.get("/v1/units", params={"under": "110102014000", "level": "community"}).json()["items"]
    stays, goes = rows[0]["code"], rows[1]["code"]
    place = {"code": f"{goes}.77", "parent": goes, "level": "compound", "type": "小区", "name": "七七小区"}
    assert admin.post("/v1/units", place | {"since": "2018-01-01"}).status_code == 201
    order = {"departments": ["chengguan"], "unit": place["code"]}
    eventually(lambda: street.post("/v1/whistles", a_blow(community=goes, **order)).status_code == 201)
    for unit in (f"{goes}.78", f"{stays}.77"):
        refused(street.post("/v1/whistles", a_blow(community=goes, departments=["chengguan"], unit=unit)), 422, unit)
    merger = {"change": fresh(), "communities": [goes], "since": days(0)}
    assert admin.post(f"/v1/units/{stays}/mergers", merger).status_code == 201
    eventually(lambda: street.post("/v1/whistles", a_blow(community=stays, **order)).status_code == 201, 20)


def test_a_summons_is_handed_to_a_specialist_of_that_department_only(admin, street, days):
    community = "110102009031"
    one, other, stranger = (
        a_person(admin, "specialist", "110102", department) for department in ("weijian", "weijian", "zhujian")
    )
    appoint(admin, f"weijian@{community}", one, substitute=other)
    id = street.blow(community=community, departments=["weijian"])["id"]
    for person in (stranger, fresh()):
        refused(street.act("handovers", id, {"department": "weijian", "person": person}), 422, person)
    order = {"department": "weijian", "person": other, "act": fresh()}
    answer = eventually(lambda: (said := street.act("handovers", id, order)).status_code != 422 and said)
    assert answer.status_code == 201, answer.text
    assert answer.json()["summonses"][0]["person"] == other
    assert street.act("handovers", id, order).json()["version"] >= answer.json()["version"]


def test_what_is_open_agrees_with_every_record(platform):
    """``make verify`` compares all rows and tallies with the records, whatever the tests did to them."""
    platform.module("deploy.verify")
