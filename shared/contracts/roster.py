"""Districts that are open and their tree of units; who answers for what; the platform's clock in demo and test.

Divisions are the National Bureau of Statistics' edition of 2023, with what each district changed since. On the tree
hang departments and their teams, stations with their named specialists (实名制专员), and the dispatch catalogue.
"""

import re

from marshmallow import fields, validate

from shared.contract import Call, Contract, Fact
from shared.contracts import fields as own
from shared.contracts.forms import Order, View
from shared.contracts.settings import DistrictSettings, Hours, hours
from shared.contracts.tables import CheckTable, GetTable, ListRows, Table, TableRow


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


# Who sits where: the head of a station, the steward of a building, or a department's specialist.
POST = re.compile("^(?!all$)[a-z][a-z0-9]{1,23}$")
SEAT = re.compile("^[a-z][a-z0-9]{1,23}@[1-9][0-9]{11}([.][0-9A-Za-z]{1,8}){0,3}$")
# A category of events, a whole class of them (its first figures), or every one.
CATEGORIES = re.compile("^([*]|[0-9]{2}|[0-9]{4}|[0-9]{6})$")
LEVELS = ("district", "street", "community", "compound", "building", "entrance")
TYPES = ("街道", "镇", "乡", "地区", "社区", "村", "小区", "楼", "单元")
KINDS_OF_DEPARTMENT = ("department", "utility")
RESTRUCTURINGS = ("merger", "split")
HEAD, STEWARD, COMMUNITY = "head", "steward", "community"  # posts, and who solves at home, that are no department's
RESERVED = (HEAD, STEWARD, COMMUNITY)
# By which roles somebody holds a post; every other post is a department's, and its own people's with these.
MAY_HOLD = {HEAD: {"secretary"}, STEWARD: {"steward", "worker", "secretary", "resident"}}
SPECIALISTS = {"specialist", "lead"}


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


class ListUnits(Order):
    """Units below one, at a day: those that were there then; ``direct`` gives children only."""

    under = own.anywhere(load_default=None, allow_none=True)
    level = own.one_of(LEVELS, load_default=None, allow_none=True)
    pilot = fields.Boolean(load_default=None, allow_none=True)
    at = own.day(load_default=None, allow_none=True)
    direct = fields.Boolean(load_default=False)
    name = own.text(40, least=0, load_default=None, allow_none=True, metadata={"description": "part of a name"})
    limit = own.limit(1000)
    after = own.cursor()


class OneUnit(Order):
    code = own.anywhere(required=True)


class Found(Order):
    """A unit that comes to be: a street or community by its 12 digits, a place below by the district's own code."""

    code = own.anywhere(required=True)
    parent = own.anywhere(required=True)
    level = own.one_of(LEVELS[1:], required=True)
    type = own.one_of(TYPES, required=True)
    name = own.text(60, required=True)
    aliases = fields.List(own.text(60), load_default=list, validate=[own.some(0, 5), own.distinct])
    since = own.day(required=True)


def a_change():
    return own.an_id(required=True, metadata={"description": "UUID of this change, chosen by the client"})


def a_version():
    return fields.Integer(load_default=None, allow_none=True, metadata={"description": "refuse if it has moved on"})


class ChangeUnit(Order):
    """What is not named stays; another ``parent`` takes the unit and all below it along."""

    code = own.anywhere(required=True)
    change = a_change()
    name = own.text(60, load_default=None, allow_none=True)
    aliases = fields.List(own.text(60), load_default=None, allow_none=True, validate=[own.some(0, 5), own.distinct])
    parent = own.anywhere(load_default=None, allow_none=True)
    version = a_version()


class Mark(Order):
    """A pilot mark (试点街道, 试点社区), or none where empty."""

    code = own.anywhere(required=True)
    change = a_change()
    pilot = own.text(60, required=True, least=0)
    version = a_version()


