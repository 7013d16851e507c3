"""A district says who handles what; the whistle service hears of it and names who answers, over HTTP."""

from concurrent.futures import ThreadPoolExecutor

import pymongo
import pytest

from deploy import database
from deploy.verify import verify
from services.whistle.store import Answering
from shared.caller import Caller
from shared.running import clock
from tests.make import WANMINGYUAN, Client, a_blow, a_fact, eventually, fresh, solved

STREET, MERGED, OTHER = "110102009000", "110102009042", "110102009043"
WITHIN = 8  # seconds: a fact is heard, and what is remembered for two seconds is asked for again


@pytest.fixture(scope="module")
def admin(sign_in) -> Client:
    """西城区's administrator."""
    return sign_in("xc-admin")


@pytest.fixture(scope="module")
def street(sign_in) -> Client:
    return sign_in("zll")


@pytest.fixture(scope="module")
def mongo(platform):
    with pymongo.MongoClient(database.admin_uri(platform.settings), tz_aware=True) as client:
        yield client


@pytest.fixture(scope="module")
def view(mongo) -> Answering:
    """The whistle service's own view of 西城区, to be told what nobody here can tell yet."""
    return Answering(mongo["huying_whistle"], Caller("110102"), clock.now)


def a_rule(**changes) -> dict:
    return {
        "category": "0303", "unit": STREET, "change": fresh(), "lead": "chengguan", "assists": ["zhujian"], **changes
    }  # fmt: skip


def responsible(client: Client, category: str, unit: str, **asked):
    return client.get("/v1/responsible", params={"category": category, "unit": unit, **asked})


def eventually_by(client: Client, category: str, unit: str, rule: str, version: int) -> dict:
    """Wait until a rule decides, and give the whole answer."""

    def decides():
        answer = responsible(client, category, unit)
        found = answer.json() if answer.status_code == 200 else {}
        return (found.get("rule"), found.get("rule_version")) == (rule, version) and found

    return eventually(decides, WITHIN)


def test_a_rule_that_is_set_decides_and_one_that_is_removed_does_not(admin, wmy, view):
    wide = a_rule(category="*", unit="110102", lead="zongzhi", assists=[])
    assert admin.post("/v1/rules", wide).status_code == 201
    order = a_rule(never_community=True)
    made = admin.post("/v1/rules", order)
    assert made.status_code == 201, made.text
    assert made.json() == {name: made.json()[name] for name in made.json()} | {"version": 1, "lead": "chengguan"}
    seat = f"chengguan@{WANMINGYUAN}"
    term = {"term": fresh(), "person": fresh(), "since": "2026-01-01", "until": None, "substitute": None}
    view.term(a_fact("appointed", seat, post="chengguan", unit=WANMINGYUAN, **term))
    found = eventually_by(wmy, "0303", WANMINGYUAN, f"0303@{STREET}", 1)
    eventually(lambda: responsible(wmy, "0303", WANMINGYUAN).json()["lead"]["person"] == term["person"], WITHIN)
    assert found["never_community"] and not found["community_first"]
    assert [each["department"] for each in found["assists"]] == ["zhujian"]
    listed = wmy.get("/v1/rules", params={"category": "0303"}).json()["items"]
    assert [(rule["unit"], rule["lead"]) for rule in listed] == [(STREET, "chengguan")]
    gone = {"category": "0303", "unit": STREET, "change": fresh()}
    assert [admin.post("/v1/rules/removals", gone).status_code for _ in range(2)] == [201, 201]
    eventually_by(wmy, "0303", WANMINGYUAN, "*@110102", 1)
    assert wmy.get("/v1/rules", params={"category": "0303"}).json()["items"] == []
    assert admin.post("/v1/rules/removals", gone | {"change": fresh()}).status_code == 404


