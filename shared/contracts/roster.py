"""Districts that are open, their settings and communities; the platform's clock in demo and test.

Divisions are the National Bureau of Statistics' edition of 2023; issue B grows the tree, the departments and the
named specialists (实名制专员).
"""

from marshmallow import fields, validate

from shared.contract import Call, Contract, Fact, Order, View
from shared.contracts import fields as own


class Step(View):
    """One entry of a history, as it was recorded."""

    n = fields.Integer()
    fact = fields.String()
    at = own.moment()
    actor = fields.String()
    role = fields.String()
    to = fields.String()
    data = fields.Dict()
    words = fields.Dict(metadata={"description": "digest of each text"}, allow_none=True)
    hash = fields.String()


class Trace(View):
    """A record's history and its proof: ``broken`` names the first link that does not hold, null when all do."""

    id = fields.String()
    version = fields.Integer()
    whole = fields.Boolean()
    broken = fields.String(allow_none=True)
    steps = fields.List(fields.Nested(Step))


class DistrictSettings(Order):
    """What differs from district to district."""

    departments = fields.List(own.department(), validate=[own.some(1, 60), own.distinct])


class Open(Order):
    code = own.district(required=True, metadata={"description": "GB/T 2260, one of Beijing's sixteen"})


class Change(Order):
    change = own.an_id(required=True, metadata={"description": "UUID of this change, chosen by the client"})
    settings = fields.Nested(DistrictSettings, required=True)
    version = fields.Integer(load_default=None, allow_none=True, metadata={"description": "refuse if it has moved on"})


class Nothing(Order):
    """A call that asks for nothing more than who is asking."""


class ListDivisions(Order):
    under = own.code(own.codes.UNIT, load_default=None, allow_none=True)
    limit = own.limit(1000)
    after = own.cursor()


class MoveClock(Order):
    """Forward only: ``forward`` seconds at once, then ``speed`` platform seconds to one real second."""

    forward = fields.Float(load_default=0, validate=validate.Range(0, 400 * 86400, error="0–400 天 / 0–400 days"))
    speed = fields.Float(
        load_default=None, allow_none=True, validate=validate.Range(0.1, 200_000, error="0.1–200000 倍 / times")
    )


class District(View):
    code = own.district()
    name = fields.String()
    version = fields.Integer()
    opened_at = own.moment()
    settings = fields.Nested(DistrictSettings)


class Division(View):
    code = fields.String()
    name = fields.String()
    level = fields.String()
    parent = fields.String()


class Clock(View):
    now = own.moment()
    speed = fields.Float()
    movable = fields.Boolean()


class Opened(View):
    code = own.district(required=True)
    settings = fields.Nested(DistrictSettings, required=True)
    communities = fields.List(own.division(), required=True)


class SettingsChanged(View):
    change = own.an_id(required=True)
    settings = fields.Nested(DistrictSettings, required=True)


SERVICE = "roster"
open_district = Call(
    SERVICE, "open_district", Open(), District(), "district.open", doc="开通一区 / Open a district, no restart"
)
districts = Call(
    SERVICE, "districts", Nothing(), District(), "district.read", True, "已开通的区 / Districts that are open"
)
change_settings = Call(
    SERVICE,
    "change_settings",
    Change(),
    District(),
    "settings.change",
    doc="改本区设置 / Change the district's settings",
)
divisions = Call(
    SERVICE, "divisions", ListDivisions(), Division(), "district.read", True, "街道与社区 / Streets and communities"
)
clock = Call(SERVICE, "clock", Nothing(), Clock(), "person.self", doc="平台时间 / The platform's time")
move_clock = Call(
    SERVICE,
    "move_clock",
    MoveClock(),
    Clock(),
    "clock.move",
    doc="拨钟(仅演示与测试) / Move the clock, in demo and test",
)

opened = Fact(SERVICE, "opened", Opened(), "已开通 / A district was opened, with its communities and settings")
settings_changed = Fact(SERVICE, "settings_changed", SettingsChanged(), "设置已改 / A district's settings changed")

CONTRACT = Contract(
    SERVICE,
    "区与社区: districts, divisions, settings",
    (open_district, districts, change_settings, divisions, clock, move_clock),
    (opened, settings_changed),
)