class Close(Order):
    """The last day of a unit; nothing may hang on it any more."""

    code = own.anywhere(required=True)
    change = a_change()
    until = own.day(required=True)
    version = a_version()


class Merge(Order):
    """Communities of one street become one of them; what hangs on the others hangs on it from then on.

    A day that is still to come makes it a plan (`plans` of the unit), which is carried out on that day.
    """

    code = own.division(required=True, metadata={"description": "the community that stays"})
    change = a_change()
    communities = fields.List(own.division(), required=True, validate=[own.some(1, 20), own.distinct])
    since = own.day(required=True)
    name = own.text(60, load_default=None, allow_none=True)


class Split(Order):
    """Part of a community becomes a new one: the places named go along, specialists and station are made for it.

    A day that is still to come makes it a plan (`plans` of the unit), which is carried out on that day.
    """

    code = own.division(required=True, metadata={"description": "the community that is split"})
    change = a_change()
    new = own.division(required=True)
    name = own.text(60, required=True)
    places = fields.List(own.anywhere(), required=True, validate=[own.some(0, 200), own.distinct])
    since = own.day(required=True)


class DropPlan(Order):
    """A merger or split that was planned is given up before its day."""

    code = own.division(required=True, metadata={"description": "the community that has the plan"})
    plan = own.an_id(required=True, metadata={"description": "the `change` that planned it"})
    change = a_change()


class SetSettings(Order):
    """Set for one unit; ``inherit`` names what is to come from above again. ``pilot``: for all marked units of it."""

    code = own.anywhere(required=True)
    change = a_change()
    settings = fields.Nested(DistrictSettings, required=True)
    inherit = fields.List(
        own.one_of(sorted(DistrictSettings().fields)), load_default=list, validate=[own.some(0, 20), own.distinct]
    )
    pilot = fields.Boolean(load_default=False)
    version = a_version()


class SetDepartment(Order):
    """A department of the district, or a public-service enterprise (utility), under its code."""

    code = own.department(required=True)
    change = a_change()
    name = own.text(40, required=True)
    kind = own.one_of(KINDS_OF_DEPARTMENT, load_default="department")
    phone = own.phone(load_default=None, allow_none=True)
    until = own.day(load_default=None, allow_none=True)
    version = a_version()


class SetTeam(Order):
    """A department's team stationed in a street (科站队所)."""

    id = own.an_id(required=True)
    change = a_change()
    department = own.department(required=True)
    unit = own.division(required=True, metadata={"description": "the street or township"})
    name = own.text(40, required=True)
    phone = own.phone(load_default=None, allow_none=True)
    until = own.day(load_default=None, allow_none=True)
    version = a_version()


class ListTeams(Order):
    unit = own.division(load_default=None, allow_none=True)
    department = own.department(load_default=None, allow_none=True)
    limit = own.limit(1000)
    after = own.cursor()


class ListSeats(Order):
    """Seats of a unit and all below it; ``person`` gives what one person holds."""

    unit = own.anywhere(load_default=None, allow_none=True)
    post = own.code(POST, load_default=None, allow_none=True)
    person = own.an_id(load_default=None, allow_none=True)
    at = own.day(load_default=None, allow_none=True)
    limit = own.limit(1000)
    after = own.cursor()


class OneSeat(Order):
    """``<post>@<unit>``: ``head@110102009041``, ``steward@110102009041.01.3``, ``chengguan@110102009041``."""

    id = own.code(SEAT, required=True)


class Appoint(OneSeat):
    """One person holds a seat from a day to a day, both included; nobody else does in that time."""

    term = own.an_id(required=True, metadata={"description": "UUID of this term, chosen by the client"})
    person = own.an_id(required=True)
    since = own.day(required=True)
    until = own.day(load_default=None, allow_none=True)
    substitute = own.an_id(load_default=None, allow_none=True, metadata={"description": "who answers in their stead"})
    version = a_version()


