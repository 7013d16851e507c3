"""The main job over HTTP: a community blows, departments come and answer, it looks and settles; for both districts."""

import json
import threading
import uuid
from datetime import datetime, timedelta

import pytest

from tests.make import SIJIYUAN, WANMINGYUAN, Client, a_blow, eventually, fresh, solved
from tests.make_people import XICHENG, admitted, is_out, signed_in

CHAOYANG_COMMUNITY = "110105001001"


@pytest.fixture(scope="module")
def shichang(sign_in) -> Client:
    """西城区's specialist for market supervision."""
    return sign_in("xc-sc")


@pytest.fixture(scope="module")
def street(sign_in) -> Client:
    """展览路街道, which 万明园 belongs to."""
    return sign_in("zll")


def at_once(*acts):
    """Do several things at the same instant, each in a thread of its own; gives what each answered."""
    gate, answers = threading.Barrier(len(acts)), [None] * len(acts)

    def go(n, act):
        gate.wait()
        answers[n] = act()

    threads = [threading.Thread(target=go, args=(n, act)) for n, act in enumerate(acts)]
    [each.start() for each in threads]
    [each.join(30) for each in threads]
    return answers


def counted(client: Client, id: str) -> list[str]:
    """Give the ids of the facts about one whistle that the figures have heard, of every kind."""
    found: list[str] = []
    day = client.get("/v1/clock").json()["now"][:10]
    for fact in ("blown", "reported", "settled"):
        for each_day in {day, *(row["day"] for row in client.get("/v1/figures").json()["items"])}:
            after = ""
            while after is not None:
                answer = client.get(
                    "/v1/figures/heard",
                    params={"day": each_day, "fact": fact, "limit": 1000} | ({"after": after} if after else {}),
                ).json()
                found += [row["id"] for row in answer["items"] if row["subject"] == id]
                after = answer["next"]
    return sorted(found)


# -- the main job -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secretary", "specialists", "order"),
    [
        ("wmy", ["xc-cg", "xc-zj"], {"community": WANMINGYUAN, "departments": ["chengguan", "zhujian"]}),
        (
            "sjy", ["sjs-xf"],
            {"community": SIJIYUAN, "departments": ["xiaofang"], "kind": "应急处置"},
        ),
    ],
)  # fmt: skip
def test_a_community_blows_all_departments_come_and_it_settles(sign_in, secretary, specialists, order):
    head, people = sign_in(secretary), [sign_in(login) for login in specialists]
    whistle = head.blow(**order)
    id, called = whistle["id"], order["departments"]
    assert (whistle["stage"], whistle["version"], whistle["called"]) == ("dispatched", 1 + len(called), called)
    assert [each["role"] for each in whistle["summonses"]] == ["lead", *["assist"] * (len(called) - 1)]
    assert whistle["words"] == {"title": "六层阳台私搭乱建", "text": "阳台向外扩出一米多。"}
    for person in people:
        assert head.settle(id).status_code == 409, "nobody settles before all have come"
        assert person.report(id).status_code == 201
    assert head.settle(id).status_code == 409, "nobody settles before all have given their result"
    for person in people:
        assert person.feed_back(id).status_code == 201
    seen = head.get(f"/v1/whistles/{id}").json()
    assert (seen["stage"], len(seen["reports"])) == ("answered", len(specialists))
    assert head.settle(id).status_code == 409, "nobody settles as solved what they have not seen"
    assert head.confirm(id).status_code == 201
    done = head.settle(id, note="已清空。")
    assert done.status_code == 201 and done.json()["stage"] == "settled"
    seen = head.get(f"/v1/whistles/{id}").json()
    assert seen == done.json()
    assert seen["settlement"]["note"] == "已清空。" and seen["blown_at"] <= seen["answered_at"] <= seen["settled_at"]
    history = head.get(f"/v1/whistles/{id}/history").json()
    assert history["whole"] and history["broken"] is None
    came = [fact for fact in ("called", "reported", "fed_back") for _ in specialists]
    assert head.steps(id) == ["blown", *came, "confirmed", "settled"]
    eventually(lambda: len(counted(head, id)) == 2 + len(specialists))


