"""Rating over HTTP: what was fed back is rated by those who called it, once, and the whistle shows it."""

import json
import secrets
import threading

import pymongo
import pytest

from deploy import database
from deploy.verify import ledgers, verify
from tests.make import Client, eventually, fresh

GOOD = {"promptness": 5, "attendance": 5, "quality": 4, "cooperation": 4, "feedback": 5}
POOR = dict.fromkeys(GOOD, 2)
MERGED = "110116"  # a district of its own, in which communities become one


@pytest.fixture(scope="module")
def street(sign_in) -> Client:
    """展览路街道, which 万明园 belongs to."""
    return sign_in("zll")


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    return sign_in("xc-admin")


@pytest.fixture(scope="module")
def mongo(platform):
    with pymongo.MongoClient(database.admin_uri(platform.settings), tz_aware=True) as client:
        yield client


def act(client: Client, id: str, noun: str, **order) -> dict:
    """Do one act upon a whistle; fails the test when that is refused."""
    answer = client.post(f"/v1/whistles/{id}/{noun}", {"act": fresh()} | order)
    assert answer.status_code == 201, answer.text
    return answer.json()


def feed_back(client: Client, id: str, **order) -> None:
    act(client, id, "answers", **{"result": "solved", "text": "已拆除。", "outcomes": []} | order)


@pytest.fixture
def answered(wmy: Client, chengguan: Client):
    """Give whistles of which 城管 has fed back, and the evaluation service knows it."""

    def make(*more: str, head: Client = wmy, **order) -> str:
        id = head.blow(departments=["chengguan", *more], **order)["id"]
        act(chengguan, id, "reports")
        feed_back(chengguan, id)
        known(head, id)
        return id

    return make


def known(client: Client, id: str) -> None:
    """Wait until the evaluation service has heard that something was fed back there."""
    eventually(lambda: ratings(client, id).status_code == 200, 5, every=0.02)


def rate(client: Client, id: str, **order):
    order = {"act": fresh(), "department": "chengguan", "indicators": GOOD, "note": "来得快,拆得干净。"} | order
    return client.post(f"/v1/whistles/{id}/ratings", order)


def ratings(client: Client, id: str):
    return client.get(f"/v1/whistles/{id}/ratings")


def amend(client: Client, rating: str, **order):
    order = {"act": fresh(), "indicators": POOR, "reason": "雨后复查,仍有渗漏。"} | order
    return client.post(f"/v1/ratings/{rating}/amendments", order)


def summons_of(client: Client, id: str, department: str = "chengguan") -> dict:
    whistle = client.get(f"/v1/whistles/{id}").json()
    return next(each for each in whistle["summonses"] if each["department"] == department)


def shows(client: Client, id: str, stage: str, score: float | None) -> bool:
    summons = summons_of(client, id)
    return (summons["stage"], summons["score"]) == (stage, score)


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


# -- the main way ------------------------------------------------------------------------------------------------------


def test_what_was_rated_shows_on_the_whistle_within_a_second(wmy, answered):
    id = answered()
    made = rate(wmy, id)
    assert made.status_code == 201, made.text
    rating = made.json()
    assert (rating["score"], rating["indicators"], rating["rated_by"]) == (4.6, GOOD, wmy.get("/v1/me").json()["id"])
    assert rating["given"][0]["words"] == {"note": "来得快,拆得干净。"}
    eventually(lambda: shows(wmy, id, "rated", 4.6), 1, every=0.02)
    assert summons_of(wmy, id)["rating"] == rating["id"]
    assert ratings(wmy, id).json()["items"] == [rating]


def test_a_rated_whistle_is_confirmed_and_settled_like_any_other(wmy, answered):
    id = answered()
    assert rate(wmy, id).status_code == 201
    eventually(lambda: shows(wmy, id, "rated", 4.6))
    act(wmy, id, "confirmations", solved=True)
    assert act(wmy, id, "settlements")["stage"] == "settled"
    assert wmy.get(f"/v1/whistles/{id}/history").json()["whole"]


