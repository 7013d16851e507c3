"""The kinds of field that several contracts use, each with its limits said once."""

import re
import unicodedata
from datetime import UTC, datetime

from marshmallow import fields, validate

from shared.rules import codes
from shared.rules.days import iso

# Empty where a person of the city belongs to no district, unit or department.
DISTRICT_OR_NONE = re.compile("^(|[1-9][0-9]{5})$")
UNIT_OR_NONE = re.compile("^(|[1-9][0-9]{5}|[1-9][0-9]{11})$")
DEPARTMENT_OR_NONE = re.compile("^(|(?!all$)[a-z][a-z0-9]{1,23})$")
# A district's own codes go on below the community's twelve digits: compound, building, entrance, a segment each.
ANYWHERE = re.compile("^([1-9][0-9]{5}|[1-9][0-9]{11}([.][0-9A-Za-z]{1,8}){0,3})$")
# A mainland mobile, or a fixed line with its area code, or one of the short public numbers.
PHONE = re.compile("^(1[3-9][0-9]{9}|0[0-9]{2,3}-?[0-9]{7,8}(-[0-9]{1,5})?|[19][0-9]{2,4})$")


class Whole(validate.Regexp):
    """The whole text is of a form: to Python's own ``$`` a line break at the end would be welcome."""

    def __call__(self, value: str) -> str:
        if not self.regex.fullmatch(value):
            raise validate.ValidationError(self._format_error(value))
        return value


def code(form, **options):
    """A code of a known form; the message says which."""
    return fields.String(validate=Whole(form, error="格式应为 {regex} / must match {regex}"), **options)


def an_id(**options):
    return code(codes.ID, **options)


def district(**options):
    return code(codes.DISTRICT, **options)


def division(**options):
    return code(codes.DIVISION, **options)


def anywhere(**options):
    """A unit of the tree of any level: district, street, community, or a place of the district's own below."""
    return code(ANYWHERE, **options)


def phone(**options):
    return code(PHONE, **options)


def day(**options):
    """A Beijing day, of our time."""

    def is_ours(value) -> None:
        if not 2000 < value.year < 2200:
            raise validate.ValidationError("年份须在 2001–2199 / A year from 2001 to 2199, please")

    return fields.Date(validate=is_ours, **options)


def department(**options):
    return code(codes.DEPARTMENT, **options)


def digest(**options):
    return code(codes.DIGEST, **options)


def text(most: int, least: int = 1, **options):
    """What a person wrote: it must say something, and not more than ``most`` characters."""

    def says_something(value: str) -> None:
        if sum(unicodedata.category(letter)[0] not in "ZC" for letter in value) < least:
            raise validate.ValidationError("请填写 / Please write something")
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise validate.ValidationError("含有无法保存的字符 / A character in it cannot be kept")

    length = validate.Length(max=most, error=f"最多 {most} 个字 / {most} characters at most")
    if least:
        options["metadata"] = {"minLength": least, "pattern": r"\S"} | options.get("metadata", {})
    return fields.String(validate=[length, says_something], **options)


class Moment(fields.AwareDateTime):
    """A time with its zone: UTC with milliseconds and Z on the wire (ISO 8601)."""

    def _serialize(self, value, attr, obj, **options):
        return None if value is None else iso(value if isinstance(value, datetime) else datetime.fromisoformat(value))


class Day(fields.Date):
    """A Beijing day of an answer or a fact, whether a record holds it as a date or as its ISO text."""

    def _serialize(self, value, attr, obj, **options):
        return None if value is None else str(value)


def moment(**options):
    return Moment(format="iso", default_timezone=UTC, **options)


def some(least: int, most: int):
    """So many of a list."""
    return validate.Length(least, most, error=f"{least}–{most} 个 / {least} to {most} of them")


def distinct(values: list) -> None:
    """Each of a list once."""
    if len(set(values)) != len(values):
        raise validate.ValidationError("有重复 / One is named twice")


def one_of(values, **options):
    return fields.String(
        validate=validate.OneOf(values, error="须为其中之一:{choices} / must be one of: {choices}"), **options
    )


def limit(most: int = 200):
    return fields.Integer(
        load_default=50, validate=validate.Range(1, most, error=f"1–{most}"), metadata={"description": "page size"}
    )


def cursor():
    """Where the next page begins: opaque, taken from the ``next`` of the page before."""
    return fields.String(load_default=None, allow_none=True, validate=validate.Length(max=200, error="过长 / too long"))