class EndTerm(OneSeat):
    term = own.an_id(required=True)
    change = a_change()
    until = own.day(required=True, metadata={"description": "the last day"})
    version = a_version()


class HandOver(OneSeat):
    """The running term ends the day before ``since``, another person's begins; open work goes along.

    What is open is listed by `GET /v1/open-whistles?department=…&community=…`, and printed with the handover by
    `GET /v1/seats/{id}/sheet`.
    """

    change = a_change()
    term = own.an_id(required=True, metadata={"description": "UUID of the new term, chosen by the client"})
    person = own.an_id(required=True)
    since = own.day(required=True)
    until = own.day(load_default=None, allow_none=True)
    substitute = own.an_id(load_default=None, allow_none=True)
    note = own.text(1000, least=0, load_default="", metadata={"description": "what the next one should know"})
    version = a_version()


class TakeLeave(Order):
    """A person is away from a day to a day, both included; the substitute answers for all that they hold."""

    person = own.an_id(required=True)
    absence = own.an_id(required=True, metadata={"description": "UUID of this absence, chosen by the client"})
    since = own.day(required=True)
    until = own.day(required=True)
    substitute = own.an_id(load_default=None, allow_none=True)
    version = a_version()


class EndLeave(Order):
    """Back earlier: the day before which the leave ends; on or before its first day it never was."""

    person = own.an_id(required=True)
    absence = own.an_id(required=True)
    change = a_change()
    back = own.day(required=True, metadata={"description": "the first day back"})
    version = a_version()


class OneHolder(Order):
    person = own.an_id(required=True)


class PublishCard(Order):
    """What the published list shows of a person (实名制公示): with their knowledge, for their duty (PIPL Art. 13)."""

    person = own.an_id(required=True)
    change = a_change()
    name = own.text(40, required=True)
    phone = own.phone(required=True)
    title = own.text(40, least=0, load_default="")
    hours = hours(load_default=list)
    version = a_version()


class WithdrawCard(Order):
    person = own.an_id(required=True)
    change = a_change()


class OneStation(Order):
    community = own.division(required=True)
    at = own.day(load_default=None, allow_none=True)


class FindGaps(Order):
    """What is not covered at a day: specialists and heads that a community lacks, buildings without a steward."""

    unit = own.anywhere(load_default=None, allow_none=True)
    at = own.day(load_default=None, allow_none=True)
    limit = own.limit(1000)
    after = own.cursor()


class SetCategory(Order):
    """A district's own category: a new sub class (4 figures) or an extension of one (6 figures)."""

    code = own.code(own.codes.EVENT, required=True)
    change = a_change()
    name = own.text(60, required=True)
    retired = fields.Boolean(load_default=False)
    version = a_version()


class ListCategories(Order):
    under = own.code(CATEGORIES, load_default=None, allow_none=True)
    limit = own.limit(1000)
    after = own.cursor()


class ListRules(Order):
    """``as_of`` gives the rules as they stood in a version of the catalogue."""

    category = own.code(CATEGORIES, load_default=None, allow_none=True)
    unit = own.anywhere(load_default=None, allow_none=True)
    as_of = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(0, 2**53))
    limit = own.limit(1000)
    after = own.cursor()


class SetRule(Order):
    """Who handles a category (or a class, or all: ``*``) at a place: the lead, and who assists.

    ``community_first``: the community tries itself before it blows. ``never_community``: it is not on the community's
    duty list, and may never be pushed down to it (接诉即办条例 Art. 17). The lead ``community`` is solved at home.
    """

    category = own.code(CATEGORIES, required=True)
    unit = own.anywhere(required=True)
    change = a_change()
    lead = own.department(required=True)
    assists = fields.List(own.department(), load_default=list, validate=[own.some(0, 15), own.distinct])
    community_first = fields.Boolean(load_default=False)
    never_community = fields.Boolean(load_default=False)
    version = a_version()


