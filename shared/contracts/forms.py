"""What every message is made of: an order, which is judged word by word, and a view, which is looked at quickly.

marshmallow asks each field for each value; a whistle is some two hundred values, a page of fifty of them ten thousand.
A view takes plain values as they are and asks marshmallow for the others only, and about all that is not in order.
"""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

PLAIN = {fields.String: str, fields.Boolean: bool, fields.Integer: int}


class Order(Schema):
    """What a call takes; a word that the contract does not know is refused (marshmallow's way), never ignored."""


class View(Schema):
    """What a call gives, and what a fact carries; fields may be added later and are optional then."""

    class Meta:
        unknown = EXCLUDE

    @cached_property
    def written(self) -> list[tuple[str, type | None, Callable]]:
        """Give each field's name, what it takes as it is, and how it writes all else; made when first needed."""
        known = self.dump_fields.items()
        return [(name, PLAIN.get(type(field)), write_of(name, field)) for name, field in known]

    @cached_property
    def looks(self) -> list[tuple[str, fields.Field, Callable]]:
        return [(name, field, look_of(field)) for name, field in self.load_fields.items()]

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """Write a thing, or ``many``, as it travels: exactly what marshmallow writes."""
        if self.many if many is None else many:
            return [self.dump(each, many=False) for each in obj]
        if not isinstance(obj, dict):
            return super().dump(obj, many=False)
        said = {}
        for name, plain, write in self.written:
            if name in obj:
                value = obj[name]
                said[name] = value if value is None or type(value) is plain else write(value)
        return said

    def validate(self, data: Any, *, many: bool | None = None, partial: Any = None) -> dict:
        """Give what does not fit, by field: nothing at a quick look, or else marshmallow's own verdict."""
        if not many and not partial and self.fits(data):
            return {}
        return super().validate(data, many=many, partial=partial)

    def fits(self, data: Any) -> bool:
        """Say whether everything is in order at a quick look; what is not may still be."""
        try:
            for name, field, look in self.looks:
                if name not in data:
                    fits = not field.required
                elif data[name] is None:
                    fits = field.allow_none
                else:
                    fits = look(data[name])
                if not fits:
                    return False
        except (ValidationError, TypeError):
            return False
        return type(data) is dict


def is_of_view(field: fields.Field) -> bool:
    return type(field) is fields.Nested and isinstance(field.schema, View) and not field.many


def write_of(name: str, field: fields.Field) -> Callable[[Any], Any]:
    """Give how one field's value is written, which is not None."""
    if is_of_view(field):
        return field.schema.dump
    if type(field) is fields.List and is_of_view(field.inner):
        inner = field.inner.schema
        return lambda values: [None if each is None else inner.dump(each) for each in values]
    return lambda value: field.serialize(name, {name: value})


def look_of(field: fields.Field) -> Callable[[Any], bool]:
    """Give the quick look at one field's value; a validator that has something to say raises ``ValidationError``."""
    kind, ask = type(field), field.validators
    if kind in PLAIN:
        plain = PLAIN[kind]
        return lambda value: type(value) is plain and not any(each(value) is False for each in ask)
    if kind is fields.Float:
        return lambda value: type(value) is float and math.isfinite(value) and not any(e(value) is False for e in ask)
    if kind is fields.List:
        inner = look_of(field.inner)
        return lambda value: type(value) is list and all(map(inner, value)) and not any(e(value) is False for e in ask)
    if is_of_view(field) and not ask:
        return field.schema.fits
    return lambda value: field.deserialize(value) is not None