def test_the_street_rates_what_its_community_called(street, answered):
    id = answered()
    assert rate(street, id).status_code == 201


# -- what cannot be rated ----------------------------------------------------------------------------------------------


def test_what_was_not_fed_back_cannot_be_rated(wmy, chengguan, answered):
    id = wmy.blow()["id"]
    act(chengguan, id, "reports")
    for refused in (rate(wmy, id), ratings(wmy, id), rate(wmy, answered("zhujian"), department="zhujian")):
        assert refused.status_code == 404 and "反馈" in refused.json()["detail"], refused.text
    assert rate(wmy, fresh()).status_code == 404


def test_who_was_called_off_is_not_rated_any_more(wmy, street, sign_in, answered):
    id, neighbour = answered("zhujian"), sign_in("zl038")
    act(street, id, "reassignments", department="chengguan", instead="shichang", note="现场查明属市场监管。")
    # Whoever may not rate it sees that it was heard, and rates nothing meanwhile.
    eventually(lambda: rate(neighbour, id).status_code == 409, 5)
    refused = rate(wmy, id)
    assert refused.status_code == 409 and "撤单" in refused.json()["detail"]


def test_each_result_is_rated_once(wmy, street, answered):
    id = answered()
    assert rate(wmy, id).status_code == 201
    for other in (wmy, street):
        refused = rate(other, id)
        assert refused.status_code == 409 and "已评价" in refused.json()["detail"]


def test_a_new_result_after_reopening_is_rated_anew_and_both_ratings_stay(wmy, chengguan, answered):
    id = answered()
    first = rate(wmy, id, indicators=POOR).json()
    eventually(lambda: shows(wmy, id, "rated", 2.0))
    act(wmy, id, "confirmations", solved=True)
    act(wmy, id, "settlements")
    act(wmy, id, "reopenings", note="又搭起来了。")
    assert rate(wmy, id).status_code == 409, "the result before is rated already"
    feed_back(chengguan, id)
    assert shows(wmy, id, "fed_back", None), "the new result is not rated yet"
    second = eventually(lambda: (made := rate(wmy, id, indicators=POOR)).status_code == 201 and made.json(), 5)
    eventually(lambda: shows(wmy, id, "rated", 2.0), 1, every=0.02)
    assert summons_of(wmy, id)["rating"] == second["id"] != first["id"]
    assert [each["id"] for each in ratings(wmy, id).json()["items"]] == [first["id"], second["id"]]
    assert amend(wmy, first["id"], indicators=GOOD).json()["score"] == 4.6
    again = rate(wmy, id, act=first["given"][0]["act"], indicators=POOR)
    assert again.json()["id"] == first["id"], "an order that comes late finds what it did"
    eventually(lambda: shows(wmy, id, "rated", 2.0), 1)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"indicators": GOOD | {"quality": value}} for value in (0, 6, 4.5, "5", True, None, -1, 10**9)),
        {"indicators": {name: 5 for name in GOOD if name != "quality"}},
        {"indicators": GOOD | {"beauty": 5}},
        {"indicators": {}},
        {"indicators": 5},
        {"note": "长" * 1001},
        {"department": "all"},
        {"act": "mine"},
    ],
)
def test_an_order_that_does_not_fit_is_refused_and_changes_nothing(wmy, answered_once, wrong):
    refused = rate(wmy, answered_once, **wrong)
    assert refused.status_code == 422, refused.text
    assert ratings(wmy, answered_once).json()["items"] == []


@pytest.fixture(scope="module")
def answered_once(wmy, chengguan) -> str:
    """One whistle that is fed back and that nobody rates."""
    id = wmy.blow()["id"]
    act(chengguan, id, "reports")
    feed_back(chengguan, id)
    known(wmy, id)
    return id


# -- who ---------------------------------------------------------------------------------------------------------------


def test_neither_another_community_nor_another_street_rates(sign_in, answered_once):
    for login in ("zl038", "zl001"):
        refused = rate(sign_in(login), answered_once)
        assert refused.status_code == 403 and "辖区" in refused.json()["detail"], refused.text


