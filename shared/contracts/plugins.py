"""部门接入: a department's own program on the bus, which hears what is told to its department and asks a few calls.

The broker holds each plug-in to its own queue, its own exchange and its own name; what it asks goes through a door.
"""

import re

from marshmallow import fields, validate

from shared.contract import Call, Contract, Fact
from shared.contracts import evaluation, figures, identity, roster, whistle
from shared.contracts import fields as own
from shared.contracts.forms import Order, View
from shared.contracts.permissions import ROLES
from shared.contracts.roster import a_change, a_version

NAME = re.compile("^[a-z0-9]{1,24}$")
REASONS = ("handled", "obsolete", "rubbish")

PAGES = (identity, roster, whistle, evaluation, figures)
# What a plug-in may be given to hear: what is told to one department, and to no more than one.
FACTS = {f"{each.service}.{each.name}": each for page in PAGES for each in page.CONTRACT.facts if each.to_department}
# What it may be given to ask: what its role may do.
CALLS = {
    f"{each.service}.{each.name}": each
    for page in PAGES
    for each in page.CONTRACT.calls
    if each.needs in ROLES["plugin"]
}
# Of these, what a department's people do when they do it themselves.
ACTS = frozenset(name for name, each in CALLS.items() if each.needs == "whistle.report")


def chosen(of: dict, **options):
    """Some of a table, each once, by their names with the service's in front."""
    return fields.List(own.one_of(list(of)), validate=[own.some(0, len(of)), own.distinct], **options)


def between(least: int, most: int, usual: int, says: str):
    return fields.Integer(
        load_default=usual, strict=True, validate=validate.Range(least, most, error=f"{least}–{most}"),
        metadata={"description": says},
    )  # fmt: skip


class Quota(Order):
    """How much of the bus a plug-in may use; what waits beyond it is put aside, the oldest first."""

    calls_a_second = between(1, 200, 10, "calls in each second")
    backlog = between(10, 1_000_000, 100_000, "facts that may wait in its queue")
    bytes = between(100_000, 1_073_741_824, 104_857_600, "their bytes together")


# -- what is ordered ---------------------------------------------------------------------------------------------------


class AdmitPlugIn(Order):
    """The password is in the first answer and nowhere else; a name is used once and never again."""

    id = own.an_id(required=True)
    department = own.department(required=True)
    name = own.code(NAME, required=True, metadata={"description": "the program's own name in the department"})
    title = own.text(60, required=True)
    facts = chosen(FACTS, load_default=list)
    calls = chosen(CALLS, load_default=list)
    quota = fields.Nested(Quota, load_default=lambda: Quota().load({}))
    acts = fields.Boolean(load_default=True, metadata={"description": "false: people act, and it hears and reads only"})


class ChangePlugIn(Order):
    """What is left out stays as it is."""

    id = own.an_id(required=True)
    change = a_change()
    title = own.text(60, load_default=None, allow_none=True)
    facts = chosen(FACTS, load_default=None, allow_none=True)
    calls = chosen(CALLS, load_default=None, allow_none=True)
    quota = fields.Nested(Quota, load_default=None, allow_none=True)
    version = a_version()


class SwitchPlugIn(Order):
    """The one setting between program and people; people may act at any time, whatever it says."""

    id = own.an_id(required=True)
    change = a_change()
    acts = fields.Boolean(required=True)
    version = a_version()


class RotatePlugIn(Order):
    """A new password, in the first answer only; connections by the old one end at once."""

    id = own.an_id(required=True)
    change = a_change()


class RevokePlugIn(Order):
    """For good: its connections end at once, and its queues go with what waits in them (histories have it all)."""

    id = own.an_id(required=True)
    change = a_change()


class ReplayParked(Order):
    """Has the plug-in hear again what was put aside, the oldest first, a thousand at the most."""

    id = own.an_id(required=True)
    change = a_change()


class DropParked(Order):
    """Drops what was put aside, a thousand at the most."""

    id = own.an_id(required=True)
    change = a_change()
    reason = own.one_of(REASONS, required=True)


class GetPlugIn(Order):
    id = own.an_id(required=True)


class ListPlugIns(Order):
    department = own.department(load_default=None, allow_none=True)


# -- what is given -----------------------------------------------------------------------------------------------------


class Traffic(View):
    """How it stands on the broker, as it was seen a few seconds ago; null where it was not seen yet."""

    backlog = fields.Integer(metadata={"description": "facts that wait"})
    oldest = fields.Integer(metadata={"description": "how long the first of them has waited, in seconds"})
    parked = fields.Integer(metadata={"description": "facts put aside: by its own failure, or over its quota"})
    connected = fields.Boolean()


