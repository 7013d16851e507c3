"""Each act upon a whistle: from which stage it may be done, by whom, and what it refuses in plain words."""

from datetime import timedelta

import pytest

from services.whistle.domain import calling, closing, whistles
from shared.caller import Caller
from shared.errors import Conflict, Forbidden, Invalid, Refusal
from tests.make_whistle import (
    COMMUNITY,
    DISTRICT,
    ID,
    NEXT_DOOR,
    NOW,
    ORDERS,
    PLACE,
    RESIDENT,
    RULES,
    SECRETARY,
    STREET,
    STREET_LEAD,
    WORKER,
    Life,
    a_life,
    a_person,
    at,
    given,
    of,
)  # fmt: skip

STAGES = ("awaiting", "rejected", "dispatched", "answered", "confirmed", "settled", "withdrawn", "merged")
OPEN = {"dispatched", "answered", "confirmed"}
CHENGGUAN, ZHUJIAN = of("chengguan"), of("zhujian")
ELSEWHERE = ("join", "erase", "hand_over")  # a department's own, or kept from it by the permission alone
# Who does it, and at which stages of the whistle it goes through at once.
MAY = {
    "approve": (STREET_LEAD, {"awaiting"}),
    "summon": (SECRETARY, OPEN),
    "sign": (CHENGGUAN, {"dispatched"}),
    "contact": (CHENGGUAN, {"dispatched"}),
    "report": (CHENGGUAN, {"dispatched"}),
    "take_up": (CHENGGUAN, set()),  # only after reporting in
    "feed_back": (CHENGGUAN, set()),
    "send_back": (CHENGGUAN, {"dispatched"}),
    "decide_return": (STREET_LEAD, set()),  # only of what was sent back
    "reassign": (STREET_LEAD, OPEN),
    "convene": (STREET_LEAD, OPEN),
    "conclude": (STREET_LEAD, set()),  # only what was convened
    "ask_extension": (CHENGGUAN, {"dispatched"}),
    "decide_extension": (STREET_LEAD, set()),  # only what was asked for
    "put_on_account": (STREET_LEAD, {"dispatched"}),
    "take_off_account": (STREET_LEAD, set()),  # only what is on account
    "supervise": (STREET_LEAD, OPEN),
    "escalate": (SECRETARY, OPEN),
    "withdraw": (SECRETARY, {"awaiting", "dispatched"}),
    "hand_over": (STREET_LEAD, OPEN),
    "join": (RESIDENT, OPEN),
    "merge": (SECRETARY, {"dispatched", "answered"}),
    "part": (SECRETARY, {"merged"}),
    "confirm": (SECRETARY, {"answered"}),
    "settle": (SECRETARY, {"confirmed"}),
    "reopen": (SECRETARY, {"settled"}),
    "move_dues": (STREET_LEAD, OPEN),
    "erase": (a_person("district", unit=DISTRICT), set(STAGES)),
}


def test_every_act_is_in_the_table():
    assert set(MAY) == set(ORDERS)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", sorted(MAY))
def test_an_act_is_refused_from_a_wrong_stage_and_changes_nothing(name, stage):
    who, stages = MAY[name]
    life = at(stage)
    before, world = life.state, {"target": a_life().state}
    if stage in stages:
        assert life.decide(name, who, world=world), f"{name} goes through when {stage}"
    else:
        with pytest.raises(Refusal) as refused:
            life.decide(name, who, world=world)
        said = str(refused.value)
        assert " / " in said, f"said in both languages: {said}"
    assert life.state == before


@pytest.mark.parametrize("name", sorted(set(MAY) - {"join", "erase", "approve"}))
def test_nobody_of_another_community_does_it(name):
    stage = next((each for each in STAGES if each in MAY[name][1]), "dispatched")
    stranger = a_person("secretary", "a-stranger", NEXT_DOOR)
    with pytest.raises((Forbidden, Conflict)):
        at(stage).decide(name, stranger, world={"target": a_life().state})