def test_neither_a_department_nor_a_resident_nor_the_district_rates(sign_in, answered_once):
    for login in ("xc-cg", "xc-cgl", "xc-zj", "xc-res", "wmy-w", "wmy-l", "xc-admin", "xc-look", "city"):
        assert rate(sign_in(login), answered_once).status_code == 403, login


def test_another_district_finds_neither_the_whistle_nor_its_ratings(wmy, sjy, answered):
    id = answered()
    rating = rate(wmy, id).json()["id"]
    for refused in (rate(sjy, id), ratings(sjy, id), amend(sjy, rating)):
        assert refused.status_code == 404, refused.text
    assert id not in sjy.get("/v1/ratings").text


def test_a_department_reads_score_and_indicators_of_its_own_and_not_who_rated_nor_their_words(
    wmy, street, chengguan, sign_in, answered
):
    id, zhujian = answered("zhujian"), sign_in("xc-zj")
    rating, secretary = rate(wmy, id, note="态度不好。").json(), wmy.get("/v1/me").json()["id"]
    amend(wmy, rating["id"])
    [seen] = ratings(chengguan, id).json()["items"]
    assert (seen["score"], seen["indicators"], seen["rated_by"]) == (2.0, POOR, None)
    assert [each["words"] for each in seen["given"]] == [{"withheld": True}] * 2
    eventually(lambda: shows(wmy, id, "rated", 2.0))
    steps = chengguan.get(f"/v1/whistles/{id}/history").json()["steps"]
    rated = [step for step in steps if step["fact"] == "scored"]
    assert rated and all(step["actor"] == "evaluation" for step in rated)
    whole = chengguan.get("/v1/ratings", params={"limit": 200}).text + ratings(chengguan, id).text + json.dumps(rated)
    assert secretary not in whole and "态度不好" not in whole
    assert ratings(zhujian, id).json()["items"] == [] and id not in zhujian.get("/v1/ratings").text
    for reader in (street, sign_in("xc-admin"), sign_in("xc-look")):
        assert ratings(reader, id).json()["items"][0]["rated_by"] == secretary
    assert ratings(sign_in("zl038"), id).json()["items"] == []
    for stranger in ("xc-res", "wmy-w", "wmy-l"):
        assert ratings(sign_in(stranger), id).status_code == 403


def test_a_listener_of_the_department_hears_the_rating_without_who_gave_it(wmy, sign_in, answered):
    id, ours, zhujian, secretary = answered(), sign_in("xc-cgl"), sign_in("xc-zj"), wmy.get("/v1/me").json()["id"]
    heard: dict[str, list[str]] = {"ours": [], "theirs": []}

    def listen(who: str, client: Client) -> None:
        with client.session.get(f"{client.url}/v1/stream", stream=True, timeout=10) as stream:
            ready.release()
            event: list[str] = []
            for line in stream.iter_lines(decode_unicode=True):
                event.append(line)
                if not line:
                    text, event = "\n".join(event), []
                    if id in text:
                        heard[who].append(text)
                    if "event: scored" in text and id in text or "event: settled" in text and id in text:
                        return

    ready = threading.Semaphore(0)
    threads = [threading.Thread(target=listen, args=pair) for pair in (("ours", ours), ("theirs", zhujian))]
    [each.start() for each in threads]
    [ready.acquire(timeout=5) for _ in threads]
    assert rate(wmy, id).status_code == 201
    threads[0].join(5)
    act(wmy, id, "confirmations", solved=True)
    act(wmy, id, "settlements")
    threads[1].join(5)
    assert any("event: rated" in each for each in heard["ours"]) and any(
        "event: scored" in each for each in heard["ours"]
    )
    assert heard["theirs"] and not any("rated" in each or "scored" in each for each in heard["theirs"])
    assert secretary not in "".join(heard["ours"])


