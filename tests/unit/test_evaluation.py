"""The rules of rating: who may rate what, once, and how it is amended."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.evaluation import domain
from services.evaluation.store import rating_id
from services.whistle.domain import working
from services.whistle.domain.whistles import Whistle, evolve
from shared.caller import Caller
from shared.contracts.permissions import ROLES
from shared.contracts.whistle import called, fed_back
from shared.errors import Conflict, Forbidden, Invalid, NotFound

A1, A2, A3, A4, WHISTLE, RATING = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(6))
NOW = datetime(2026, 11, 24, 2, 20, 13, 456_000, tzinfo=UTC)
WANMINGYUAN, NEXT_DOOR, STREET = "110102009041", "110102009038", "110102009000"
SECRETARY = Caller("110102", "zheng", ("secretary",), WANMINGYUAN)
GOOD = {"promptness": 5, "attendance": 5, "quality": 4, "cooperation": 4, "feedback": 5}
POOR = dict.fromkeys(GOOD, 2)
ANSWER = {"fact": "fed_back", "department": "chengguan", "community": WANMINGYUAN, "act": A1, "by": "ma"}
OFF = {"fact": "called_off", "department": "chengguan", "community": WANMINGYUAN}


def rated(caller=SECRETARY, known=(), absorbed=(), **changes) -> list:
    order = {"whistle": WHISTLE, "answer": ANSWER, "act": A2, "indicators": GOOD, "note": "来得快"} | changes
    return list(domain.rate(domain.Rating(), caller=caller, now=NOW, known=known, absorbed=absorbed, **order))


def grown(rating, happened, at=NOW, actor="zheng"):
    """Give a rating as these facts made it; words lie under the name of their act."""
    for each in happened:
        said = {"words": each.data["act"]} if each.words else {}
        rating = domain.evolve(rating, each.fact.name, each.data | said, at, actor)
    return rating


def a_rating(**changes):
    return grown(domain.Rating(), rated(**changes))


def a_record(rating, words=None):
    return SimpleNamespace(id=RATING, version=1, state=rating, words=words or {A2: {"note": "来得快"}})


def amend(rating, caller=SECRETARY, after=timedelta(days=1), words=None, **changes) -> list:
    order = {"act": A3, "indicators": POOR, "reason": "复查仍渗漏"} | changes
    return list(domain.amend(rating, caller=caller, now=NOW + after, words=words or {}, **order))


# -- who ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [role for role in ROLES if "evaluation.rate" in ROLES[role]])
def test_nobody_but_the_community_and_the_street_rates(role):
    assert role in ("secretary", "street")


@pytest.mark.parametrize(
    "caller",
    [
        Caller("110102", "ma", ("specialist",), "110102", "chengguan"),
        Caller("110102", "ma", ("secretary",), WANMINGYUAN, "chengguan"),
        Caller("110102", "qi", ("secretary",), NEXT_DOOR),
        Caller("110102", "qi", ("street",), "110102010000"),
    ],
)
def test_neither_a_department_nor_another_unit_rates(caller):
    with pytest.raises(Forbidden):
        rated(caller)


def test_the_street_rates_in_its_communities_and_a_successor_what_was_merged_into_it():
    assert rated(Caller("110102", "feng", ("street",), STREET))
    assert rated(Caller("110102", "qi", ("secretary",), NEXT_DOOR), absorbed=[WANMINGYUAN])


def test_the_community_does_not_rate_itself_and_the_street_does():
    at_home = {"answer": ANSWER | {"department": "community"}}
    with pytest.raises(Forbidden, match="街道评价"):
        rated(**at_home)
    [fact] = rated(Caller("110102", "feng", ("street",), STREET), **at_home)
    assert fact.to == "all"


# -- what --------------------------------------------------------------------------------------------------------------


def test_what_was_not_fed_back_is_not_rated():
    for heard in ({}, {"n2": OFF}, {"n3": ANSWER | {"department": "zhujian"}}):
        with pytest.raises(NotFound, match="尚无反馈"):
            domain.answer_of(heard, "chengguan")


def test_a_department_that_was_called_off_is_not_rated_until_it_has_fed_back_again():
    heard = {"n3": ANSWER, "n10": OFF}
    with pytest.raises(Conflict, match="已撤单"):
        domain.answer_of(heard, "chengguan")
    assert domain.answer_of(heard | {"n14": ANSWER | {"act": A4}}, "chengguan")["act"] == A4


@given(some.permutations([("n9", ANSWER), ("n12", OFF), ("n101", ANSWER | {"act": A4}), ("n20", OFF)]))
def test_the_last_result_is_rated_in_whatever_order_facts_came(steps):
    assert domain.answer_of(dict(steps), "chengguan")["act"] == A4


def test_one_rating_for_each_result():
    known = [a_record(a_rating())]
    with pytest.raises(Conflict, match="已评价"):
        rated(known=known, act=A3)
    assert rated(known=known, act=A3, answer=ANSWER | {"act": A4}), "a new result is rated anew"
    assert rating_id(WHISTLE, "chengguan", A1) != rating_id(WHISTLE, "chengguan", A4)
    assert rating_id(WHISTLE, "chengguan", A1) != rating_id(WHISTLE, "zhujian", A1)


def test_the_score_is_the_plain_mean_of_the_five_to_one_decimal():
    assert domain.score_of(GOOD) == 4.6
    assert domain.score_of(POOR) == 2.0


@given(some.lists(some.integers(1, 5), min_size=5, max_size=5))
def test_a_score_lies_between_the_worst_and_the_best_indicator(points):
    score = domain.score_of(dict(zip(GOOD, points, strict=True)))
    assert min(points) <= score <= max(points) and score * 5 == pytest.approx(sum(points))


def test_words_are_never_told_and_the_fact_goes_to_the_rated_department():
    [fact] = rated(note="秘密")
    assert fact.words == {"note": "秘密"} and "秘密" not in str(fact.data) and fact.to == "chengguan"
    assert "zheng" not in str(fact.data), "who rated is not told"


# -- again, and amended ------------------------------------------------------------------------------------------------


def again(rating, caller=SECRETARY, **changes):
    order = {"act": A2, "department": "chengguan", "indicators": GOOD, "note": "来得快"} | changes
    return domain.rated_before([a_record(rating)], caller=caller, **order)


def test_the_same_order_again_finds_what_it_did_and_another_one_under_its_id_is_refused():
    assert again(a_rating()).id == RATING
    assert again(a_rating(), act=A3) is None
    for other in (
        {"indicators": POOR},
        {"note": "别的"},
        {"department": "zhujian"},
        {"caller": Caller("110102", "feng", ("street",), STREET)},
    ):
        with pytest.raises(Conflict, match="编号已被使用"):
            again(a_rating(), **other)


def test_an_amendment_keeps_what_was_given_before():
    rating = grown(a_rating(), amend(a_rating()), NOW + timedelta(days=1))
    assert [each["score"] for each in rating.given] == [4.6, 2.0]
    shown = domain.shown(a_record(rating, {A2: {"note": "来得快"}, A3: {"reason": "复查仍渗漏"}}), SECRETARY)
    assert (shown["score"], shown["indicators"], shown["amended_at"]) == (2.0, POOR, NOW + timedelta(days=1))
    assert [each["words"] for each in shown["given"]] == [{"note": "来得快"}, {"reason": "复查仍渗漏"}]
    assert [each.data["revision"] for each in amend(rating, act=A4, indicators=GOOD)] == [3]


def test_the_same_amendment_again_decides_nothing_and_another_one_under_its_id_is_refused():
    rating = grown(a_rating(), amend(a_rating()), NOW + timedelta(days=1))
    words = {A3: {"reason": "复查仍渗漏"}}
    assert amend(rating, words=words, after=timedelta(days=30)) == []
    for other in ({"indicators": GOOD}, {"reason": "别的"}):
        with pytest.raises(Conflict, match="编号已被使用"):
            amend(rating, words=words, **other)


def test_only_whoever_gave_it_amends_it_within_seven_days_and_not_for_ever():
    with pytest.raises(Forbidden):
        amend(a_rating(), Caller("110102", "feng", ("street",), STREET))
    assert amend(a_rating(), after=timedelta(days=7))
    with pytest.raises(Conflict, match="七日"):
        amend(a_rating(), after=timedelta(days=7, seconds=1))
    with pytest.raises(Invalid, match="相同"):
        amend(a_rating(), indicators=GOOD)
    rating = a_rating()
    for n in range(domain.MOST_AMENDMENTS):
        rating = grown(
            rating, amend(rating, act=f"00000000-0000-4000-9000-00000000000{n}", indicators=GOOD if n % 2 else POOR)
        )
    with pytest.raises(Conflict, match="最多"):
        amend(rating, act=A4, indicators=GOOD)


# -- who reads ---------------------------------------------------------------------------------------------------------


def test_the_rated_department_sees_score_and_indicators_and_not_who_rated_nor_their_words():
    ours = Caller("110102", "ma", ("specialist",), "110102", "chengguan")
    shown = domain.shown(a_record(a_rating()), ours)
    assert (shown["score"], shown["indicators"], shown["rated_by"]) == (4.6, GOOD, None)
    assert "来得快" not in str(shown) and "zheng" not in str(shown)


@pytest.mark.parametrize(
    ("reader", "may"),
    [
        (Caller("110102", "ma", ("specialist",), "110102", "chengguan"), True),
        (Caller("110102", "han", ("specialist",), "110102", "zhujian"), False),
        (SECRETARY, True),
        (Caller("110102", "qi", ("secretary",), NEXT_DOOR), False),
        (Caller("110102", "feng", ("street",), STREET), True),
        (Caller("110102", "qin", ("district",), "110102"), True),
        (Caller("110102", "yu", ("observer",), "110102"), True),
        (Caller("110102", "jiang", ("city_observer",)), True),
    ],
)
def test_a_department_reads_its_own_and_the_others_those_of_their_unit(reader, may):
    assert domain.may_read(a_rating(), reader, ()) is may


def test_a_span_is_of_beijing_days_and_a_year_at_the_most():
    since, before = domain.span(date(2026, 11, 24), date(2026, 11, 24), date(2026, 12, 1))
    assert since.astimezone(UTC) == datetime(2026, 11, 23, 16, tzinfo=UTC) and before - since == timedelta(days=1)
    assert domain.span(None, None, date(2026, 12, 1))[0].date() == date(2026, 11, 1)
    for wrong in ((date(2026, 12, 2), date(2026, 12, 1)), (date(2024, 1, 1), date(2026, 12, 1))):
        with pytest.raises(Invalid):
            domain.span(*wrong, date(2026, 12, 1))


# -- erased ------------------------------------------------------------------------------------------------------------


def test_what_was_written_beside_a_rating_goes_with_the_whistles_words_once():
    rating = a_rating()
    [fact] = domain.erase(rating, caller=SECRETARY, now=NOW, act=A4, reason="requested")
    erased = grown(rating, [fact])
    assert list(domain.erase(erased, caller=SECRETARY, now=NOW, act=A4, reason="requested")) == []
    assert list(domain.erase(a_rating(note=""), caller=SECRETARY, now=NOW, act=A4, reason="requested")) == []
    history = (
        {"n": 1, "fact": "rated", "data": {"act": A2}, "words": {"ref": "one"}},
        {"n": 2, "fact": "notes_erased", "data": {"act": A4}},
        {"n": 3, "fact": "amended", "data": {"act": A3}, "words": {"ref": "later"}},
    )
    assert domain.erased_by(history, A4) == ["one"] and domain.erased_by(history, A3) == []


# -- on the whistle ----------------------------------------------------------------------------------------------------


def told(whistle, happened):
    for each in happened:
        whistle = evolve(whistle, each.fact.name, each.data, NOW, "ma")
    return whistle


def an_answered_whistle(act=A1):
    """Give a whistle of which 城管 has fed back."""
    whistle = Whistle(stage="blown", community=WANMINGYUAN)
    summons = {"department": "chengguan", "kind": "综合执法", "category": "0101", "community": WANMINGYUAN}
    return told(whistle, [called(**summons), answer(act)])


def answer(act):
    data = {"act": act, "order": "0", "community": WANMINGYUAN, "department": "chengguan"}
    return fed_back(**data, result="solved", outcomes=[])


def scored(whistle, revision=1, score=4.6, of=A1):
    order = {"department": "chengguan", "answer": of, "rating": RATING, "revision": revision, "score": score}
    return told(whistle, working.score(whistle, caller=SECRETARY, now=NOW, **order))


def test_a_rated_summons_shows_its_score():
    summons = scored(an_answered_whistle()).summonses["chengguan"]
    assert (summons["stage"], summons["score"], summons["rating"]) == ("rated", 4.6, RATING)


@given(some.permutations([(1, 4.6), (2, 2.0), (3, 4.6), (2, 2.0)]))
def test_the_last_revision_is_shown_in_whatever_order_they_come_and_however_often(revisions):
    whistle = an_answered_whistle()
    for revision, score in revisions:
        whistle = scored(whistle, revision, score)
    assert (whistle.summonses["chengguan"]["score"], whistle.summonses["chengguan"]["revision"]) == (4.6, 3)


def test_a_new_result_is_unrated_and_a_rating_of_the_one_before_does_not_count_for_it():
    whistle = told(scored(an_answered_whistle()), [answer(A4)])
    late = scored(whistle, revision=2, score=1.0)
    assert late == whistle and (whistle.summonses["chengguan"]["stage"], whistle.summonses["chengguan"]["score"]) == (
        "fed_back",
        None,
    )
    assert scored(whistle, of=A4).summonses["chengguan"]["stage"] == "rated", "as good as the one before, and rated"