def test_a_called_department_sees_the_whistle_of_its_district(wmy, chengguan):
    id = wmy.blow()["id"]
    seen = wmy.at_rest(id).json()
    assert chengguan.get(f"/v1/whistles/{id}").json() == seen and seen["called"] == ["chengguan"]


# -- the same order twice ---------------------------------------------------------------------------------------------


def test_the_same_orders_twice_are_one_whistle_and_count_once(wmy, chengguan):
    order = a_blow()
    first, again = (wmy.post("/v1/whistles", order) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["blown_at"] == again.json()["blown_at"]
    id = order["id"]
    for who, noun, act in (
        (chengguan, "reports", {}),
        (chengguan, "answers", {"result": "solved", "text": "已拆除。"}),
        (wmy, "confirmations", {"solved": True}),
        (wmy, "settlements", {"note": "好"}),
    ):
        act |= {"act": fresh()}
        once, twice = who.act(noun, id, act), who.act(noun, id, act)
        assert (once.status_code, twice.status_code) == (201, 201), once.text
        assert once.json()["stage"] == twice.json()["stage"]
    # Also an order that comes back late, when much else has happened.
    late = wmy.post("/v1/whistles", order)
    assert late.status_code == 201 and late.json()["stage"] == "settled"
    assert wmy.steps(id) == ["blown", "called", "reported", "fed_back", "confirmed", "settled"]
    assert eventually(lambda: len(counted(wmy, id)) >= 3) and len(counted(wmy, id)) == 3


def test_the_same_order_eight_times_at_once_is_one_whistle(url):
    clients, order = [Client(url, "wmy") for _ in range(8)], a_blow()
    answers = at_once(*(lambda who=who: who.post("/v1/whistles", order) for who in clients))
    assert [each.status_code for each in answers] == [201] * 8
    assert len({each.json()["blown_at"] for each in answers}) == 1
    assert clients[0].steps(order["id"]) == ["blown", "called"]


@pytest.mark.parametrize(
    "change",
    [{"title": "另一件事"}, {"text": "另一段话"}, {"category": "0102"}, {"departments": ["shichang"]}, {"place": None}],
    ids=lambda change: next(iter(change)),
)
def test_another_order_under_the_same_id_is_refused(wmy, change):
    order = a_blow()
    assert wmy.post("/v1/whistles", order).status_code == 201
    answer = wmy.post("/v1/whistles", order | change)
    assert answer.status_code == 409 and "编号已被使用" in answer.json()["detail"]
    assert wmy.steps(order["id"]) == ["blown", "called"]


def test_another_person_under_the_same_id_is_refused(wmy, street):
    order = a_blow()
    assert wmy.post("/v1/whistles", order).status_code == 201
    assert street.post("/v1/whistles", order).status_code == 409


def test_another_settlement_under_the_same_id_is_refused(wmy, chengguan):
    id, order = wmy.blow()["id"], {"act": fresh(), "note": "已拆除。"}
    solved(id, wmy, chengguan)
    assert wmy.settle(id, **order).status_code == 201
    answer = wmy.settle(id, **order | {"note": "没有拆除。"})
    assert answer.status_code == 409, "a note that was not kept was answered with 201"
    answer = wmy.settle(id, **order | {"result": "unsolved", "reason": "objective_obstacle"})
    assert answer.status_code == 409, "a result that was not kept was answered with 201"


def test_another_persons_report_under_the_same_id_is_refused(wmy, chengguan, shichang):
    id, act = wmy.blow(departments=["chengguan", "shichang"])["id"], fresh()
    assert chengguan.report(id, act=act).status_code == 201
    answer = shichang.report(id, act=act)
    assert answer.status_code == 409, "somebody who was not written down was told that they had reported in"


# -- several at once --------------------------------------------------------------------------------------------------


def test_two_specialists_who_report_at_the_same_instant_are_both_in(wmy, chengguan, shichang):
    for _ in range(8):
        id = wmy.blow(departments=["chengguan", "shichang"])["id"]
        answers = at_once(lambda id=id: chengguan.report(id), lambda id=id: shichang.report(id))
        assert [each.status_code for each in answers] == [201, 201]
        seen = wmy.get(f"/v1/whistles/{id}").json()
        assert {each["department"] for each in seen["reports"]} == {"chengguan", "shichang"}
        assert [each["stage"] for each in seen["summonses"]] == ["reported", "reported"]
        answers = at_once(lambda id=id: chengguan.feed_back(id), lambda id=id: shichang.feed_back(id))
        assert [each.status_code for each in answers] == [201, 201]
        assert wmy.get(f"/v1/whistles/{id}").json()["stage"] == "answered", "the last of the two makes it so"
        assert wmy.steps(id) == ["blown", *["called"] * 2, *["reported"] * 2, *["fed_back"] * 2]
        assert wmy.get(f"/v1/whistles/{id}/history").json()["whole"]


def test_of_two_settlements_at_once_one_holds_and_one_yields(wmy, street, chengguan):
    for _ in range(8):
        id = wmy.blow()["id"]
        wmy.at_rest(id)
        solved(id, wmy, chengguan)
        answers = at_once(lambda id=id: wmy.settle(id, note="一"), lambda id=id: street.settle(id, note="二"))
        assert sorted(each.status_code for each in answers) == [201, 409]
        won = next(each.json() for each in answers if each.status_code == 201)
        assert wmy.get(f"/v1/whistles/{id}").json() == won
        assert wmy.steps(id).count("settled") == 1


@pytest.mark.parametrize(
    ("noun", "order", "status", "said"),
    [
        ("reports", {"place": {"lon": 121.5, "lat": 38.9}}, 422, "不在北京"),
        ("reports", {"place": {"lon": 116.34, "lat": 39.93}, "note": "长" * 100_000}, 413, "64 KB"),
        ("answers", {"result": "solved", "text": "长" * 2_001}, 422, "2000"),
        ("contacts", {"way": "pigeon", "note": ""}, 422, "phone"),
    ],
)
def test_what_cannot_be_is_refused_in_plain_words_and_changes_nothing(wmy, chengguan, noun, order, status, said):
    id = wmy.blow()["id"]
    before = wmy.at_rest(id).json()
    answer = chengguan.act(noun, id, order)
    assert answer.status_code == status and said in answer.text, answer.text[:500]
    assert wmy.get(f"/v1/whistles/{id}").json() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"place": {"lon": 121.5, "lat": 38.9}}, "不在北京"), ({"text": "长" * 100_000}, "64 KB")],
)
def test_what_cannot_be_blown_is_refused_and_is_not_there(wmy, changes, said):
    order = a_blow(**changes)
    answer = wmy.post("/v1/whistles", order)
    assert answer.status_code in (413, 422) and said in answer.text, answer.text[:500]
    assert wmy.get(f"/v1/whistles/{order['id']}").status_code == 404