@pytest.mark.parametrize(
    "name", sorted(name for name, (who, _) in MAY.items() if not who.department and name not in ELSEWHERE)
)
def test_a_department_does_not_do_what_the_community_does(name):
    stage = next((each for each in STAGES if each in MAY[name][1]), "dispatched")
    with pytest.raises((Forbidden, Conflict)):
        at(stage).decide(name, CHENGGUAN, world={"target": a_life().state})


# -- blowing -----------------------------------------------------------------------------------------------------------


def test_who_may_blow_which_kind_is_the_districts_table():
    rules = {"blowing": [{"role": "secretary", "kinds": ["群众诉求"], "approval": False}]}
    with pytest.raises(Forbidden, match="群众诉求"):
        a_life(world={"rules": rules}, kind="综合执法")
    with pytest.raises(Forbidden):
        a_life(by=WORKER, world={"rules": rules}, kind="群众诉求")
    assert a_life(world={"rules": rules}, kind="群众诉求").state.stage == "dispatched"


def test_where_the_district_wants_it_the_street_approves_before_anybody_is_called():
    life = at("awaiting")
    assert (life.state.stage, life.state.active) == ("awaiting", {})
    with pytest.raises(Forbidden):
        life.decide("approve", a_person("street", SECRETARY.actor, STREET))
    life.do("approve", STREET_LEAD)
    assert (life.state.stage, list(life.state.active)) == ("dispatched", ["chengguan", "zhujian"])


def test_residents_blow_where_the_district_lets_them_and_the_community_takes_it():
    with pytest.raises(Forbidden, match="尚未开通"):
        a_life(by=RESIDENT, kind="群众诉求", departments=[], world={"rules": {"resident_whistle": False}})
    with pytest.raises(Forbidden, match="社区先接"):
        a_life(by=RESIDENT, kind="群众诉求", departments=["chengguan"])
    life = a_life(by=RESIDENT, kind="群众诉求", departments=[])
    assert (list(life.state.active), life.state.source) == (["community"], "resident")
    assert life.state.summonses["community"]["person"] == "community-1"


def a_rule(**changes) -> dict:
    return {
        "rule": f"01@{DISTRICT}", "lead": "chengguan", "assists": ["zhujian"], "community_first": False,
        "never_community": False,
    } | changes  # fmt: skip


def test_whom_nobody_names_the_catalogue_names():
    life = a_life(departments=[], world={"rule": a_rule()})
    assert [(name, each["role"]) for name, each in life.state.active.items()] == [
        ("chengguan", "lead"), ("zhujian", "assist"),
    ]  # fmt: skip
    with pytest.raises(Invalid, match="派单目录"):
        a_life(departments=[])


def test_what_the_community_tries_first_is_not_called_up_at_once_but_by_the_street():
    world = {"rule": a_rule(community_first=True)}
    with pytest.raises(Invalid, match="先由社区"):
        a_life(world=world)
    assert list(a_life(departments=[], world=world).state.active) == ["community"]
    assert list(a_life(by=STREET_LEAD, world=world).state.active) == ["chengguan"]


def test_what_is_not_on_the_duty_list_is_never_pushed_down_to_the_community():
    world = {"rule": a_rule(never_community=True)}
    with pytest.raises(Invalid, match="不得下派社区"):
        a_life(departments=["community"], world=world)
    up = a_life(by=RESIDENT, kind="群众诉求", departments=[], world=world)
    assert list(up.state.active) == ["chengguan", "zhujian"], "a resident's whistle goes up directly"


def test_solved_at_home_no_department_hears_of_it():
    life = a_life(by=RESIDENT, kind="群众诉求", departments=[])
    life.do("sign", WORKER).do("report", WORKER, place=PLACE).do("feed_back", WORKER)
    with pytest.raises(Forbidden, match="反映人或他人"):
        life.decide("confirm", WORKER)
    life.do("confirm", RESIDENT).do("settle", SECRETARY)
    assert {each["to"] for each in life.entries} == {"all"}
    assert life.state.result == "solved"


