"""The whistle service's view of tree, catalogue and seats: folded from facts in any order, asked in few round trips."""

import os
import random
import uuid
from datetime import UTC, datetime

import pymongo
import pytest
from pymongo import monitoring

from deploy import database as ours
from services.whistle.store import Answering, answering
from shared.caller import Caller
from shared.errors import Invalid, NotFound
from tests.make import WANMINGYUAN, a_fact

OLD, THIRD, NEW, STREET = "110102009038", "110102009039", "110102009099", "110102009000"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MA, LI, WANG = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(3))


class Counting(monitoring.CommandListener):
    """Counts what the database is asked."""

    def __init__(self):
        self.asked: list[str] = []

    def started(self, event):
        self.asked.append(event.command_name)

    def succeeded(self, event):
        pass

    failed = succeeded


@pytest.fixture(scope="module")
def counting():
    return Counting()


@pytest.fixture(scope="module")
def client(tmp_path_factory, counting):
    given, home = os.environ.get("MONGO_URI"), tmp_path_factory.mktemp("database")
    uri = ours.with_options(given, {**ours.PROMISES, **ours.PATIENCE}) if given else ours.start(home).admin_uri
    opened: pymongo.MongoClient = pymongo.MongoClient(uri, tz_aware=True, event_listeners=[counting])
    yield opened
    opened.close()
    if not given:
        ours.stop(home)


@pytest.fixture
def view(client):
    """An empty view of 西城区, at noon of 2026-11-24."""
    name = f"huying_view_{uuid.uuid4().hex[:8]}"
    answering.REMEMBERED.clear()
    yield Answering(client[name], Caller("110102"), lambda: NOW)
    client.drop_database(name)


def a_unit(code: str, **changes) -> dict:
    plain = {"level": "community", "type": "社区", "name": code, "aliases": [], "parent": STREET, "pilot": ""}
    return {"code": code} | plain | {"since": None, "until": None, "into": None, "split_from": None} | changes


def a_rule(category: str, unit: str, n: int = 1, **changes) -> dict:
    what = {"lead": "chengguan", "assists": [], "community_first": False, "never_community": False} | changes
    return a_fact("rule_set", f"{category}@{unit}", n, category=category, unit=unit, **what)


def a_term(seat: str, person: str, n: int = 1, term: str = "t1", **changes) -> dict:
    post, _, unit = seat.partition("@")
    what = {"term": term, "person": person, "since": "2026-01-01", "until": None, "substitute": None} | changes
    return a_fact("appointed", seat, n, post=post, unit=unit, **what)


def fold(view: Answering, fact: dict) -> None:
    """Hand a fact to the method that the service hands it to."""
    name = {
        "unit_founded": "unit_is", "unit_changed": "unit_is", "appointed": "term", "term_ended": "term",
        "leave_taken": "leave", "leave_ended": "leave",
    }.get(fact["type"], fact["type"])  # fmt: skip
    getattr(view, name)(fact)


def told() -> list[dict]:
    """Give facts of every kind, as the roster told them one after the other."""
    seat, post = f"chengguan@{WANMINGYUAN}", {"post": "chengguan", "unit": WANMINGYUAN}
    merged = {"into": WANMINGYUAN, "communities": [OLD, WANMINGYUAN], "since": "2026-11-01"}
    return [
        a_fact("opened", "110102", settings={}, communities=[WANMINGYUAN, OLD]),
        a_fact("unit_founded", f"{OLD}.01", unit=a_unit(f"{OLD}.01", level="compound", parent=OLD)),
        a_fact("unit_changed", WANMINGYUAN, 1, unit=a_unit(WANMINGYUAN, name="万明园", pilot="试点")),
        a_fact("units_merged", WANMINGYUAN, 2, unit=a_unit(WANMINGYUAN, name="万明园社区"), **merged),
        a_fact("unit_changed", OLD, 1, unit=a_unit(OLD, into=WANMINGYUAN, until="2026-10-30")),
        a_fact("unit_changed", THIRD, 1, unit=a_unit(THIRD, into=OLD, until="2025-12-31")),
        a_fact("unit_split", WANMINGYUAN, 3, new=NEW, name="新社区", places=[f"{WANMINGYUAN}.02"], since="2026-11-02"),
        a_fact("category_set", "010101", 1, code="010101", name="阳台", retired=False),
        a_fact("category_set", "010101", 2, code="010101", name="私搭阳台", retired=False),
        a_rule("*", "110102", lead="zongzhi"),
        a_rule("0101", STREET, 1, lead="zhujian"),
        a_rule("0101", STREET, 2, assists=["zhujian"]),
        a_rule("0101", WANMINGYUAN, 1, lead="zongzhi"),
        a_fact("rule_removed", f"0101@{WANMINGYUAN}", 2, category="0101", unit=WANMINGYUAN),
        a_term(seat, WANG, 1, "t0"),
        a_fact("term_ended", seat, 2, term="t0", until="2026-06-30", **post),
        a_term(seat, MA, 3, "t1", since="2026-07-01"),
        a_term(f"zhujian@{OLD}", WANG, 1, "t2"),
        a_fact("leave_taken", MA, 1, absence="a1", since="2026-11-20", until="2026-11-30", substitute=LI),
        a_fact("leave_taken", LI, 1, absence="a2", since="2026-11-24", until="2026-11-26", substitute=None),
        a_fact("leave_ended", LI, 2, absence="a2", back="2026-11-24"),
        a_fact("unit_settings_changed", STREET, 1, unit=STREET, settings={"report_within": 99}, pilot_settings={}),
    ]