def test_a_photo_of_fifty_megabytes_is_refused_in_plain_words(wmy):
    answer = wmy.session.post(f"{wmy.url}/v1/photos", data=bytes(50_000_000), headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == 413 and "12 MB" in answer.json()["detail"], answer.text


def test_a_specialist_who_left_yesterday_does_not_report_in(url, sign_in, wmy):
    admin = sign_in("xc-admin")
    left = admitted(admin, roles=["specialist"], unit=XICHENG, department="chengguan")
    specialist, id = signed_in(url, left), wmy.blow()["id"]
    order = {"revocation": fresh(), "reason": "dismissed"}
    assert admin.post(f"/v1/people/{left['id']}/revocations", order).status_code == 201
    eventually(lambda: is_out(specialist), 2)
    before = wmy.at_rest(id).json()
    assert specialist.report(id).status_code == 401
    assert wmy.get(f"/v1/whistles/{id}").json() == before


def test_who_acts_on_what_has_moved_on_is_told_so(wmy, chengguan):
    id = wmy.blow()["id"]
    seen = wmy.at_rest(id)
    assert seen.headers["ETag"] == f'"{seen.json()["version"]}"'
    assert chengguan.report(id).status_code == 201
    was, steps, order = seen.json()["version"], wmy.steps(id), {"act": fresh(), "note": "好"}
    answer = wmy.act("escalations", id, order, headers={"If-Match": seen.headers["ETag"]})
    assert answer.status_code == 409 and f"{was + 1}" in answer.json()["detail"]
    assert wmy.act("escalations", id, order | {"version": was}).status_code == 409
    assert wmy.act("escalations", id, order, headers={"If-Match": "nonsense"}).status_code == 412
    answer = wmy.act("escalations", id, order | {"version": was}, headers={"If-Match": f'"{was + 1}"'})
    assert answer.status_code == 422
    assert wmy.steps(id) == steps
    now = wmy.get(f"/v1/whistles/{id}").headers["ETag"]
    done = wmy.act("escalations", id, order, headers={"If-Match": now})
    assert done.status_code == 201 and done.headers["ETag"] == f'"{was + 2}"'
    # The same order again is not a new one: it finds what it did, though the version has moved on through it.
    assert wmy.act("escalations", id, order, headers={"If-Match": now}).status_code == 201


# -- another district -------------------------------------------------------------------------------------------------


def test_another_districts_whistle_is_not_found(wmy, sign_in):
    sjy, their_chengguan, their_admin = (sign_in(login) for login in ("sjy", "sjs-cg", "sjs-admin"))
    id = wmy.blow()["id"]
    answers = {
        "get": sjy.get(f"/v1/whistles/{id}"),
        "history": sjy.get(f"/v1/whistles/{id}/history"),
        "reports": their_chengguan.report(id),
        "answers": their_chengguan.feed_back(id),
        "confirmations": sjy.confirm(id),
        "settlements": sjy.settle(id),
        "erasures": their_admin.erase(id),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 404)
    # Word for word as for what has never been.
    never = sjy.get(f"/v1/whistles/{fresh()}").json()["detail"]
    assert {answer.json()["detail"][:6] for answer in answers.values()} == {never[:6]}
    assert wmy.steps(id) == ["blown", "called"]


def test_another_districts_whistle_is_in_no_list_and_no_figure(wmy, sjy):
    id = wmy.blow()["id"]
    eventually(lambda: counted(wmy, id))
    assert counted(sjy, id) == []
    for row in sjy.get("/v1/whistles", params={"limit": 200}).json()["items"]:
        assert row["community"].startswith("110107")
    assert sjy.get("/v1/whistles", params={"community": WANMINGYUAN}).json()["items"] == []


def test_the_same_id_in_two_districts_is_two_whistles(wmy, sjy):
    id = fresh()
    wmy.blow(id=id)
    sjy.blow(id=id, community=SIJIYUAN, title="四季园的事")
    assert wmy.get(f"/v1/whistles/{id}").json()["words"]["title"] == "六层阳台私搭乱建"
    assert sjy.get(f"/v1/whistles/{id}").json()["words"]["title"] == "四季园的事"


def test_another_districts_photo_is_not_found(wmy, sjy):
    digest = wmy.session.post(wmy.url + "/v1/photos", data=a_photo(), headers={"Content-Type": "image/png"}).json()
    assert wmy.get(f"/v1/photos/{digest['digest']}").status_code == 200
    assert sjy.get(f"/v1/photos/{digest['digest']}").status_code == 404
    answer = sjy.post("/v1/whistles", a_blow(community=SIJIYUAN, photos=[digest["digest"]]))
    assert answer.status_code == 422 and "photos" in answer.json()["fields"]


def a_photo() -> bytes:
    """Give the bytes of a small picture that nobody else has."""
    import io

    from PIL import Image

    out, colour = io.BytesIO(), uuid.uuid4().bytes
    picture = Image.new("RGB", (16, 16))
    picture.putdata([tuple(colour[(n + k) % 16] for k in range(3)) for n in range(256)])
    picture.save(out, "PNG")
    return out.getvalue()


# -- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["xc-look", "xc-admin", "operator", "city"])
def test_who_only_looks_on_or_administers_does_not_blow(sign_in, login):
    answer = sign_in(login).post("/v1/whistles", a_blow())
    assert answer.status_code == 403 and "whistle.blow" in answer.text


@pytest.mark.parametrize(
    ("login", "kind"),
    [
        ("xc-cg", "群众诉求"),
        ("xc-cgl", "应急处置"),
        ("wmy-w", "重点工作"),
        ("wmy-l", "综合执法"),
        ("xc-res", "应急处置"),
    ],
)  # fmt: skip
def test_nobody_blows_a_kind_that_is_not_theirs(sign_in, login, kind):
    answer = sign_in(login).post("/v1/whistles", a_blow(kind=kind))
    assert answer.status_code == 403 and kind in answer.json()["detail"]


def test_a_resident_does_not_blow_where_the_district_has_not_opened_it_to_them(sign_in):
    answer = sign_in("xc-res").post("/v1/whistles", a_blow(kind="群众诉求", departments=[]))
    assert answer.status_code == 403 and "尚未开通" in answer.json()["detail"]


@pytest.mark.parametrize("login", ["wmy", "zll", "wmy-w", "wmy-l", "xc-res", "xc-look", "xc-admin"])
def test_who_is_no_specialist_does_not_report_in_for_a_department(wmy, sign_in, login):
    assert sign_in(login).report(wmy.blow()["id"]).status_code == 403


@pytest.mark.parametrize("login", ["xc-cg", "wmy-w", "wmy-l", "xc-res", "xc-look", "xc-admin"])
def test_who_does_not_head_the_community_does_not_settle(wmy, chengguan, sign_in, login):
    id = wmy.blow()["id"]
    solved(id, wmy, chengguan)
    assert sign_in(login).settle(id).status_code == 403


@pytest.mark.parametrize("login", ["xc-cg", "xc-res", "xc-look", "xc-admin"])
def test_a_department_does_not_confirm_its_own_work(wmy, chengguan, sign_in, login):
    id = wmy.blow()["id"]
    assert (chengguan.report(id).status_code, chengguan.feed_back(id).status_code) == (201, 201)
    assert sign_in(login).confirm(id).status_code == 403


@pytest.mark.parametrize("login", ["wmy", "zll", "xc-cg", "xc-look", "xc-res"])
def test_only_the_districts_administrator_erases(wmy, sign_in, login):
    assert sign_in(login).erase(wmy.blow()["id"]).status_code == 403


def test_a_department_that_was_not_called_does_not_report_in(wmy, shichang):
    assert shichang.report(wmy.blow()["id"]).status_code == 403


def test_a_secretary_does_not_blow_for_another_community(wmy):
    assert wmy.post("/v1/whistles", a_blow(community="110102009038")).status_code == 403


def test_a_resident_reads_no_whistle_but_their_own(wmy, sign_in):
    resident, id = sign_in("xc-res"), wmy.blow()["id"]
    for path in ("/v1/whistles", f"/v1/whistles/{id}", f"/v1/whistles/{id}/history", "/v1/figures", "/v1/inbox"):
        assert resident.get(path).status_code == 403
    assert resident.get(f"/v1/my-whistles/{id}").status_code == 404


def test_who_reported_the_same_reads_how_it_goes_and_nothing_of_the_first_reporter_or_between_offices(
    wmy, sign_in, chengguan, street
):
    now = datetime.fromisoformat(street.get("/v1/clock").json()["now"])
    month, spring = (now + timedelta(days=30)).isoformat(), str((now + timedelta(days=90)).date())
    resident, words = sign_in("xc-res"), {"title": "阳台违建", "text": "我家楼上", "address": "三单元 401"}
    id = wmy.blow(departments=["chengguan"], **words)["id"]
    assert chengguan.act("contacts", id, {"way": "phone", "note": "电话已约。"}).status_code == 201
    joined = resident.act("joinings", id, {"note": "我也看见了。"})
    assert joined.status_code == 201, joined.text
    assert chengguan.act("extension-requests", id, {"until": month, "note": "等产权单位。"}).status_code == 201
    assert street.act("accounts", id, {"obstacle": "season", "review": spring, "note": "冬季。"}).ok
    read = resident.get(f"/v1/my-whistles/{id}").json()
    assert read["words"] == {"title": words["title"]} and read["blown_by"] == ""
    assert [each["words"]["note"] for each in read["reporters"]] == ["我也看见了。"]
    assert read["account"] is None
    assert not any(word in json.dumps(read, ensure_ascii=False) for word in ("楼上", "401", "冬季"))
    [summons] = read["summonses"]
    assert summons["extension"]["words"]["note"] == "等产权单位。", "why more time is asked for, a reporter is told"
    assert street.act("account-ends", id, {}).status_code == 201
    order = {"department": "chengguan", "granted": True, "note": "同意。"}
    assert street.act("extension-decisions", id, order).status_code == 201
    [summons] = resident.get(f"/v1/my-whistles/{id}").json()["summonses"]
    assert summons["extension"] is None
    assert (summons["extended"]["granted"], summons["extended"]["reason"]["note"]) == (True, "等产权单位。")
    assert joined.json()["words"] == {"title": words["title"]}
    assert wmy.get(f"/v1/my-whistles/{id}").json()["words"]["address"] == words["address"]


def test_nobody_who_is_not_signed_in_learns_anything(url, wmy):
    nobody, id = Client(url), wmy.blow()["id"]
    for path in ("/v1/whistles", f"/v1/whistles/{id}", f"/v1/whistles/{id}/history", "/v1/figures", "/v1/districts"):
        answer = nobody.get(path)
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["Content-Type"] == "application/problem+json"
    acts = [f"/v1/whistles/{id}/{noun}" for noun in ("reports", "answers", "confirmations", "settlements", "erasures")]
    for path in ("/v1/whistles", *acts, "/v1/photos"):
        assert nobody.post(path, {}).status_code == 401


# -- what does not fit ------------------------------------------------------------------------------------------------

BAD = {
    "an id that is no UUID": ({"id": "1"}, "id"),
    "an id in capitals": ({"id": str(uuid.uuid4()).upper()}, "id"),
    "a fifth kind": ({"kind": "投诉"}, "kind"),
    "a category of letters": ({"category": "abcd"}, "category"),
    "a category in other digits": ({"category": "٠١٠١"}, "category"),
    "a category and a line's end": ({"category": "0101\n"}, "category"),
    "an id and a line's end": ({"id": fresh() + "\n"}, "id"),
    "a community and a line's end": ({"community": WANMINGYUAN + "\n"}, "community"),
    "a department and a line's end": ({"departments": ["chengguan\n"]}, "departments"),
    "no title": ({"title": "  "}, "title"),
    "a title of 61": ({"title": "长" * 61}, "title"),
    "a text of 2,001": ({"text": "长" * 2_001}, "text"),
    "half a character": ({"title": "a\ud800"}, None),
    "a character that ends texts": ({"text": "a\x00b"}, "text"),
    "a place in the sea": ({"place": {"lon": 123.5, "lat": 39.0}}, "place"),
    "a place at nought": ({"place": {"lon": 0, "lat": 0}}, "place"),
    "a place without a latitude": ({"place": {"lon": 116.3}}, "place"),
    "a place as text": ({"place": "here"}, "place"),
    "seventeen called": ({"departments": [f"dep{n}" for n in range(17)]}, "departments"),
    "somebody called twice": ({"departments": ["chengguan", "chengguan"]}, "departments"),
    "a department of the moon": ({"departments": ["moon"]}, "departments"),
    "a department in capitals": ({"departments": ["ChengGuan"]}, "departments"),
    "a photo that nobody uploaded": ({"photos": ["0" * 64]}, "photos"),
    "ten photos": ({"photos": ["0" * 64] * 10}, "photos"),
    "a community that is none": ({"community": "110102009999"}, "community"),
    "a community of another district": ({"community": SIJIYUAN}, "community"),
    "a community as a number": ({"community": 110102009041}, "community"),
    "a word that nobody knows": ({"colour": "red"}, "colour"),
    "something missing": ({"kind": None}, "kind"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused_with_its_field(wmy, what):
    change, field = BAD[what]
    order = a_blow(**change)
    answer = wmy.post("/v1/whistles", order)
    assert answer.status_code in ((422,) if field else (400, 422)), answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code and problem["title"]
    if field:
        assert list(problem["fields"]) == [field], problem
    if isinstance(order["id"], str) and len(order["id"]) == 36 and order["id"] == order["id"].lower():
        assert wmy.get(f"/v1/whistles/{order['id']}").status_code == 404


def test_a_hundred_thousand_characters_are_refused_before_they_are_read(wmy):
    answer = wmy.post("/v1/whistles", a_blow(text="长" * 100_000))
    assert answer.status_code == 413 and answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 422), (b'{"id": NaN}', 400), (b'{"id": 1, "id": 2}', 400), (b"\xff\xfe", 400), (b"", 415)],
)
def test_what_is_not_json_is_refused_in_plain_words(wmy, body, status):
    kind = "text/plain" if status == 415 else "application/json"
    answer = wmy.session.post(wmy.url + "/v1/whistles", data=body, headers={"Content-Type": kind})
    assert answer.status_code == status and answer.json()["detail"]


