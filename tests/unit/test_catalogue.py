"""The dispatch catalogue's rules: which categories a district may have, and who may be told to handle what."""

from datetime import UTC, datetime

import pytest

from services.roster.domain import catalogue as domain
from shared.caller import Caller
from shared.contracts import events
from shared.errors import Conflict, Forbidden, Invalid, NotFound

C1, C2 = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(2))
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADMIN = Caller("110102", "qin", ("district",), "110102")
STREET = Caller("110102", "feng", ("street",), "110102009000")
KNOWN = {"shipped": events.shipped().keys(), "classes": events.classes().keys(), "local": ["2101"]}


def set_category(category=None, caller=ADMIN, **changes):
    order = {"code": "010101", "change": C1, "name": "私搭阳台", "retired": False} | KNOWN | changes
    return list(domain.set_category(category or domain.Category(), caller=caller, now=NOW, **order))


def set_rule(rule=None, caller=ADMIN, **changes):
    order = {
        "category": "0101", "unit": "110102", "change": C1, "lead": "chengguan", "assists": ["zhujian"],
        "community_first": False, "never_community": False, "codes": [*events.shipped(), "010101"], "is_unit": True,
        "departments": ["chengguan", "zhujian"],
    } | changes  # fmt: skip
    return list(domain.set_rule(rule or domain.Rule(), caller=caller, now=NOW, **{"catalogue": 1} | order))


def remove_rule(rule, change=C2):
    order = {"category": "0101", "unit": "110102", "change": change}
    return list(domain.remove_rule(rule, caller=ADMIN, now=NOW, catalogue=2, **order))


def grown(record, facts):
    evolve = domain.evolve_rule if isinstance(record, domain.Rule) else domain.evolve_category
    for each in facts:
        record = evolve(record, each.fact.name, each.data, NOW, "qin")
    return record


def test_the_standard_ships_whole():
    assert len(events.shipped()) == 55 and events.shipped()["0101"] == "私搭乱建"
    assert events.classes()["01"] == "市容环境" and "21" in events.classes()


@pytest.mark.parametrize("code", ["010101", "0198", "2102", "210101"])
def test_a_district_adds_sub_classes_and_extensions(code):
    (fact,) = set_category(code=code)
    assert fact.data == {"change": C1, "code": code, "name": "私搭阳台", "retired": False}


@pytest.mark.parametrize("code", ["0101", "01011", "9901", "017701", "210201"])
def test_the_standard_is_not_renamed_and_nothing_hangs_in_the_air(code):
    with pytest.raises(Invalid) as refused:
        set_category(code=code)
    assert "code" in refused.value.fields


def test_a_street_does_not_set_categories_for_the_district():
    with pytest.raises(Forbidden):
        set_category(caller=STREET)


def test_a_category_is_retired_and_comes_back():
    category = grown(domain.Category(), set_category())
    category = grown(category, set_category(category, change=C2, retired=True))
    assert category.retired and set_category(category, change=C2, retired=True) == []


@pytest.mark.parametrize("category", ["0101", "010101", "01", "*"])
def test_a_rule_is_for_a_category_its_class_or_all(category):
    assert set_rule(category=category)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"category": "0177"}, "category"),
        ({"category": "77"}, "category"),
        ({"category": "010102"}, "category"),
        ({"is_unit": False}, "unit"),
        ({"lead": "moon"}, "lead"),
        ({"assists": ["moon"]}, "assists"),
        ({"assists": ["community"]}, "assists"),
        ({"assists": ["chengguan"]}, "assists"),
        ({"lead": "community", "never_community": True}, "lead"),
        ({"community_first": True, "never_community": True}, "community_first"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_its_field(changes, wrong):
    with pytest.raises(Invalid) as refused:
        set_rule(**changes)
    assert list(refused.value.fields) == [wrong]


def test_a_community_may_lead_what_is_its_own():
    assert set_rule(lead="community", community_first=True)


def test_a_street_sets_rules_for_what_lies_in_it():
    assert set_rule(caller=STREET, unit="110102009041")
    for unit in ("110102", "110102010001"):
        with pytest.raises(Forbidden):
            set_rule(caller=STREET, unit=unit)


def test_the_same_change_is_found_again_and_another_under_its_id_is_refused():
    rule = grown(domain.Rule(), set_rule())
    assert set_rule(rule) == [] and set_rule(rule, departments=[]) == []
    with pytest.raises(Conflict):
        set_rule(rule, assists=[])
    with pytest.raises(Conflict):
        remove_rule(rule, change=C1)


def test_a_rule_is_removed_once_and_may_be_set_again():
    rule = grown(domain.Rule(), set_rule())
    rule = grown(rule, remove_rule(rule))
    assert rule.removed and remove_rule(rule) == []
    with pytest.raises(NotFound):
        remove_rule(rule, change=C1.replace("8000", "9000"))
    again = grown(rule, set_rule(rule, change=C1.replace("8000", "a000")))
    assert not again.removed