def test_the_same_rule_twice_is_one_and_another_under_its_id_is_refused(admin):
    order = a_rule(category="0301")
    first, again = (admin.post("/v1/rules", order) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    assert admin.post("/v1/rules", order | {"lead": "xiaofang"}).status_code == 409
    changed = admin.post("/v1/rules", a_rule(category="0301", lead="xiaofang"), headers={"If-Match": '"1"'})
    assert changed.status_code == 201 and changed.json()["version"] == 2
    stale = admin.post("/v1/rules", a_rule(category="0301", lead="shuiwu"), headers={"If-Match": '"1"'})
    assert stale.status_code == 409


def test_each_change_makes_the_next_version_of_the_catalogue_and_each_version_can_be_read(admin, wmy):
    def version() -> int:
        return wmy.get("/v1/catalogue").json()["version"]

    def rules(**asked) -> dict:
        page = wmy.get("/v1/rules", params={"category": "0302", "limit": 1000, **asked})
        assert page.status_code == 200, page.text
        return {rule["unit"]: (rule["lead"], rule["version"], rule["catalogue"]) for rule in page.json()["items"]}

    first = version()
    order = a_rule(category="0302")
    assert [admin.post("/v1/rules", order).json()["catalogue"] for _ in range(2)] == [first + 1] * 2
    assert admin.post("/v1/rules", a_rule(category="0302", lead="moon")).status_code == 422
    assert version() == first + 1, "what was refused, or was there already, changed nothing"
    admin.post("/v1/rules", a_rule(category="0302", unit="110102", lead="shuiwu"))
    admin.post("/v1/rules", a_rule(category="0302", lead="xiaofang"))
    admin.post("/v1/rules/removals", {"category": "0302", "unit": "110102", "change": fresh()})
    assert version() == first + 4 and wmy.get("/v1/catalogue").json()["scheme"] == "GB/T 30428.2-2013"
    assert rules() == rules(as_of=first + 4) == {STREET: ("xiaofang", 2, first + 3)}
    assert rules(as_of=first) == {}
    assert rules(as_of=first + 1) == {STREET: ("chengguan", 1, first + 1)}
    was = {STREET: ("chengguan", 1, first + 1), "110102": ("shuiwu", 1, first + 2)}
    assert rules(as_of=first + 2) == was
    assert rules(as_of=first + 3) == was | {STREET: ("xiaofang", 2, first + 3)}
    late = wmy.get("/v1/rules", params={"as_of": first + 5})
    assert late.status_code == 422 and str(first + 4) in late.json()["detail"]


def test_rules_that_are_set_at_one_moment_are_of_versions_one_after_the_other(admin):
    first = admin.get("/v1/catalogue").json()["version"]
    units = [f"1101020{n:02}000" for n in (1, 3, 7, 9, 10, 11)]
    with ThreadPoolExecutor(6) as many:
        made = list(many.map(lambda unit: admin.post("/v1/rules", a_rule(category="0305", unit=unit)), units))
    assert sorted(each.json()["catalogue"] for each in made) == list(range(first + 1, first + 7))


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"category": "0377"}, "category"),
        ({"unit": "110107001000"}, "unit"),
        ({"unit": "110102009777"}, "unit"),
        ({"lead": "moon"}, "lead"),
        ({"lead": "community", "never_community": True, "assists": []}, "lead"),
    ],
)
def test_a_rule_that_cannot_be_changes_nothing(admin, changes, wrong):
    before = admin.get("/v1/rules").json()
    answer = admin.post("/v1/rules", a_rule(**changes))
    assert answer.status_code in (403, 422)
    assert answer.status_code == 403 or list(answer.json()["fields"]) == [wrong]
    assert admin.get("/v1/rules").json() == before