@pytest.mark.parametrize(
    ("asked", "tongue"), [("zh-CN", "zh-CN"), ("en", "en"), ("en;q=0.3, zh;q=0.9", "zh-CN"), ("fr", "zh-CN")]
)
def test_a_refusal_is_said_in_the_readers_language(wmy, asked, tongue):
    order = a_blow(title="", departments=["moon"], kind=None)
    answer = wmy.post("/v1/whistles", order, headers={"Accept-Language": asked})
    assert (answer.status_code, answer.headers["Content-Language"]) == (422, tongue)
    said = answer.json()["detail"] + str(answer.json()["fields"])
    chinese = any("\u4e00" <= letter <= "\u9fff" for letter in said)
    assert chinese == (tongue == "zh-CN"), said
    assert "null" not in said.lower().replace("may not be null", "") and "None" not in said


def test_a_refusal_of_a_rule_names_what_would_be_right(wmy):
    said = wmy.post("/v1/whistles", a_blow(departments=["moon"])).json()["detail"]
    assert "moon" in said and "chengguan" in said
    early = wmy.settle(wmy.blow()["id"]).json()["detail"]
    assert "chengguan" in early


# -- lists, tags ------------------------------------------------------------------------------------------------------


def pages(client: Client, limit: int, between=lambda: None, **asked) -> list[list[dict]]:
    """Read a list page by page; ``between`` is done between two pages."""
    found, after = [], None
    while True:
        answer = client.get("/v1/whistles", params={"limit": limit, **asked} | ({"after": after} if after else {}))
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        after = answer.json()["next"]
        if after is None:
            return found
        assert len(found) < 2_000
        between()