def test_what_home_cannot_solve_is_called_up_and_keeps_its_history():
    life = a_life(by=RESIDENT, kind="群众诉求", departments=[]).do("report", WORKER)
    n = len(life.entries)
    life.do("summon", SECRETARY, departments=["chengguan", "zongzhi"])
    assert life.state.lead == "chengguan"
    assert len(life.state.reports) == 1
    assert len(life.entries) == n + 2


def test_a_place_must_lie_in_the_community_and_a_department_must_be_the_districts():
    with pytest.raises(Invalid):
        a_life(unit=f"{NEXT_DOOR}.1")
    with pytest.raises(Invalid, match="chengguan、zhujian"):
        a_life(departments=["moon"])
    assert a_life(unit=f"{COMMUNITY}.1.2").state.unit == f"{COMMUNITY}.1.2"
    with pytest.raises(Invalid):
        a_life(unit=f"{COMMUNITY}.1.2", world={"path": ()})  # there is no such place
    moved = f"{NEXT_DOOR}.1"  # by a merger, or a split: its code is what it was
    assert a_life(unit=moved, world={"path": (moved, NEXT_DOOR, COMMUNITY)}).state.unit == moved


def test_a_resident_withdraws_no_neighbours_whistle_and_nobody_what_others_reported_too():
    for somebody in (RESIDENT, WORKER):
        with pytest.raises(Forbidden):
            a_life().do("withdraw", somebody)
    assert a_life().do("withdraw", a_person("secretary", "other")).state.stage == "withdrawn"
    with pytest.raises(Conflict, match="他人"):
        a_life().do("join", RESIDENT).do("withdraw", SECRETARY)


def test_who_may_not_summon_names_no_department_when_blowing():
    rules = {"blowing": [{"role": "worker", "kinds": ["综合执法"], "approval": False}]}
    with pytest.raises(Forbidden, match="书记"):
        Life().decide("blow", WORKER, world={"rules": rules}, departments=["chengguan"])
    assert Life().decide("blow", WORKER, world={"rules": rules}, departments=["community"])


def test_where_the_district_wants_it_solved_is_what_was_seen_on_the_spot():
    def confirmed(**order):
        return a_life(world={"rules": {"confirm_on_spot": True}}).solved().do("confirm", SECRETARY, **order)

    photo = "ab" * 32
    for order in ({}, {"photos": [photo]}, {"photos": [photo], "place": {"lon": 116.6, "lat": 39.93}}):
        with pytest.raises(Invalid):
            confirmed(**order)
    assert confirmed(photos=[photo], place=PLACE).state.stage == "confirmed"
    assert confirmed(solved=False).state.stage == "dispatched"


def test_what_was_merged_into_something_that_is_over_lives_on():
    life = both().do("merge", SECRETARY, world={"target": a_life().state})
    timer = Caller(DISTRICT, "whistle", ("timer",))
    again = list(closing.fall_out(life.state, caller=timer, now=life.now, given=given(), into=life.state.merged_into))
    assert [each.fact.name for each in again] == ["parted", "called", "called"]
    life.add(again, timer)
    assert life.state.stage == "dispatched"
    assert not list(closing.fall_out(life.state, caller=timer, now=life.now, given=given(), into="x"))


def test_each_department_is_called_alone_to_the_person_who_answers_with_its_limits():
    life = a_life(departments=["chengguan", "zhujian"])
    called = [entry for entry in life.entries if entry["fact"] == "called"]
    assert [(each["to"], each["data"]["person"]) for each in called] == [
        ("chengguan", "chengguan-1"), ("zhujian", "zhujian-1"),
    ]  # fmt: skip
    assert [due["clock"] for due in called[0]["data"]["dues"]] == ["sign", "contact", "report", "resolve", "feed_back"]
    assert called[0]["data"]["why"]


# -- working -----------------------------------------------------------------------------------------------------------


def test_whoever_stands_on_the_spot_has_signed_for_it():
    clocks = a_life().do("report", CHENGGUAN).state.summonses["chengguan"]["clocks"]
    assert [name for name, each in clocks.items() if "met" in each] == ["sign", "contact", "report"]