class RemoveRule(Order):
    category = own.code(CATEGORIES, required=True)
    unit = own.anywhere(required=True)
    change = a_change()
    version = a_version()


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


class Plan(View):
    """A merger (``communities`` go into the unit) or a split (``places`` go into the ``new`` one) on a day to come."""

    plan = own.an_id()
    kind = own.one_of(RESTRUCTURINGS)
    since = own.Day()
    communities = fields.List(fields.String())
    new = fields.String(allow_none=True)
    name = fields.String(allow_none=True)
    places = fields.List(fields.String())


class Unit(View):
    """One unit of the tree; ``path`` are the units above it, from the district down."""

    code = own.anywhere()
    version = fields.Integer()
    level = own.one_of(LEVELS)
    type = fields.String()
    name = fields.String()
    aliases = fields.List(fields.String())
    parent = fields.String(allow_none=True)
    path = fields.List(fields.String())
    since = own.Day(allow_none=True)
    until = own.Day(allow_none=True)
    into = fields.String(allow_none=True, metadata={"description": "what it was merged into"})
    split_from = fields.String(allow_none=True)
    pilot = fields.String()
    plans = fields.List(fields.Nested(Plan), metadata={"description": "mergers and splits on days to come"})


class Setting(View):
    """One value as it stands at a unit, and the unit (or ``city``, or ``pilot`` of a unit) that it comes from."""

    name = fields.String()
    value = fields.Raw(allow_none=True)
    origin = fields.String()
    origin_name = fields.String()


class Department(View):
    code = own.department()
    version = fields.Integer()
    name = fields.String()
    kind = own.one_of(KINDS_OF_DEPARTMENT)
    phone = fields.String(allow_none=True)
    until = own.Day(allow_none=True)


class Team(View):
    id = own.an_id()
    version = fields.Integer()
    department = own.department()
    unit = own.division()
    name = fields.String()
    phone = fields.String(allow_none=True)
    until = own.Day(allow_none=True)


class Term(View):
    term = own.an_id()
    person = own.an_id()
    since = own.Day()
    until = own.Day(allow_none=True)
    substitute = fields.String(allow_none=True)
    note = fields.String(allow_none=True, metadata={"description": "of a handover, for who works here"})


class Seat(View):
    """``holder`` is whose term it is at the day asked for, ``answers`` who answers then: the same, or a substitute."""

    id = fields.String()
    version = fields.Integer()
    post = fields.String()
    unit = own.anywhere()
    terms = fields.List(fields.Nested(Term))
    holder = fields.String(allow_none=True)
    answers = fields.String(allow_none=True)


class Leave(View):
    absence = own.an_id()
    since = own.Day()
    until = own.Day()
    substitute = fields.String(allow_none=True)


class Card(View):
    person = own.an_id()
    version = fields.Integer()
    name = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    title = fields.String(allow_none=True)
    hours = fields.List(fields.Nested(Hours))


class Holder(View):
    """What one person holds, when they are away (for themselves and who works here), and what is published of them."""

    person = own.an_id()
    version = fields.Integer()
    leaves = fields.List(fields.Nested(Leave))
    seats = fields.List(fields.Nested(Seat))
    card = fields.Nested(Card, allow_none=True)


class Line(View):
    """One line of a station's published list: the post, whose seat it is, and who answers on that day."""

    post = fields.String()
    department = fields.String(allow_none=True, metadata={"description": "its name"})
    holder = fields.Nested(Card, allow_none=True)
    answers = fields.Nested(Card, allow_none=True)
    is_gap = fields.Boolean()


class Station(View):
    """社区综合治理工作站: one for each community, its head, and the list of named specialists."""

    community = own.division()
    name = fields.String()
    street = fields.String()
    at = own.Day()
    head = fields.Nested(Line)
    lines = fields.List(fields.Nested(Line))


