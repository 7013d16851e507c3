"""The whistle's rules: who may do what, and when."""

from datetime import UTC, datetime

import pytest

from services.whistle.domain import whistles as domain
from shared.caller import Caller
from shared.errors import Conflict, Forbidden, Invalid

R1, R2, R9, S1, S2 = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(5))
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECRETARY = Caller("110102", "head", ("secretary",), "110102009041")
RULES = {"departments": ["chengguan", "zhujian"]}


def a_specialist(department="chengguan", actor="ma") -> Caller:
    return Caller("110102", actor, ("specialist",), "110102", department)


def a_call(**changes) -> dict:
    return {
        "rules": RULES, "kind": "综合执法", "category": "0101", "community": "110102009041",
        "departments": ["chengguan"], "title": "私搭", "text": "", "place": None, "photos": [], **changes,
    }  # fmt: skip


def grown(whistle, happened, actor="somebody"):
    """Give the whistle as these facts made it."""
    for each in happened:
        whistle = domain.evolve(whistle, each.fact.name, each.data, NOW, actor)
    return whistle


def a_whistle(**changes):
    return grown(domain.Whistle(), domain.blow(domain.Whistle(), caller=SECRETARY, now=NOW, **a_call(**changes)))


def reported(whistle, caller, report=R1):
    order = {"report": report, "place": None, "photos": [], "words": {}}
    return grown(whistle, domain.report(whistle, caller=caller, now=NOW, **order), caller.actor)


def settle(whistle, caller=SECRETARY, settlement=S1):
    return list(domain.settle(whistle, caller=caller, now=NOW, settlement=settlement, note="", photos=[], words={}))


def test_a_whistle_calls_each_department_alone():
    facts = list(
        domain.blow(domain.Whistle(), caller=SECRETARY, now=NOW, **a_call(departments=["chengguan", "zhujian"]))
    )
    assert [(each.fact.name, each.to) for each in facts] == [
        ("blown", "all"), ("called", "chengguan"), ("called", "zhujian"),
    ]  # fmt: skip


def test_no_fact_carries_what_a_person_wrote():
    facts = list(domain.blow(domain.Whistle(), caller=SECRETARY, now=NOW, **a_call(title="秘密", text="电话")))
    assert "秘密" not in str([each.data for each in facts])
    assert facts[0].words["title"] == "秘密"


def test_a_secretary_blows_for_her_own_community_only():
    with pytest.raises(Forbidden):
        list(domain.blow(domain.Whistle(), caller=SECRETARY, now=NOW, **a_call(community="110102009038")))


def test_a_street_blows_for_its_communities():
    street = Caller("110102", "feng", ("street",), "110102009000")
    assert list(domain.blow(domain.Whistle(), caller=street, now=NOW, **a_call()))


def test_an_unknown_department_is_named_with_those_that_are_known():
    with pytest.raises(Invalid, match="chengguan、zhujian"):
        list(domain.blow(domain.Whistle(), caller=SECRETARY, now=NOW, **a_call(departments=["moon"])))


def test_a_department_is_called_once():
    with pytest.raises(Invalid):
        list(domain.blow(domain.Whistle(), caller=SECRETARY, now=NOW, **a_call(departments=["chengguan", "chengguan"])))


def test_only_a_called_department_reports_in():
    with pytest.raises(Forbidden):
        reported(a_whistle(), a_specialist("zhujian"))


def test_a_whistle_is_attended_when_every_called_department_has_come():
    whistle = a_whistle(departments=["chengguan", "zhujian"])
    whistle = reported(whistle, a_specialist("chengguan"))
    assert whistle.stage == "blown"
    whistle = reported(whistle, a_specialist("zhujian", "han"), R2)
    assert whistle.stage == "attended"


def test_several_people_of_one_department_may_come():
    whistle = reported(reported(a_whistle(), a_specialist()), a_specialist(actor="li"), R2)
    assert len(whistle.reports) == 2


def test_nobody_reports_in_twice():
    with pytest.raises(Conflict):
        reported(reported(a_whistle(), a_specialist()), a_specialist(), R2)


def test_the_same_report_again_changes_nothing():
    whistle = reported(a_whistle(), a_specialist())
    assert reported(whistle, a_specialist()) == whistle


def test_a_community_settles_only_when_all_have_come():
    with pytest.raises(Conflict, match="chengguan"):
        settle(a_whistle())


def test_a_department_does_not_settle_for_the_community():
    with pytest.raises(Forbidden):
        settle(reported(a_whistle(), a_specialist()), Caller("110102", "x", ("secretary",), "110102009038"))


def test_a_whistle_is_settled_once():
    whistle = reported(a_whistle(), a_specialist())
    whistle = grown(whistle, settle(whistle), SECRETARY.actor)
    assert whistle.stage == "settled"
    assert settle(whistle) == []
    with pytest.raises(Conflict):
        settle(whistle, settlement=S2)


def test_nobody_reports_in_on_a_settled_whistle():
    whistle = reported(a_whistle(), a_specialist())
    whistle = grown(whistle, settle(whistle), SECRETARY.actor)
    with pytest.raises(Conflict):
        reported(whistle, a_specialist(actor="late"), R9)


def test_the_same_id_with_other_words_is_refused():
    whistle = reported(a_whistle(), a_specialist())
    whistle = grown(whistle, settle(whistle), SECRETARY.actor)
    order = {"settlement": S1, "note": "别的话", "photos": []}
    said = {None: {"note": "", "photos": []}}
    with pytest.raises(Conflict):
        list(domain.settle(whistle, caller=SECRETARY, now=NOW, words=said, **order))
    assert not list(domain.settle(whistle, caller=SECRETARY, now=NOW, words=said, **order | {"note": ""}))


def test_the_same_report_by_another_person_is_refused():
    whistle = reported(a_whistle(), a_specialist())
    with pytest.raises(Conflict):
        reported(whistle, a_specialist(actor="li"))