def test_several_people_of_one_department_come_and_nobody_twice():
    life = a_life().do("report", CHENGGUAN).do("report", of("chengguan", "li"))
    assert len(life.state.reports) == 2
    with pytest.raises(Conflict, match="已报到"):
        life.decide("report", CHENGGUAN)


def test_a_report_from_far_away_is_accepted_and_marked():
    life = a_life(departments=["chengguan", "zhujian"])
    life.do("report", CHENGGUAN, place=PLACE).do("report", ZHUJIAN, place={"lon": 116.40, "lat": 39.93})
    near, far = life.state.reports.values()
    assert (near["distance"], near["far"]) == (0, False)
    assert far["far"]
    assert 4000 < far["distance"] < 6000


def test_an_outcome_is_counted_in_a_measure_of_the_district():
    life = a_life().do("report", CHENGGUAN)
    with pytest.raises(Invalid, match="illegal_structure"):
        life.decide("feed_back", CHENGGUAN, outcomes=[{"measure": "moons", "count": 1, "amount": None}])
    with pytest.raises(Invalid, match="只计件数"):
        life.decide("feed_back", CHENGGUAN, outcomes=[{"measure": "problem", "count": 1, "amount": 2.0}])
    life.do("feed_back", CHENGGUAN, outcomes=[{"measure": "illegal_structure", "count": 1, "amount": 12.5}])
    assert life.state.summonses["chengguan"]["answer"]["outcomes"] == [
        {"measure": "illegal_structure", "count": 1, "amount": 12.5, "unit": "m²"}
    ]


def test_more_time_is_asked_for_with_a_reason_and_granted_to_the_result_only():
    until = NOW + timedelta(days=20)
    life = a_life().do("report", CHENGGUAN).do("ask_extension", CHENGGUAN, until=until)
    with pytest.raises(Conflict, match="待批"):
        life.decide("ask_extension", CHENGGUAN, until=until)
    life.do("decide_extension", STREET_LEAD)
    clocks = life.state.summonses["chengguan"]["clocks"]
    assert (clocks["resolve"]["due"], clocks["feed_back"]["due"]) == (until, until)
    assert life.entries[-1]["to"] == "all", "the reporter is told, too"
    assert life.state.summonses["chengguan"]["extension"] is None


@pytest.mark.parametrize("days", [1, 61])
def test_an_extension_is_later_than_the_limit_and_no_longer_than_sixty_days(days):
    with pytest.raises(Invalid):
        a_life().decide("ask_extension", CHENGGUAN, until=NOW + timedelta(days=days))


# -- returning and meeting ---------------------------------------------------------------------------------------------


def both():
    return a_life(departments=["chengguan", "zhujian"])


def test_the_first_department_names_who_should_have_it_and_stays_until_another_leads():
    with pytest.raises(Invalid, match="首接"):
        both().decide("send_back", CHENGGUAN, proposes=None)
    life = both().do("send_back", CHENGGUAN, proposes="shichang")
    assert "chengguan" in life.state.active
    with pytest.raises(Invalid, match="首接负责"):
        life.decide("decide_return", STREET_LEAD, department="chengguan", upheld=True)
    life.do("decide_return", STREET_LEAD, department="chengguan", upheld=True, instead="shichang")
    assert (life.state.lead, "chengguan" in life.state.active) == ("shichang", False)


def test_a_return_that_is_refused_leads_back_to_where_it_was():
    life = both().do("sign", ZHUJIAN).do("send_back", ZHUJIAN).do("decide_return", STREET_LEAD)
    assert life.state.summonses["zhujian"]["stage"] == "signed"


def test_an_assisting_department_is_released_without_another():
    life = both().do("send_back", ZHUJIAN).do("decide_return", STREET_LEAD, upheld=True)
    assert list(life.state.active) == ["chengguan"]