class Gap(View):
    unit = own.anywhere()
    name = fields.String()
    post = fields.String()
    why = own.one_of(("empty", "away"))


class Category(View):
    """``scheme`` is the standard and its version, or ``local`` for a district's own."""

    code = fields.String()
    name = fields.String()
    major = fields.String()
    scheme = fields.String()
    retired = fields.Boolean()
    version = fields.Integer()


class Catalogue(View):
    """The version of the dispatch catalogue, which each change of a rule raises, and the standard of its categories."""

    version = fields.Integer()
    scheme = fields.String()


class Rule(View):
    category = fields.String()
    unit = own.anywhere()
    version = fields.Integer()
    catalogue = fields.Integer(metadata={"description": "the catalogue's version in which it came to be so"})
    lead = fields.String()
    assists = fields.List(fields.String())
    community_first = fields.Boolean()
    never_community = fields.Boolean()


class Clock(View):
    now = own.moment()
    speed = fields.Float()
    movable = fields.Boolean()


class UnitRow(View):
    code = own.anywhere(required=True)
    name = fields.String(required=True)
    level = own.one_of(LEVELS, required=True)
    parent = fields.String(required=True)
    type = fields.String(required=True)


class Opened(View):
    code = own.district(required=True)
    settings = fields.Nested(DistrictSettings, required=True)
    communities = fields.List(own.division(), required=True)
    units = fields.List(fields.Nested(UnitRow), metadata={"description": "the whole tree as it ships"})
    edition = fields.String()


class SettingsChanged(View):
    change = own.an_id(required=True)
    settings = fields.Nested(DistrictSettings, required=True)


class UnitIs(View):
    """A unit as it is from now on; names of units are public (they are no personal data)."""

    code = own.anywhere(required=True)
    level = own.one_of(LEVELS, required=True)
    type = fields.String(required=True)
    name = fields.String(required=True)
    aliases = fields.List(fields.String(), required=True)
    parent = fields.String(required=True, allow_none=True)
    since = own.Day(allow_none=True)
    until = own.Day(allow_none=True)
    into = fields.String(allow_none=True)
    split_from = fields.String(allow_none=True)
    pilot = fields.String(required=True)


class UnitFounded(View):
    unit = fields.Nested(UnitIs, required=True)


class UnitChanged(View):
    change = own.an_id(required=True)
    unit = fields.Nested(UnitIs, required=True)


class UnitsMerged(View):
    change = own.an_id(required=True)
    into = own.division(required=True)
    communities = fields.List(own.division(), required=True)
    since = own.Day(required=True)
    unit = fields.Nested(UnitIs, required=True)


class UnitSplit(View):
    change = own.an_id(required=True)
    new = own.division(required=True)
    name = fields.String(required=True)
    places = fields.List(own.anywhere(), required=True)
    since = own.Day(required=True)


