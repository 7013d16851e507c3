"""The whistle's first rules: who may do what, and when."""

import pytest

from shared.contracts import whistle as contract
from shared.errors import Conflict, Forbidden, Invalid
from tests.make import a_blow
from tests.make_whistle import NEXT_DOOR, RESIDENT, SECRETARY, STREET_LEAD, Life, a_life, a_person, of

R1, R2, S1, S2 = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(4))
BOTH = ["chengguan", "zhujian"]


def answered() -> Life:
    """Give a whistle of which all who were called have come and given their result, looked at on the spot."""
    return a_life().solved().do("confirm", SECRETARY)


def test_a_whistle_calls_each_department_alone():
    facts = Life().decide("blow", SECRETARY, departments=BOTH)
    assert [(each.fact.name, each.to) for each in facts] == [
        ("blown", "all"), ("called", "chengguan"), ("called", "zhujian"),
    ]  # fmt: skip


def test_no_fact_carries_what_a_person_wrote():
    facts = Life().decide("blow", SECRETARY, title="秘密", text="电话", address="三单元", expected="拆掉")
    said = str([each.data for each in facts])
    assert not any(word in said for word in ("秘密", "电话", "三单元", "拆掉"))
    assert facts[0].words == {"title": "秘密", "text": "电话", "address": "三单元", "expected": "拆掉"}


def test_a_secretary_blows_for_her_own_community_only():
    with pytest.raises(Forbidden):
        a_life(community=NEXT_DOOR)


def test_a_street_blows_for_its_communities():
    assert a_life(by=STREET_LEAD).state.stage == "dispatched"


def test_an_unknown_department_is_named_with_those_that_are_known():
    with pytest.raises(Invalid, match="chengguan、zhujian"):
        a_life(departments=["moon"])


def test_a_department_is_called_once():
    with pytest.raises(Invalid):
        contract.blow.load(a_blow(departments=["chengguan", "chengguan"]))
    with pytest.raises(Conflict, match="chengguan"):
        a_life().do("summon", SECRETARY, departments=["zhujian", "chengguan"])


def test_only_a_called_department_reports_in():
    with pytest.raises(Forbidden):
        a_life().do("report", of("zhujian"))


def test_a_whistle_is_answered_when_every_called_department_has_given_its_result():
    life = a_life(departments=BOTH)
    for department in BOTH:
        life.do("report", of(department))
    life.do("feed_back", of("chengguan"))
    assert life.state.stage == "dispatched"
    life.do("feed_back", of("zhujian"))
    assert life.state.stage == "answered"


def test_several_people_of_one_department_may_come():
    life = a_life().do("report", of("chengguan", "ma")).do("report", of("chengguan", "li"))
    assert {each["person"] for each in life.state.reports.values()} == {"ma", "li"}


def test_nobody_reports_in_twice():
    with pytest.raises(Conflict):
        a_life().do("report", of("chengguan"), R1).do("report", of("chengguan"), R2)


def test_the_same_report_again_changes_nothing():
    life = a_life().do("report", of("chengguan"), R1)
    assert life.decide("report", of("chengguan"), R1) == []


def test_a_community_settles_only_when_all_have_answered():
    for life in (a_life(), a_life().do("report", of("chengguan"))):
        with pytest.raises(Conflict, match="chengguan"):
            life.do("settle", SECRETARY)


def test_a_community_settles_as_solved_only_what_it_has_seen():
    with pytest.raises(Conflict, match="现场确认"):
        a_life().solved().do("settle", SECRETARY)


def test_a_department_does_not_settle_for_the_community():
    for somebody in (of("chengguan"), a_person("secretary", unit=NEXT_DOOR)):
        with pytest.raises(Forbidden):
            answered().do("settle", somebody)


def test_a_whistle_is_settled_once():
    life = answered().do("settle", SECRETARY, S1)
    assert life.state.stage == "settled"
    assert life.decide("settle", SECRETARY, S1) == []
    with pytest.raises(Conflict):
        life.do("settle", SECRETARY, S2)


def test_nobody_reports_in_on_a_settled_whistle():
    with pytest.raises(Conflict):
        answered().do("settle", SECRETARY).do("report", of("chengguan", "late"))


def test_the_same_id_with_other_words_is_refused():
    life = answered().do("settle", SECRETARY, S1, note="已拆除")
    for note in ("别的话", ""):
        with pytest.raises(Conflict):
            life.do("settle", SECRETARY, S1, note=note)
    assert life.decide("settle", SECRETARY, S1, note="已拆除") == []


def test_nobody_joins_a_confidential_whistle_in_order_to_read_it():
    secret = a_life(confidential=True)
    for stranger in (RESIDENT, a_person("worker", unit=NEXT_DOOR), of("zhujian")):
        with pytest.raises(Forbidden, match="保密"):
            secret.do("join", stranger)
    assert "li" in secret.do("join", a_person("worker", "li")).state.people
    assert RESIDENT.actor in a_life().do("join", RESIDENT).state.people


def test_nothing_is_merged_into_a_confidential_whistle_whose_words_its_reporters_would_then_read():
    secret, other = a_life(confidential=True), a_life()
    with pytest.raises(Conflict, match="保密"):
        other.do("merge", SECRETARY, world={"target": secret.state})
    assert secret.do("merge", SECRETARY, world={"target": other.state}).state.stage == "merged"


def test_the_same_report_by_another_person_is_refused():
    life = a_life().do("report", of("chengguan"), R1)
    with pytest.raises(Conflict):
        life.do("report", of("chengguan", "li"), R1)