def test_the_successor_of_a_merged_community_rates_what_was_called_there(url, sign_in):
    operator = sign_in("operator")
    assert operator.post("/v1/districts", {"code": MERGED}).status_code == 201
    rows = operator.get("/v1/divisions", params={"under": MERGED, "limit": 1000}).json()["items"]
    old, into = [row["code"] for row in rows if row["level"] == "community"][:2]

    def admit(giver: Client, role: str, unit: str, department: str = "") -> Client:
        id = fresh()
        order = {"id": id, "district": MERGED, "login": f"e-{id[:13]}", "name": "新来的", "password": f"口令{id}"}
        order |= {"roles": [role], "unit": unit, "department": department}
        answer = eventually(lambda: (made := giver.post("/v1/people", order)).status_code != 404 and made, 10)
        assert answer.status_code == 201, answer.text
        return Client(url, order["login"], order["password"])

    admin = admit(operator, "district", MERGED)
    first, next_one = admit(admin, "secretary", old), admit(admin, "secretary", into)
    specialist, id = admit(admin, "specialist", MERGED, "chengguan"), fresh()
    order = {"id": id, "kind": "综合执法", "category": "0101", "community": old, "departments": ["chengguan"]}
    order |= {"title": "私搭乱建"}
    eventually(lambda: first.post("/v1/whistles", order).status_code == 201, 10)
    act(specialist, id, "reports")
    feed_back(specialist, id)
    known(first, id)
    assert rate(next_one, id).status_code == 403 and ratings(next_one, id).json()["items"] == []
    merger = {"change": fresh(), "communities": [old], "since": "2026-01-01"}
    assert admin.post(f"/v1/units/{into}/mergers", merger).status_code == 201
    made = eventually(lambda: (answer := rate(next_one, id)).status_code == 201 and answer.json(), 10)
    assert ratings(next_one, id).json()["items"] == [made]
    assert [each["id"] for each in next_one.get("/v1/ratings").json()["items"]] == [made["id"]]


# -- again, at once, amended -------------------------------------------------------------------------------------------


def test_the_same_order_twice_is_one_rating_and_another_one_under_its_id_is_refused(wmy, street, answered):
    id, order = answered("zhujian"), {"act": fresh()}
    first, again = rate(wmy, id, **order), rate(wmy, id, **order)
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    for other in ({"indicators": POOR}, {"note": "别的"}, {"department": "zhujian"}):
        assert rate(wmy, id, **order | other).status_code == 409
    assert rate(street, id, **order).status_code == 409
    assert len(ratings(wmy, id).json()["items"]) == 1


def test_the_same_order_at_once_is_one_rating_and_of_two_people_one_yields(wmy, street, answered):
    id, order = answered(), {"act": fresh()}
    answers = at_once(*[lambda: rate(wmy, id, **order)] * 6)
    assert {each.status_code for each in answers} == {201}
    assert len({each.json()["id"] for each in answers}) == 1 and {each.json()["version"] for each in answers} == {1}
    for _ in range(3):
        id = answered()
        both = at_once(lambda id=id: rate(wmy, id), lambda id=id: rate(street, id))
        assert sorted(each.status_code for each in both) == [201, 409], [each.text for each in both]
        assert "已评价" in max(both, key=lambda each: each.status_code).json()["detail"]
        assert len(ratings(wmy, id).json()["items"]) == 1


def test_an_amendment_keeps_what_was_given_and_the_whistle_shows_the_last(wmy, street, answered):
    id = answered()
    rating, order = rate(wmy, id).json()["id"], {"act": fresh()}
    made, again = amend(wmy, rating, **order), amend(wmy, rating, **order)
    assert (made.status_code, again.status_code) == (201, 201) and made.json() == again.json(), made.text
    given = made.json()["given"]
    assert [each["score"] for each in given] == [4.6, 2.0] and given[1]["words"] == {"reason": "雨后复查,仍有渗漏。"}
    eventually(lambda: shows(wmy, id, "rated", 2.0), 1, every=0.02)
    assert amend(street, rating).status_code == 403, "only whoever gave it"
    assert amend(wmy, rating).status_code == 422, "nothing would change"
    assert amend(wmy, rating, indicators=GOOD, reason="").status_code == 422, "without a reason"
    assert amend(wmy, rating, indicators=GOOD, **order).status_code == 409, "another order under its id"
    assert amend(wmy, fresh()).status_code == 404
    assert len(ratings(wmy, id).json()["items"][0]["given"]) == 2


