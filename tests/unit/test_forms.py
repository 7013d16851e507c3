"""A view's quick way writes and refuses exactly what marshmallow does, whatever the value."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from marshmallow import Schema, fields

from shared.contracts import CONTRACTS, evaluation, whistle
from shared.contracts import fields as own
from shared.contracts.forms import Order, View
from tests.make_whistle import SECRETARY, a_life

VIEWS = {
    type(schema).__name__: schema
    for page in CONTRACTS.values()
    for schema in [each.gives for each in page.calls] + [each.carries for each in page.facts]
    if isinstance(schema, View)
}
ODD = some.sampled_from(
    [None, True, 0, 1, -3, 2.5, float("inf"), float("nan"), "", "1", "文字", "110102", "110102009041", "chengguan",
     "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091", "2026-11-24T02:20:13.456Z", datetime(2026, 11, 24, tzinfo=UTC),
     date(2026, 11, 24), "2026-11-24", [], ["a"], [None], {}, {"x": 1}, "综合执法", "sign", "dispatched"]
)  # fmt: skip


def like(field: fields.Field, depth: int = 0) -> some.SearchStrategy:
    """Values that fit a field, and now and then one that does not."""
    if isinstance(field, fields.Nested) and depth < 3:
        fit = like_all(field.schema, depth + 1)
        fit = some.lists(fit, max_size=2) if field.many else fit
    elif isinstance(field, fields.List) and depth < 4:
        fit = some.lists(like(field.inner, depth + 1), max_size=2)
    elif isinstance(field, own.Moment):
        fit = some.sampled_from([datetime(2026, 11, 24, 2, 20, 13, 456_000, tzinfo=UTC), "2026-11-24T02:20:13.456Z"])
    elif isinstance(field, own.Day):
        fit = some.sampled_from([date(2026, 11, 24), "2026-11-24"])
    elif isinstance(field, fields.Boolean):
        fit = some.booleans()
    elif isinstance(field, fields.Integer):
        fit = some.integers(0, 9)
    elif isinstance(field, fields.Float):
        fit = some.floats(0, 9)
    else:
        choices = [list(each.choices) for each in field.validators if hasattr(each, "choices")]
        fit = some.sampled_from(choices[0]) if choices else ODD
    return some.integers(0, 19).flatmap(lambda n: ODD if n == 0 else fit)


def like_all(schema: Schema, depth: int = 0) -> some.SearchStrategy:
    known = {name: like(field, depth) for name, field in schema.fields.items()}
    always = {name: each for name, each in known.items() if hasattr(dict, name)}  # else marshmallow takes the method
    optional = {name: each for name, each in known.items() if name not in always}
    return some.fixed_dictionaries(always, optional=optional | {"of nobody": some.just(1)})


def outcome(act, *given):
    """Give what comes of something, or how it fails."""
    try:
        return repr(act(*given))
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_writes_and_refuses_what_marshmallow_does(name):
    view = VIEWS[name]

    @settings(max_examples=25, deadline=None)
    @given(like_all(view))
    def holds(thing):
        written = outcome(Schema.dump, view, thing)
        assert outcome(view.dump, thing) == written
        assert outcome(view.validate, thing) == outcome(Schema.validate, view, thing)
        if isinstance(written, str):
            said = Schema.dump(view, thing)
            assert outcome(view.validate, said) == outcome(Schema.validate, view, said)

    holds()


def test_a_real_whistle_is_in_order_at_a_quick_look():
    facts = a_life().decide("summon", SECRETARY, departments=["zhujian"])
    assert facts and all(each.fact.carries.fits(each.data) for each in facts)
    assert all(isinstance(each.fact.carries, View) for each in facts)


@pytest.mark.parametrize("page", [whistle, evaluation])
def test_orders_are_judged_by_marshmallow_alone(page):
    assert all(isinstance(call.takes, Order) and not isinstance(call.takes, View) for call in page.CONTRACT.calls)
    assert Order.load is Schema.load and Order.validate is Schema.validate
