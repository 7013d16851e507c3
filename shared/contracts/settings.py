"""What differs from district to district, and what holds in the whole city until a district says otherwise.

Settings are data: set for a district or any unit of it, inherited down the tree name by name, told as a fact.
"""

import re
from datetime import date

from marshmallow import fields, validate

from shared.contracts import fields as own
from shared.contracts.forms import Order
from shared.contracts.permissions import ROLE_NAMES

# Beijing Street Office Regulation (2019-11-27) Art. 5: the four kinds of whistle.
KINDS = ("群众诉求", "重点工作", "综合执法", "应急处置")
CLOCKS = ("sign", "contact", "report", "resolve", "feed_back", "confirm")
UNITS_OF_TIME = ("minutes", "hours", "days", "working_hours", "working_days")
ECHELONS = ("community", "street", "district")  # who has a whistle in hand, from below to above
TOLD = ("specialist", "lead", "street", "district")  # whom a step of the ladder tells
CLOCK_TIME = re.compile("^([01][0-9]|2[0-3]):[0-5][0-9]$")
DAY = re.compile("^2[01][0-9]{2}-[01][0-9]-[0-3][0-9]$")
ANY_CATEGORY = re.compile("^([*]|[0-9]{2}|[0-9]{4,6})$")
MEASURE = re.compile("^[a-z][a-z_]{1,31}$")


class Hours(Order):
    """When somebody is on duty: weekdays from 1 (Monday) to 7, from and to a time of the Beijing day."""

    days = fields.List(
        fields.Integer(validate=validate.Range(1, 7)), required=True, validate=[own.some(1, 7), own.distinct]
    )
    opens = own.code(CLOCK_TIME, required=True)
    closes = own.code(CLOCK_TIME, required=True)


def hours(**options):
    return fields.List(
        fields.Nested(Hours), validate=validate.Length(max=14, error="最多 14 段 / 14 at most"), **options
    )


def is_a_day(value: str) -> None:
    """A day that the calendar has."""
    try:
        date.fromisoformat(value)
    except ValueError:
        raise validate.ValidationError("没有这一天 / There is no such day") from None


class MayBlow(Order):
    """Which kinds of whistle a role may blow, and whether the street has to approve first."""

    role = own.one_of(ROLE_NAMES, required=True)
    kinds = fields.List(own.one_of(KINDS), required=True, validate=[own.some(1, 4), own.distinct])
    approval = fields.Boolean(load_default=False)


class Limit(Order):
    """How long a stage may take, from dispatch on; the row of the kind, then of the longest category, decides."""

    kind = own.one_of((*KINDS, "*"), load_default="*")
    category = own.code(ANY_CATEGORY, load_default="*")
    clock = own.one_of(CLOCKS, required=True)
    amount = fields.Integer(required=True, validate=validate.Range(1, 10_000, error="1–10000"))
    unit = own.one_of(UNITS_OF_TIME, required=True)
    remind = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 100_000, error="0–100000"),
        metadata={"description": "minutes before it is due; 0 for no reminder"},
    )


class Rung(Order):
    """Whom it is told, so many minutes after a limit ran out."""

    after = fields.Integer(required=True, validate=validate.Range(0, 100_000, error="0–100000 分钟 / minutes"))
    to = own.one_of(TOLD, required=True)


class Measure(Order):
    """What may be counted as an outcome: places, and an amount in a unit where there is one."""

    measure = own.code(MEASURE, required=True)
    name = own.text(30, required=True)
    unit = own.text(8, least=0, load_default="", metadata={"description": "of the amount: m², 元; empty for none"})


class SpecialDay(Order):
    """A day of the district's own calendar: worked, or a day of rest."""

    day = fields.String(required=True, validate=[own.Whole(DAY, error="格式应为 2027-01-01 / as 2027-01-01"), is_a_day])
    worked = fields.Boolean(required=True)


class OwnCalendar(Order):
    """The district's own days, which win over the national calendar; ``years`` are covered by them wholly."""

    days = fields.List(fields.Nested(SpecialDay), load_default=list, validate=own.some(0, 400))
    years = fields.List(
        fields.Integer(validate=validate.Range(2001, 2199)), load_default=list, validate=[own.some(0, 50), own.distinct]
    )


def number(least: int, most: int, said: str, **options):
    return fields.Integer(
        validate=validate.Range(least, most, error=f"{least}–{most}"), metadata={"description": said}, **options
    )