def test_page_by_page_each_whistle_comes_once_newest_first(url, wmy, street):
    people = [Client(url, "wmy") for _ in range(4)]
    at_once(*(lambda who=who: [who.blow() for _ in range(8)] for who in people))  # several within one millisecond
    whole = [row for page in pages(street, 200, community=WANMINGYUAN) for row in page]
    for limit in (1, 3, 7):
        if limit == 1 and len(whole) > 150:
            continue
        small = pages(street, limit, community=WANMINGYUAN)
        assert all(len(page) <= limit for page in small)
        assert [row["id"] for page in small for row in page] == [row["id"] for row in whole]
    assert len({row["id"] for row in whole}) == len(whole) >= 32
    times = [row["blown_at"] for row in whole]
    assert times == sorted(times, reverse=True)


def test_what_is_blown_meanwhile_disturbs_no_page(wmy):
    known = {wmy.blow()["id"] for _ in range(6)}
    read = [row["id"] for page in pages(wmy, 2, between=wmy.blow, community=WANMINGYUAN) for row in page]
    assert len(read) == len(set(read)) and known <= set(read)


def test_a_list_of_one_stage_holds_that_stage_only(wmy, chengguan):
    id = wmy.blow()["id"]
    chengguan.report(id)
    chengguan.feed_back(id)
    for stage in ("dispatched", "answered", "settled"):
        rows = [row for page in pages(wmy, 100, stage=stage) for row in page]
        assert {row["stage"] for row in rows} <= {stage}
        assert (id in {row["id"] for row in rows}) == (stage == "answered")