class PlugIn(View):
    """``user`` is its login at the broker; ``password`` is there in the answer that made it, and never again."""

    id = own.an_id()
    department = fields.String()
    name = fields.String()
    user = fields.String()
    title = fields.String()
    facts = fields.List(fields.String())
    calls = fields.List(fields.String())
    quota = fields.Nested(Quota)
    acts = fields.Boolean()
    generation = fields.Integer(metadata={"description": "of its password"})
    password = fields.String(allow_none=True)
    admitted_at = own.moment()
    revoked_at = own.moment(allow_none=True)
    applied = fields.Boolean(metadata={"description": "whether the broker has it so already; if not, within seconds"})
    traffic = fields.Nested(Traffic, allow_none=True)
    version = fields.Integer()


class PutAside(View):
    """One fact that was put aside: which, and why."""

    id = fields.String(allow_none=True)
    type = fields.String(allow_none=True)
    reason = fields.String()


# -- what is told ------------------------------------------------------------------------------------------------------


class Terms(View):
    change = own.an_id(required=True)
    title = fields.String(required=True)
    facts = fields.List(fields.String(), required=True)
    calls = fields.List(fields.String(), required=True)
    quota = fields.Nested(Quota, required=True)


class PluggedIn(Terms):
    department = own.department(required=True)
    name = fields.String(required=True)
    acts = fields.Boolean(required=True)


class Switched(View):
    change = own.an_id(required=True)
    acts = fields.Boolean(required=True)


class Rotated(View):
    change = own.an_id(required=True)
    generation = fields.Integer(required=True)


class Unplugged(View):
    change = own.an_id(required=True)


class Replayed(View):
    change = own.an_id(required=True)
    count = fields.Integer(required=True)


class Dropped(View):
    change = own.an_id(required=True)
    count = fields.Integer(required=True)
    reason = own.one_of(REASONS, required=True)


SERVICE = "plugins"


def orders(name: str, order: Order, doc: str) -> Call:
    return Call(SERVICE, name, order, PlugIn(), "plugin.admit", doc=doc)


plug_in = orders("plug_in", AdmitPlugIn(), "接入部门系统 / Let a department's program onto the bus")
change_terms = orders("change_terms", ChangePlugIn(), "变更接入范围 / Change what it hears, asks and may use")
switch = orders("switch", SwitchPlugIn(), "程序或人工 / Let the program act, or people alone")
rotate = orders("rotate", RotatePlugIn(), "更换密码 / Give it a new password")
unplug = orders("unplug", RevokePlugIn(), "撤销接入 / Take it off the bus for good")
replay = orders("replay", ReplayParked(), "重放搁置的消息 / Have it hear again what was put aside")
drop = orders("drop", DropParked(), "丢弃搁置的消息 / Drop what was put aside")
get = Call(SERVICE, "get", GetPlugIn(), PlugIn(), "plugin.read", doc="一个部门系统 / One department's program")
listing = Call(SERVICE, "listing", ListPlugIns(), PlugIn(), "plugin.read", True, "部门系统 / Departments' programs")
parked = Call(
    SERVICE, "parked", GetPlugIn(), PutAside(), "plugin.read", True, "搁置的消息 / What was put aside, and why"
)

plugged_in = Fact(SERVICE, "plugged_in", PluggedIn(), "已接入 / A department's program was let onto the bus")
terms_changed = Fact(SERVICE, "terms_changed", Terms(), "接入范围已变更 / What it hears, asks and may use has changed")
switched = Fact(SERVICE, "switched", Switched(), "已切换 / The program acts, or people alone")
rotated = Fact(SERVICE, "rotated", Rotated(), "密码已更换 / It has a new password")
unplugged = Fact(SERVICE, "unplugged", Unplugged(), "已撤销 / It was taken off the bus for good")
replayed = Fact(SERVICE, "replayed", Replayed(), "搁置的已重放 / It hears again what was put aside")
dropped = Fact(SERVICE, "dropped", Dropped(), "搁置的已丢弃 / What was put aside was dropped")

CONTRACT = Contract(
    SERVICE,
    "部门接入: departments' own programs on the bus",
    (plug_in, change_terms, switch, rotate, unplug, replay, drop, get, listing, parked),
    (plugged_in, terms_changed, switched, rotated, unplugged, replayed, dropped),
)