class RestructuringPlanned(View):
    change = own.an_id(required=True)
    unit = own.division(required=True)
    kind = own.one_of(RESTRUCTURINGS, required=True)
    since = own.Day(required=True)
    communities = fields.List(own.division(), required=True)
    new = fields.String(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    places = fields.List(own.anywhere(), required=True)


class PlanDropped(View):
    """``why`` it could not be carried out on its day; empty where somebody gave it up."""

    change = own.an_id(required=True)
    plan = own.an_id(required=True)
    why = fields.String(required=True)


class UnitSettingsChanged(View):
    change = own.an_id(required=True)
    unit = own.anywhere(required=True)
    settings = fields.Nested(DistrictSettings, required=True)
    pilot_settings = fields.Nested(DistrictSettings, required=True)


class DepartmentSet(View):
    change = own.an_id(required=True)
    code = own.department(required=True)
    name = fields.String(required=True)
    kind = own.one_of(KINDS_OF_DEPARTMENT, required=True)
    phone = fields.String(allow_none=True)
    until = own.Day(allow_none=True)


class TeamSet(View):
    change = own.an_id(required=True)
    department = own.department(required=True)
    unit = own.division(required=True)
    name = fields.String(required=True)
    phone = fields.String(allow_none=True)
    until = own.Day(allow_none=True)


class Appointed(View):
    post = fields.String(required=True)
    unit = own.anywhere(required=True)
    term = own.an_id(required=True)
    person = own.an_id(required=True)
    since = own.Day(required=True)
    until = own.Day(allow_none=True)
    substitute = fields.String(allow_none=True)


class TermEnded(View):
    post = fields.String(required=True)
    unit = own.anywhere(required=True)
    term = own.an_id(required=True)
    change = own.an_id(required=True)
    until = own.Day(required=True)


class LeaveTaken(View):
    absence = own.an_id(required=True)
    since = own.Day(required=True)
    until = own.Day(required=True)
    substitute = fields.String(allow_none=True)


class LeaveEnded(View):
    absence = own.an_id(required=True)
    change = own.an_id(required=True)
    back = own.Day(required=True)


class CardPublished(View):
    change = own.an_id(required=True)
    hours = hours(required=True)


class CardWithdrawn(View):
    change = own.an_id(required=True)


class CategorySet(View):
    change = own.an_id(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    retired = fields.Boolean(required=True)


class RuleSet(View):
    change = own.an_id(required=True)
    category = fields.String(required=True)
    unit = own.anywhere(required=True)
    lead = fields.String(required=True)
    assists = fields.List(fields.String(), required=True)
    community_first = fields.Boolean(required=True)
    never_community = fields.Boolean(required=True)
    catalogue = fields.Integer()


class RuleRemoved(View):
    change = own.an_id(required=True)
    category = fields.String(required=True)
    unit = own.anywhere(required=True)
    catalogue = fields.Integer()


SERVICE = "roster"


def call(name, takes, gives, needs, doc, many=False):
    return Call(SERVICE, name, takes, gives, needs, many, doc)


open_district = call("open_district", Open(), District(), "district.open", "开通一区 / Open a district, no restart")
districts = call("districts", Nothing(), District(), "district.read", "已开通的区 / Districts that are open", True)
change_settings = call(
    "change_settings", Change(), District(), "settings.change", "改本区设置 / Change the district's settings"
)
divisions = call(
    "divisions", ListDivisions(), Division(), "district.read", "街道与社区 / Streets and communities", True
)
units = call("units", ListUnits(), Unit(), "unit.read", "区划与地点 / Units of the tree below one", True)
unit = call("unit", OneUnit(), Unit(), "unit.read", "一个单位 / One unit of the tree")
unit_trace = call("unit_trace", OneUnit(), Trace(), "unit.read", "单位留痕 / A unit's history, with proof")
found = call(
    "found", Found(), Unit(), "place.change", "新设 / Found a unit: a place by its community, others by the district"
)
change_unit = call(
    "change_unit", ChangeUnit(), Unit(), "place.change", "更名、改属 / Rename a unit, or hang it elsewhere"
)
mark = call("mark", Mark(), Unit(), "unit.mark", "试点 / Mark a unit as a pilot, or no longer")
close = call("close", Close(), Unit(), "place.change", "撤销 / Close a unit on which nothing hangs")
merge = call(
    "merge", Merge(), Unit(), "unit.change", "合并社区 / Merge communities; nothing that hangs on them is lost"
)
split = call("split", Split(), Unit(), "unit.change", "拆分社区 / Split a community; nothing that hangs on it is lost")
drop_plan = call("drop_plan", DropPlan(), Unit(), "unit.change", "放弃计划 / Give up a planned merger or split")
settings = call(
    "settings", OneUnit(), Setting(), "unit.read", "设置及来源 / Settings at a unit, each with its origin", True
)
set_settings = call(
    "set_settings", SetSettings(), Setting(), "settings.change", "下级设置 / Set for a unit, or for pilots only", True
)
departments = call("departments", Nothing(), Department(), "unit.read", "部门与企业 / Departments and utilities", True)
set_department = call(
    "set_department", SetDepartment(), Department(), "department.change", "设部门 / Name a department or utility"
)
teams = call("teams", ListTeams(), Team(), "unit.read", "科站队所 / Teams stationed in streets", True)
set_team = call("set_team", SetTeam(), Team(), "team.change", "设科站队所 / Station a department's team in a street")
seats = call("seats", ListSeats(), Seat(), "station.read", "岗位 / Who sits where, and who answers", True)
seat = call("seat", OneSeat(), Seat(), "station.read", "一个岗位 / One seat, with all its terms")
seat_trace = call("seat_trace", OneSeat(), Trace(), "station.read", "岗位留痕 / A seat's history, with proof")
appoint = call(
    "appoint", Appoint(), Seat(), "seat.appoint", "任岗 / Appoint a head, a specialist, a building's steward"
)
end_term = call("end_term", EndTerm(), Seat(), "seat.appoint", "离岗 / End a term")
hand_over = call("hand_over", HandOver(), Seat(), "seat.appoint", "交接 / Hand a seat over to the next one")
take_leave = call("take_leave", TakeLeave(), Holder(), "absence.take", "请假 / Be away, with a substitute")
end_leave = call("end_leave", EndLeave(), Holder(), "absence.take", "销假 / Be back earlier")
holder = call("holder", OneHolder(), Holder(), "station.read", "一人的岗位 / What one person holds")
publish_card = call("publish_card", PublishCard(), Card(), "card.publish", "公示名片 / Publish a name card")
withdraw_card = call(
    "withdraw_card", WithdrawCard(), Card(), "card.publish", "撤下名片 / Withdraw a card; its words are erased"
)
station = call("station", OneStation(), Station(), "station.read", "工作站 / A station's published list")
gaps = call("gaps", FindGaps(), Gap(), "station.read", "缺口 / What nobody covers", True)
categories = call(
    "categories", ListCategories(), Category(), "catalogue.read", "事项类别 / Categories, shipped and local", True
)
set_category = call("set_category", SetCategory(), Category(), "catalogue.change", "扩展类别 / Add a local category")
rules = call("rules", ListRules(), Rule(), "catalogue.read", "派单目录 / The dispatch catalogue", True)
catalogue = call("catalogue", Nothing(), Catalogue(), "catalogue.read", "目录版本 / Which version the catalogue has")
set_rule = call("set_rule", SetRule(), Rule(), "catalogue.change", "设派单规则 / Set a rule of the catalogue")
remove_rule = call(
    "remove_rule", RemoveRule(), Rule(), "catalogue.change", "删派单规则 / Remove a rule of the catalogue"
)
clock = call("clock", Nothing(), Clock(), "person.self", "平台时间 / The platform's time")
move_clock = call(
    "move_clock", MoveClock(), Clock(), "clock.move", "拨钟(仅演示与测试) / Move the clock, in demo and test"
)

check_places = call(
    "check_places",
    CheckTable(),
    Table(),
    "place.import",
    "检查楼房表 / Check a table of places whole, changing nothing",
)
import_places = call("import_places", GetTable(), Table(), "place.import", "导入楼房 / Carry a checked table out")
places_table = call("places_table", GetTable(), Table(), "place.import", "楼房导入进度 / How far an import has come")
export_places = call("export_places", ListRows(), TableRow(), "place.export", "导出楼房 / Places as rows", True)
check_seats = call(
    "check_seats", CheckTable(), Table(), "seat.import", "检查专员表 / Check a table of specialists, changing nothing"
)
import_seats = call("import_seats", GetTable(), Table(), "seat.import", "导入专员 / Carry a checked table out")
seats_table = call("seats_table", GetTable(), Table(), "seat.import", "专员导入进度 / How far an import has come")
export_seats = call("export_seats", ListRows(), TableRow(), "seat.export", "导出专员 / Specialists as rows", True)
check_rules = call(
    "check_rules", CheckTable(), Table(), "catalogue.import", "检查目录表 / Check a table of rules, changing nothing"
)
import_rules = call("import_rules", GetTable(), Table(), "catalogue.import", "导入目录 / Carry a checked table out")
rules_table = call("rules_table", GetTable(), Table(), "catalogue.import", "目录导入进度 / How far an import has come")
export_rules = call(
    "export_rules", ListRows(), TableRow(), "catalogue.export", "导出目录 / The catalogue as rows", True
)


def fact(name, carries, doc):
    return Fact(SERVICE, name, carries, doc)


opened = fact("opened", Opened(), "已开通 / A district was opened, with its communities and settings")
settings_changed = fact("settings_changed", SettingsChanged(), "设置已改 / A district's settings changed")
unit_founded = fact("unit_founded", UnitFounded(), "已新设 / A unit of the tree came to be")
unit_changed = fact("unit_changed", UnitChanged(), "已变更 / A unit has another name, place, mark or end")
units_merged = fact("units_merged", UnitsMerged(), "已合并 / Communities became one")
unit_split = fact("unit_split", UnitSplit(), "已拆分 / A community was split")
restructuring_planned = fact(
    "restructuring_planned", RestructuringPlanned(), "已计划调整 / Communities are to become one, or two, on a day"
)
plan_dropped = fact("plan_dropped", PlanDropped(), "计划已放弃 / A planned merger or split will not be carried out")
unit_settings_changed = fact("unit_settings_changed", UnitSettingsChanged(), "下级设置已改 / A unit's settings changed")
department_set = fact("department_set", DepartmentSet(), "部门已设 / A department is called so")
team_set = fact("team_set", TeamSet(), "科站队所已设 / A team is stationed in a street")
appointed = fact("appointed", Appointed(), "已任岗 / Somebody holds a seat for a time")
term_ended = fact("term_ended", TermEnded(), "已离岗 / A term has its last day")
leave_taken = fact("leave_taken", LeaveTaken(), "已请假 / Somebody is away, somebody answers in their stead")
leave_ended = fact("leave_ended", LeaveEnded(), "已销假 / Somebody is back")
card_published = fact("card_published", CardPublished(), "名片已公示 / A name card was published")
card_withdrawn = fact("card_withdrawn", CardWithdrawn(), "名片已撤下 / A name card was withdrawn")
category_set = fact("category_set", CategorySet(), "类别已设 / A district's own category")
rule_set = fact("rule_set", RuleSet(), "规则已设 / Who handles a category at a place")
rule_removed = fact("rule_removed", RuleRemoved(), "规则已删 / A rule is no longer")

CONTRACT = Contract(
    SERVICE,
    "区与社区: the tree, departments, stations and specialists, the dispatch catalogue",
    (open_district, districts, change_settings, divisions, units, unit, unit_trace, found, change_unit, mark, close)
    + (
        merge,
        split,
        drop_plan,
        settings,
        set_settings,
        departments,
        set_department,
        teams,
        set_team,
        seats,
        seat,
        seat_trace,
    )
    + (appoint, end_term, hand_over, take_leave, end_leave, holder, publish_card, withdraw_card, station, gaps)
    + (categories, set_category, rules, catalogue, set_rule, remove_rule, clock, move_clock)
    + (check_places, import_places, places_table, export_places, check_seats, import_seats, seats_table, export_seats)
    + (check_rules, import_rules, rules_table, export_rules),
    (opened, settings_changed, unit_founded, unit_changed, units_merged, unit_split, restructuring_planned)
    + (plan_dropped, unit_settings_changed)
    + (department_set, team_set, appointed, term_ended, leave_taken, leave_ended, card_published, card_withdrawn)
    + (category_set, rule_set, rule_removed),
)
