"""What a department's plug-in may be, what the broker has for it, how fast its door is, how old its queue."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.plugins import domain
from services.plugins.domain import PlugIn
from shared.caller import Caller
from shared.contracts.plugins import ACTS, CALLS, FACTS, Quota
from shared.contracts.whistle import called, reported
from shared.errors import Conflict, Forbidden, Invalid, Refusal, Unavailable

NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
ADMIN = Caller("110102", "admin", ("district",), "110102")
AN_ID = "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f809"
USER = "plugin-110102-chengguan-desk"
TERMS = {
    "title": "接单系统", "facts": ["whistle.called", "evaluation.rated"], "calls": ["whistle.sign", "whistle.get"],
    "quota": Quota().load({}),
}  # fmt: skip


def a_plugin(**changes) -> PlugIn:
    order = TERMS | {"department": "chengguan", "name": "desk", "acts": True, "change": AN_ID + "0"} | changes
    return told(PlugIn(), domain.plug_in(PlugIn(), caller=ADMIN, now=NOW, departments={"chengguan"}, **order))


def told(plugin: PlugIn, happened) -> PlugIn:
    for each in happened:
        plugin = domain.evolve(plugin, each.fact.name, each.data, NOW, ADMIN.actor)
    return plugin


def does(plugin: PlugIn, rule, **order) -> PlugIn:
    return told(plugin, rule(plugin, caller=ADMIN, now=NOW, **order))


# -- its life ---------------------------------------------------------------------------------------------------------


def test_a_program_is_of_a_department_that_the_district_has():
    with pytest.raises(Invalid):
        a_plugin(department="unknown")
    assert a_plugin().generation == 1


def test_what_is_left_out_of_a_change_stays():
    only_facts = {"title": None, "facts": ["whistle.overdue"], "calls": None, "quota": None}
    plugin = does(a_plugin(), domain.change_terms, change=AN_ID + "1", **only_facts)
    assert (plugin.facts, plugin.calls, plugin.title) == (["whistle.overdue"], TERMS["calls"], TERMS["title"])


def test_the_same_order_again_changes_nothing_and_another_under_its_id_is_refused():
    plugin = does(a_plugin(), domain.switch, change=AN_ID + "1", acts=False)
    assert does(plugin, domain.switch, change=AN_ID + "1", acts=False) == plugin
    for rule, order in ((domain.switch, {"acts": True}), (domain.rotate, {}), (domain.unplug, {})):
        with pytest.raises(Conflict):
            does(plugin, rule, change=AN_ID + "1", **order)
    twice = does(does(plugin, domain.rotate, change=AN_ID + "2"), domain.rotate, change=AN_ID + "2")
    assert twice.generation == 2


def test_what_was_unplugged_stays_so():
    plugin = does(a_plugin(), domain.unplug, change=AN_ID + "1")
    assert plugin.revoked_at and does(plugin, domain.unplug, change=AN_ID + "2") == plugin
    for rule, order in ((domain.switch, {"acts": True}), (domain.rotate, {})):
        with pytest.raises(Conflict):
            does(plugin, rule, change=AN_ID + "3", **order)


def test_what_was_settled_of_what_is_parked_is_remembered_by_its_order_and_not_by_its_count():
    plugin = does(a_plugin(), domain.settle_parked, change=AN_ID + "1", count=7)
    assert (
        domain.was_settled(plugin, AN_ID + "1")
        and does(plugin, domain.settle_parked, change=AN_ID + "1", count=0) == plugin
    )
    with pytest.raises(Conflict):
        domain.was_settled(plugin, AN_ID + "1", "rubbish")


# -- what the broker has ----------------------------------------------------------------------------------------------


def test_it_hears_its_own_departments_facts_in_its_own_district_and_nothing_else():
    heard = {(source, key) for source, queue, key in domain.bindings(USER, a_plugin()) if queue == f"{USER}.facts"}
    assert heard == {
        ("whistle.events", "called.110102.chengguan"), ("evaluation.events", "rated.110102.chengguan"),
        (USER, "again"),
    }  # fmt: skip


def test_its_exchange_leads_to_its_own_queues_only():
    for source, queue, key in domain.bindings(USER, a_plugin()):
        assert queue.startswith(f"{USER}.")
        assert source != USER or key in ("parked", "again", *TERMS["calls"])


@pytest.mark.parametrize("other", [f"{USER}2", f"x{USER}", "plugin-110102-chengguan", "whistle.events", "", "calls"])
def test_it_may_write_into_its_own_exchange_only_and_declare_nothing(other):
    allowed = domain.permissions(USER)
    assert re.search(allowed["write"], USER) and not re.search(allowed["write"], other)
    assert not re.search(allowed["configure"], USER) and not re.search(allowed["configure"], other or "x")
    assert [queue for queue in domain.QUEUES if re.search(allowed["read"], f"{USER}.{queue}")] == ["facts", "replies"]
    assert not re.search(allowed["read"], f"{other}.facts")


def test_a_full_queue_never_tells_a_publisher_no():
    for queue in ("facts", "parked"):
        assert domain.queues(USER)[f"{USER}.{queue}"]["x-overflow"] == "drop-head"
    assert domain.policy(USER, a_plugin())["definition"]["max-length"] == TERMS["quota"]["backlog"]
    facts = domain.queues(USER)[f"{USER}.facts"]
    aside = facts["x-dead-letter-exchange"], f"{USER}.parked", facts["x-dead-letter-routing-key"]
    assert aside in domain.bindings(USER, a_plugin())


def test_only_what_is_told_to_one_department_may_be_chosen():
    assert "whistle.called" in FACTS and "whistle.reported" not in FACTS and "whistle.blown" not in FACTS
    with pytest.raises(ValueError, match="told to all"):
        reported(to="chengguan", act="0" * 8 + "-0000-4000-8000-" + "0" * 12, order="x", community="110102009041",
                 department="chengguan", person="p")  # fmt: skip
    known = {"department": "chengguan", "kind": "综合执法", "category": "0101", "community": "110102009041"}
    assert called(to="chengguan", **known).to == "chengguan"


# -- the door ---------------------------------------------------------------------------------------------------------


def test_a_program_asks_what_it_was_given_and_acts_only_while_it_may():
    plugin = a_plugin()
    domain.may_ask(plugin, "whistle.sign")
    for wrong in ("whistle.report", "whistle.blow", "identity.admit"):
        with pytest.raises(Forbidden):
            domain.may_ask(plugin, wrong)
    people = replace(plugin, acts=False)
    domain.may_ask(people, "whistle.get")
    with pytest.raises(Forbidden, match="人工"):
        domain.may_ask(people, "whistle.sign")
    with pytest.raises(Forbidden):
        domain.may_ask(replace(plugin, revoked_at=NOW), "whistle.get")


def test_what_acts_is_what_a_departments_people_do():
    assert {
        f"whistle.{n}" for n in ["sign", "contact", "report", "take_up", "feed_back", "send_back", "ask_extension"]
    } == ACTS
    assert not any(call.needs in ("whistle.blow", "whistle.settle", "plugin.admit") for call in CALLS.values())


def test_over_its_quota_is_a_passing_no_that_says_so():
    refused = Refusal.from_message(domain.OverQuota(10).to_message())
    assert type(refused) is Unavailable and "10" in refused.detail


@given(rate=some.integers(1, 50), steps=some.lists(some.floats(0, 0.3), min_size=1, max_size=300))
def test_in_any_span_no_more_passes_than_the_quota_and_one_second_at_once(rate, steps):
    bucket, now, passed = domain.Bucket(rate, 0.0), 0.0, []
    for step in steps:
        now += step
        wait = bucket.take(now)
        assert 0 <= wait <= 1 / rate + 1e-9
        if not wait:
            passed.append(now)
    for first, begin in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= rate + rate * (passed[last] - begin) + 1e-6


# -- how old ----------------------------------------------------------------------------------------------------------


@given(some.lists(some.tuples(some.integers(0, 40), some.integers(0, 40)), max_size=200))
def test_the_age_of_the_oldest_is_that_of_a_queue_first_in_first_out(rounds):
    queue, marks = [], []
    for now, (came, left) in enumerate(rounds, 1):
        queue = (queue + [now] * came)[left:]
        marks = domain.marked(marks, came, len(queue), float(now))
        assert sum(count for _, count in marks) == len(queue) and len(marks) <= domain.MOST_MARKS
        assert bool(marks) == bool(queue)
        if marks and len(rounds) <= domain.MOST_MARKS:
            assert marks[0][0] == queue[0]


def test_what_was_not_seen_coming_is_taken_for_new():
    assert domain.marked([[1.0, 2]], 0, 5, 9.0) == [[1.0, 2], [9.0, 3]]


def test_a_department_that_has_ended_has_no_programs():
    rows = [
        {"code": "old", "until": "2026-11-24"},
        {"code": "new", "until": None},
        {"code": "now", "until": "2026-11-25"},
    ]
    assert domain.of_district(rows, date(2026, 11, 25)) == {"new", "now"}