def whole(view: Answering) -> dict:
    """Give everything that the view holds."""
    names = [name for name in view.database.list_collection_names() if name.endswith("_heard")]
    return {name: {row.pop("_id"): row for row in view.database[name].find({})} for name in names}


def test_the_same_facts_late_twice_and_in_any_order_are_the_same_view(client, view):
    for fact in told():
        fold(view, fact)
    expected = whole(view)
    assert len(expected) == 6
    for seed in range(6):
        chance, facts = random.Random(seed), told() + told()
        chance.shuffle(facts)
        other = Answering(client[f"{view.database.name}_{seed}"], view.caller, view.now)
        for fact in facts:
            fold(other, fact)
        assert whole(other) == expected, f"seed {seed}"
        client.drop_database(other.database.name)


def test_who_answers_is_found_by_rule_seat_and_leave(view):
    for fact in told():
        fold(view, fact)
    found = view.responsible("0101", f"{OLD}.01", None)
    assert (found["rule"], found["rule_version"]) == (f"0101@{STREET}", 2)
    lead = {"department": "chengguan", "person": LI, "instead_of": MA, "seat": f"chengguan@{WANMINGYUAN}"}
    assert lead.items() <= found["lead"].items()
    # The specialist of the community that was merged still answers, in the one that it became.
    assert view.responsible("0101", WANMINGYUAN, None)["assists"][0]["person"] == WANG
    assert view.responsible("0101", WANMINGYUAN, datetime(2026, 6, 1).date())["lead"]["person"] == WANG
    assert view.responsible("010101", WANMINGYUAN, None)["rule"] == f"0101@{STREET}"
    assert view.responsible("0205", "110102", None)["rule"] == "*@110102"
    assert view.responsible("0101", NEW, None)["rule"] == f"0101@{STREET}"
    assert view.communities(WANMINGYUAN) == [WANMINGYUAN, OLD, THIRD]
    assert view.successors(THIRD) == [THIRD, OLD, WANMINGYUAN]
    assert view.successors(OLD) == [OLD, WANMINGYUAN]
    assert view.settings(WANMINGYUAN, {"report_within": 200}) == {"report_within": 99}


@pytest.mark.parametrize(
    ("category", "unit", "wrong"),
    [("0177", WANMINGYUAN, "category"), ("010102", WANMINGYUAN, "category"), ("0101", "110102777001", "unit")]
    + [("0101", "110107001012", "unit"), ("0101", "110107", "unit"), ("01010", WANMINGYUAN, "category")],
)  # fmt: skip
def test_what_nobody_heard_of_is_refused_by_its_name(view, category, unit, wrong):
    for fact in told():
        fold(view, fact)
    with pytest.raises(Invalid) as refused:
        view.responsible(category, unit, None)
    assert list(refused.value.fields) == [wrong]


def test_where_no_rule_reaches_nobody_is_named(view):
    fold(view, told()[0])
    with pytest.raises(NotFound, match="没有 0101"):
        view.responsible("0101", WANMINGYUAN, None)


def test_another_districts_rules_and_people_do_not_count(client, view):
    for fact in told():
        fold(view, fact)
    other = Answering(view.database, Caller("110107"), view.now)
    fold(other, a_fact("opened", "110107", district="110107", settings={}, communities=["110107001012"]))
    with pytest.raises(NotFound):
        other.responsible("0101", "110107001012", None)


def test_who_answers_is_four_questions_to_the_database_and_then_none(view, counting):
    for fact in told()[:3] + [a_rule("0101", "110102"), a_term(f"chengguan@{WANMINGYUAN}", MA)]:
        fold(view, fact)
    answering.REMEMBERED.clear()
    counting.asked.clear()
    assert view.responsible("0101", WANMINGYUAN, None)["lead"]["person"] == MA
    assert counting.asked == ["find"] * 4, "units, rules, seats, leaves"
    assert view.responsible("0101", WANMINGYUAN, None)["lead"]["person"] == MA
    assert len(counting.asked) == 4, "what was found is remembered"