def test_the_second_return_of_one_whistle_calls_a_joint_meeting_that_decides():
    life = both().do("send_back", ZHUJIAN).do("decide_return", STREET_LEAD).do("send_back", CHENGGUAN)
    assert life.state.meeting == {"due": True}
    for name in ("decide_return", "reassign"):
        with pytest.raises(Conflict, match="会商"):
            life.decide(name, STREET_LEAD, department="chengguan", **({"upheld": True} if name[0] == "d" else {}))
    with pytest.raises(Conflict):
        life.decide("conclude", STREET_LEAD)
    life.do("convene", STREET_LEAD)
    with pytest.raises(Invalid, match="主办"):
        life.decide("conclude", STREET_LEAD, release=["chengguan"], lead=None)
    life.do("conclude", STREET_LEAD, release=["chengguan"], summon=["zongzhi"], lead="zongzhi")
    assert life.state.lead == "zongzhi"
    assert set(life.state.active) == {"zhujian", "zongzhi"}
    assert life.state.meeting["concluded_at"] == life.now


def test_whoever_sent_back_and_is_not_released_by_the_meeting_goes_on():
    life = both().do("send_back", ZHUJIAN).do("decide_return", STREET_LEAD).do("send_back", CHENGGUAN)
    life.do("convene", STREET_LEAD).do("conclude", STREET_LEAD)
    assert life.state.summonses["chengguan"]["stage"] == "called"


def test_when_the_last_open_summons_is_released_the_whistle_is_answered():
    life = both().do("report", CHENGGUAN).do("feed_back", CHENGGUAN).do("send_back", ZHUJIAN)
    life.do("decide_return", STREET_LEAD, upheld=True)
    assert life.state.stage == "answered"
    assert "due" in life.state.clocks["confirm"]


# -- closing -----------------------------------------------------------------------------------------------------------


def test_a_community_settles_only_what_was_seen_to_be_solved():
    life = both().do("report", CHENGGUAN).do("feed_back", CHENGGUAN)
    with pytest.raises(Conflict, match="zhujian"):
        life.decide("confirm", SECRETARY)
    life.do("report", ZHUJIAN).do("feed_back", ZHUJIAN)
    with pytest.raises(Conflict, match="现场确认"):
        life.decide("settle", SECRETARY)
    life.do("confirm", SECRETARY, place=PLACE).do("settle", SECRETARY)
    assert life.state.confirmations[0]["distance"] == 0


def test_who_handled_it_does_not_say_that_it_is_solved():
    with pytest.raises(Forbidden, match="承办"):
        at("answered").decide("confirm", CHENGGUAN)


def test_what_is_not_solved_is_worked_at_again_by_who_leads_with_new_limits():
    life = at("answered").later(days=3).do("confirm", SECRETARY, solved=False)
    summons = life.state.summonses["chengguan"]
    assert (life.state.stage, summons["stage"]) == ("dispatched", "handling")
    assert summons["clocks"]["resolve"] == {
        "due": life.now + timedelta(days=7), "remind": life.now + timedelta(days=6),
    }  # fmt: skip
    assert "met" in summons["clocks"]["sign"]


def test_unsolved_needs_a_lawful_reason_and_counts_as_not_solved():
    life = at("answered")
    with pytest.raises(Invalid, match="原因"):
        life.decide("settle", SECRETARY, result="unsolved")
    life.do("settle", SECRETARY, result="unsolved", reason="objective_obstacle")
    assert (life.state.result, life.state.reason) == ("unsolved", "objective_obstacle")
    with pytest.raises(Invalid):
        at("confirmed").decide("settle", SECRETARY, reason="objective_obstacle")


def test_a_reporter_reopens_within_the_districts_days():
    life = at("settled").later(days=RULES["reopen_days"])
    assert life.decide("reopen", SECRETARY)
    life.later(minutes=1)
    with pytest.raises(Conflict, match="期限"):
        life.decide("reopen", SECRETARY)
    with pytest.raises(Forbidden):
        at("settled").decide("reopen", a_person("resident", "a-neighbour"))


def test_whoever_blew_it_withdraws_it_until_somebody_has_come():
    life = both().do("report", CHENGGUAN)
    with pytest.raises(Conflict, match="已有人报到"):
        life.decide("withdraw", SECRETARY)
    life = both().do("withdraw", SECRETARY)
    assert [entry["to"] for entry in life.entries if entry["fact"] == "called_off"] == ["chengguan", "zhujian"]