def test_a_districts_own_category_is_used_like_the_standards(admin, wmy, sjy):
    order = {"code": "030401", "change": fresh(), "name": "共享单车乱停"}
    made = admin.post("/v1/categories", order)
    assert made.status_code == 201 and made.json()["scheme"] == "local", made.text
    listed = wmy.get("/v1/categories", params={"under": "0304"}).json()["items"]
    assert [(each["code"], each["scheme"]) for each in listed] == [("0304", "GB/T 30428.2-2013"), ("030401", "local")]
    assert len(sjy.get("/v1/categories", params={"limit": 1000}).json()["items"]) == 55
    assert admin.post("/v1/rules", a_rule(category="030401", unit=WANMINGYUAN)).status_code == 201
    eventually_by(wmy, "030401", WANMINGYUAN, f"030401@{WANMINGYUAN}", 1)
    renamed = admin.post("/v1/categories", {"code": "0304", "change": fresh(), "name": "别的"})
    assert renamed.status_code == 422 and "国家标准" in renamed.text


def test_who_may_not_change_the_catalogue_may_read_it(wmy, sign_in):
    for client in (wmy, sign_in("xc-cg"), sign_in("xc-look"), sign_in("xc-res")):
        assert client.post("/v1/rules", a_rule()).status_code == 403
        assert client.get("/v1/rules").status_code == client.get("/v1/categories").status_code == 200


@pytest.mark.parametrize(("category", "unit"), [("0377", WANMINGYUAN), ("0303", "110107001012")])
def test_what_is_not_there_is_named_in_plain_words(wmy, category, unit):
    answer = responsible(wmy, category, unit)
    assert answer.status_code == 422 and len(answer.json()["fields"]) == 1


def test_a_merged_communitys_whistles_are_its_successors(street, wmy, chengguan, view):
    ours, done = street.blow(community=MERGED), street.blow(community=MERGED, departments=["shichang"])
    assert wmy.act("escalations", ours["id"], {"note": "协调未果"}).status_code == 403
    unit = {"code": WANMINGYUAN, "level": "community", "name": "万明园社区", "parent": STREET, "into": None}
    merged = {"into": WANMINGYUAN, "communities": [MERGED], "since": "2026-01-01"}
    view.units_merged(a_fact("units_merged", WANMINGYUAN, unit=unit, **merged))

    def ids(address: str, **asked) -> set[str]:
        rows = wmy.get(address, params={"community": WANMINGYUAN, "limit": 200, **asked}).json()["items"]
        return {row["id"] for row in rows}

    eventually(lambda: {ours["id"], done["id"]} <= ids("/v1/whistles"), WITHIN)
    eventually(lambda: ours["id"] in ids("/v1/open-whistles", department="chengguan"))
    assert done["id"] not in ids("/v1/open-whistles", department="chengguan")
    # What was known of the community a moment ago is remembered for two seconds.
    refused = eventually(lambda: street.post("/v1/whistles", a_blow(community=MERGED)).json().get("fields"))
    assert refused == {"community": [WANMINGYUAN]}
    solved(ours["id"], wmy, chengguan)
    assert wmy.settle(ours["id"]).status_code == 201
    eventually(lambda: ours["id"] not in ids("/v1/open-whistles", department="chengguan"))


def test_open_work_comes_in_pages(street, wmy):
    made = [street.blow(community=OTHER, departments=["shuiwu"])["id"] for _ in range(5)]
    here, found, after = {"department": "shuiwu", "community": OTHER}, [], ""
    eventually(lambda: len(wmy.get("/v1/open-whistles", params=here).json()["items"]) == len(made))
    while after is not None:
        asked = here | {"limit": 2} | ({"after": after} if after else {})
        page = wmy.get("/v1/open-whistles", params=asked).json()
        found, after = found + [row["id"] for row in page["items"]], page["next"]
    assert found == made, "the oldest first"


def test_the_catalogues_histories_are_whole(admin, mongo):
    said: list[str] = []
    broken = verify(mongo, said.append)
    assert not [each for each in broken if each.startswith("roster/")]
    assert any("roster.rules: " in line and " 0 件" not in line for line in said)
    assert any("roster.categories: 1 件" in line for line in said)