# -- lists -------------------------------------------------------------------------------------------------------------


def pages(client: Client, **asked) -> list[str]:
    found, after = [], None
    while True:
        page = client.get("/v1/ratings", params=asked | ({"after": after} if after else {})).json()
        found += [each["id"] for each in page["items"]]
        after = page["next"]
        if after is None:
            return found


def test_pages_show_each_rating_once_newest_first_and_by_department_and_day(wmy, street, sign_in, answered):
    made = [rate(wmy, answered()).json()["id"] for _ in range(4)]
    today = wmy.get("/v1/clock").json()["now"][:10]
    for client in (wmy, street, sign_in("xc-look"), sign_in("xc-cg")):
        for asked in ({}, {"department": "chengguan"}):
            found = pages(client, limit=3, **asked)
            assert len(found) == len(set(found)) and [each for each in found if each in made] == made[::-1], asked
    assert not set(made) & set(pages(wmy, department="zhujian"))
    assert not set(made) & set(pages(sign_in("xc-zj")))
    assert not set(made) & set(pages(wmy, until="2025-01-01"))
    assert set(made) <= set(pages(wmy, since="2026-01-01", until="2026-12-31" if today < "2026-12-31" else today))
    assert wmy.get("/v1/ratings", params={"since": "2026-05-01", "until": "2024-01-01"}).status_code == 422
    assert wmy.get("/v1/ratings", params={"after": "nonsense"}).status_code == 422


# -- proof and forgetting ----------------------------------------------------------------------------------------------


def test_a_ratings_history_is_verified_and_witnessed_and_a_touched_one_is_named(wmy, mongo, answered):
    rating = rate(wmy, answered()).json()["id"]
    amend(wmy, rating)
    key, rows = f"110102/{rating}", mongo["huying_evaluation"]["ratings"]
    assert "ratings" in [kind.collection for kind in ledgers()]

    def heard() -> set[str]:
        found = mongo["huying_figures"]["heard"].find({})
        return {each["id"] for row in found for each in row["heard"] if each["subject"] == rating}

    eventually(lambda: heard() == {f"evaluation/{key}/1", f"evaluation/{key}/2"})
    assert not [each for each in verify(mongo, say=lambda text: None) if rating in each]
    kept = rows.find_one({"_id": key})
    kinder = [kept["history"][0]] + [kept["history"][1] | {"data": kept["history"][1]["data"] | {"score": 5.0}}]
    rows.update_one({"_id": key}, {"$set": {"history": kinder}})
    try:
        assert any(rating in each for each in verify(mongo, say=lambda text: None))
    finally:
        rows.update_one({"_id": key}, {"$set": {"history": kept["history"]}})
    assert not [each for each in verify(mongo, say=lambda text: None) if rating in each]


def test_what_was_written_stands_beside_the_rating_alone_and_goes_with_the_whistles_words(wmy, admin, mongo, answered):
    id, mark = answered(), f"暗号{secrets.token_hex(8)}"
    rating = rate(wmy, id, note=mark).json()["id"]
    amend(wmy, rating, reason=mark)
    eventually(lambda: shows(wmy, id, "rated", 2.0))

    def where() -> list[str]:
        return [
            f"{name}.{collection}"
            for name in mongo.list_database_names() if name.startswith("huying_")
            for collection in mongo[name].list_collection_names()
            if mark in json.dumps(list(mongo[name][collection].find({})), ensure_ascii=False, default=str)
        ]  # fmt: skip

    assert where() == ["huying_evaluation.ratings_words"]
    act(admin, id, "erasures", reason="requested")
    eventually(lambda: not where(), 5)
    [shown] = ratings(wmy, id).json()["items"]
    assert [each["words"]["erased"]["reason"] for each in shown["given"]] == ["requested"] * 2
    assert shown["score"] == 2.0, "the rating itself stays"
    assert not [each for each in verify(mongo, say=lambda text: None) if rating in each]