def test_merging_keeps_every_reporter_and_calls_nobody_twice():
    one = a_life().do("join", a_person("resident", "li"))
    other = both().do("merge", SECRETARY, world={"target": one.state})
    assert (other.state.stage, other.state.active, other.state.wake) == ("merged", {}, None)
    people = sorted(other.state.people | {"wang"})
    for _ in range(2):
        happened = closing.absorb(one.state, caller=SECRETARY, now=NOW, people=people, source=ID)
        one.add(list(happened), SECRETARY)
    assert [each["person"] for each in one.state.reporters] == ["li", "wang"]
    other.do("part", SECRETARY)
    assert (other.state.stage, list(other.state.active)) == ("dispatched", ["chengguan", "zhujian"])


def test_what_is_of_another_class_is_not_merged():
    with pytest.raises(Invalid, match="类别不同"):
        a_life().decide("merge", SECRETARY, world={"target": a_life(category="0201").state})


def test_it_goes_up_one_echelon_at_a_time_and_no_further_than_the_district():
    life = a_life().do("escalate", SECRETARY)
    assert life.state.echelon == "street"
    with pytest.raises(Conflict, match="上级"):
        life.decide("escalate", SECRETARY)
    life.do("escalate", STREET_LEAD)
    with pytest.raises(Conflict, match="区级"):
        life.decide("escalate", STREET_LEAD)


def test_open_work_of_somebody_who_left_goes_to_who_answers_then():
    life = a_life()
    left = {"department": "chengguan", "left": "chengguan-1"}
    fresh = given(answers={"chengguan": {"person": "new", "seat": "s", "instead_of": None, "why": "在岗"}})
    timer = Caller(DISTRICT, "timer", ("timer",))
    life.add(list(calling.pass_on(life.state, caller=timer, now=NOW, given=fresh, **left)), timer)
    assert life.state.summonses["chengguan"]["person"] == "new"
    assert not list(calling.pass_on(life.state, caller=timer, now=NOW, given=fresh, **left))


def test_a_summons_is_handed_to_somebody_who_holds_a_seat_of_that_department_or_stands_in_there():
    life = a_life()
    with pytest.raises(Invalid, match="没有这位专员"):
        life.decide("hand_over", STREET_LEAD, person="a-stranger")
    life.do("hand_over", STREET_LEAD, act := "4b0c1d2e-0000-4000-8000-000000000001", person="someone-else")
    assert life.state.summonses["chengguan"]["person"] == "someone-else"
    # Told again after they have left, the same order finds what it did.
    assert life.decide("hand_over", STREET_LEAD, act, person="someone-else", world={"staff": frozenset()}) == []


def test_no_fact_carries_what_a_person_wrote():
    life = a_life(title="秘密标题", text="秘密", address="秘密楼", expected="秘密").do("report", CHENGGUAN, note="秘密")
    life.do("feed_back", CHENGGUAN, text="秘密").do("confirm", SECRETARY, note="秘密").do(
        "settle", SECRETARY, note="秘密"
    )
    assert "秘密" not in str([entry["data"] for entry in life.entries])


def test_the_same_order_again_decides_nothing_and_another_under_its_id_is_refused():
    life = a_life().do("report", CHENGGUAN, act=ID, note="到了")
    assert life.decide("report", CHENGGUAN, act=ID, note="到了") == []
    for caller, order in ((CHENGGUAN, {"note": "别的"}), (CHENGGUAN, {"place": PLACE}), (of("chengguan", "li"), {})):
        with pytest.raises(Conflict, match="编号"):
            life.decide("report", caller, act=ID, **{"note": "到了"} | order)


def test_both_tables_of_life_cycles_name_each_stage():
    for table in (whistles.NEXT, whistles.NEXT_OF_SUMMONS):
        assert {stage for goes in table.values() for stage in goes} <= set(table)
    assert set(whistles.SAID) >= {each for each in whistles.NEXT if each} | set(whistles.NEXT_OF_SUMMONS)