def test_a_list_of_one_stage_and_one_community_is_whole_however_much_the_others_blow(wmy, street):
    mine = wmy.blow()["id"]
    assert all(at_once(*[lambda: [street.blow(community="110102009038") for _ in range(26)]] * 8))
    read = {row["id"] for page in pages(wmy, 1, stage="dispatched", community=WANMINGYUAN) for row in page}
    assert mine in read


@pytest.mark.parametrize(
    "after",
    ["x", "~", "2026-99-99~", "0001-01-01T00:00:00+14:00~", "9999-12-31T23:59:59-14:00~", "2026-01-01~" + "0" * 200],
)
def test_a_page_that_is_not_ours_is_refused(wmy, after):
    assert wmy.get("/v1/whistles", params={"after": after}).status_code == 422


@pytest.mark.parametrize(
    "asked", [{"limit": 0}, {"limit": 201}, {"limit": "many"}, {"stage": "lost"}, {"colour": "red"}]
)
def test_a_list_is_asked_for_in_known_words_only(wmy, asked):
    answer = wmy.get("/v1/whistles", params=asked)
    assert answer.status_code == 422 and list(answer.json()["fields"]) == list(asked)


@pytest.mark.parametrize(
    "asked",
    [
        {"since": "9999-12-01", "until": "9999-12-31"},
        {"until": "0001-01-02"},
        {"since": "2026-02-01", "until": "2026-01-01"},
        {"since": "2020-01-01", "until": "2026-01-01"},
        {"since": "yesterday"},
    ],
    ids=str,
)
def test_figures_of_days_that_cannot_be_are_refused(wmy, asked):
    assert wmy.get("/v1/figures", params=asked).status_code == 422


def test_what_has_not_changed_is_not_sent_again(wmy, chengguan):
    id = wmy.blow()["id"]
    path, seen = f"/v1/whistles/{id}", wmy.at_rest(id)
    tag, next_tag = seen.headers["ETag"], f'"{seen.json()["version"] + 1}"'
    same = wmy.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    assert chengguan.report(id).headers["ETag"] == next_tag
    changed = wmy.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.headers["ETag"] == next_tag


@pytest.mark.parametrize("path", ["/v1/whistles", "/v1/districts", "/v1/divisions", "/v1/me"])
def test_a_list_that_has_not_changed_is_not_sent_again(wmy, path):
    tag = wmy.get(path).headers["ETag"]
    assert wmy.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert wmy.get(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_erased_words_are_not_kept_from_a_reader_by_an_old_tag(wmy, sign_in):
    id = wmy.blow()["id"]
    path, tag = f"/v1/whistles/{id}", wmy.at_rest(id).headers["ETag"]
    assert sign_in("xc-admin").erase(id).status_code == 201
    assert wmy.get(path, headers={"If-None-Match": tag}).status_code == 200