class DistrictSettings(Order):
    """What differs from district to district; it may be set for any unit below too, and is inherited down the tree."""

    departments = fields.List(own.department(), validate=[own.some(1, 60), own.distinct])
    must_have = fields.List(
        own.department(),
        validate=[own.some(0, 60), own.distinct],
        metadata={"description": "departments of which each community must have a named specialist"},
    )
    duty_hours = hours()
    resident_whistle = fields.Boolean(metadata={"description": "residents may blow the green whistle"})
    report_within = number(20, 5000, "metres within which a report-in counts as on the spot")
    blowing = fields.List(fields.Nested(MayBlow), validate=own.some(0, 40))
    limits = fields.List(fields.Nested(Limit), validate=own.some(0, 200))
    ladder = fields.List(fields.Nested(Rung), validate=own.some(0, 6))
    outcomes = fields.List(fields.Nested(Measure), validate=own.some(0, 60))
    calendar = fields.Nested(OwnCalendar)
    confirm_on_spot = fields.Boolean(
        metadata={"description": "who confirms that it is solved sends a photo from the spot, and where they stand"}
    )
    reopen_days = number(0, 365, "days in which a reporter may reopen what was settled")
    recurs_days = number(1, 730, "days in which the same at the same place is a recurrence")
    recurs_metres = number(10, 2000, "metres that count as the same place")


def a_limit(kind: str, clock: str, amount: int, unit: str, remind: int = 0, category: str = "*") -> dict:
    return {"kind": kind, "category": category, "clock": clock, "amount": amount, "unit": unit, "remind": remind}


# Beijing has no single statutory limit per kind: the city's authority sets it and it stands on each order
# (接诉即办 Regulation Art. 13). These follow what was found in practice: Pinggu 30 minutes on the spot, Nanjing Gulou
# sign 1 h, contact 24 h, attend 3 working days, the draft of DB11/T 2021 2 h, 24 h, 7 and 15 days.
LIMITS = [
    a_limit("应急处置", "sign", 10, "minutes", 5), a_limit("应急处置", "contact", 20, "minutes"),
    a_limit("应急处置", "report", 30, "minutes", 10), a_limit("应急处置", "resolve", 2, "hours", 30),
    a_limit("应急处置", "feed_back", 2, "hours", 30),
    a_limit("综合执法", "sign", 1, "hours", 15), a_limit("综合执法", "contact", 24, "hours", 120),
    a_limit("综合执法", "report", 1, "working_days", 120), a_limit("综合执法", "resolve", 7, "days", 1440),
    a_limit("综合执法", "feed_back", 7, "days", 1440),
    a_limit("重点工作", "sign", 1, "hours", 15), a_limit("重点工作", "contact", 24, "hours", 120),
    a_limit("重点工作", "report", 3, "working_days", 480), a_limit("重点工作", "resolve", 15, "days", 1440),
    a_limit("重点工作", "feed_back", 15, "days", 1440),
    a_limit("群众诉求", "sign", 2, "hours", 30), a_limit("群众诉求", "contact", 24, "hours", 120),
    a_limit("群众诉求", "report", 3, "working_days", 480), a_limit("群众诉求", "resolve", 7, "days", 1440),
    a_limit("群众诉求", "feed_back", 7, "days", 1440),
    a_limit("*", "confirm", 3, "working_days", 480),
]  # fmt: skip

# What holds wherever no district and no unit of it has set anything else.
CITY = {
    "must_have": ["chengguan", "shichang", "weijian", "xiaofang"],
    "duty_hours": [{"days": [1, 2, 3, 4, 5], "opens": "09:00", "closes": "18:00"}],
    "resident_whistle": False,
    "report_within": 300,
    "blowing": [
        {"role": "resident", "kinds": ["群众诉求"], "approval": False},
        {"role": "steward", "kinds": ["群众诉求", "应急处置"], "approval": False},
        {"role": "worker", "kinds": ["群众诉求", "应急处置"], "approval": False},
        {"role": "secretary", "kinds": list(KINDS), "approval": False},
        {"role": "street", "kinds": list(KINDS), "approval": False},
        {"role": "specialist", "kinds": ["综合执法"], "approval": True},
        {"role": "lead", "kinds": ["综合执法", "重点工作"], "approval": True},
    ],
    "limits": LIMITS,
    # The specialist knows first, then who leads the department, then who commands it all (Regulation Arts 11, 44).
    "ladder": [
        {"after": 0, "to": "specialist"}, {"after": 240, "to": "lead"}, {"after": 1440, "to": "street"},
        {"after": 4320, "to": "district"},
    ],
    "outcomes": [
        {"measure": "problem", "name": "解决问题", "unit": ""},
        {"measure": "illegal_structure", "name": "拆除违法建设", "unit": "m²"},
        {"measure": "seized", "name": "查扣物品", "unit": "kg"},
        {"measure": "fined", "name": "罚款", "unit": "元"},
        {"measure": "cleared", "name": "清运垃圾", "unit": "m³"},
        {"measure": "repaired", "name": "修复设施", "unit": ""},
        {"measure": "advert_removed", "name": "清除小广告", "unit": ""},
        {"measure": "mediated", "name": "调解纠纷", "unit": ""},
    ],
    "calendar": {"days": [], "years": []},
    "confirm_on_spot": False,
    "reopen_days": 15,
    "recurs_days": 90,
    "recurs_metres": 50,
}  # fmt: skip
