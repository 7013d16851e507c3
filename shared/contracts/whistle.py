"""吹哨报到: a community blows, departments report in, the community settles.

Beijing Street Office Regulation (2019-11-27) Art. 5 names the four kinds of whistle; issue A proves three verbs.
"""

from marshmallow import fields, validate

from shared.contract import Call, Contract, Fact, Order, View
from shared.contracts import fields as own
from shared.contracts import proofs, roster, suggestions

KINDS = ("群众诉求", "重点工作", "综合执法", "应急处置")
STAGES = ("blown", "attended", "settled")
ERASURES = ("requested", "retention", "unlawful", "mistaken")


class Place(Order):
    """A point in WGS-84 degrees; Beijing lies inside these bounds."""

    lon = fields.Float(required=True, validate=validate.Range(115.4, 117.6, error="不在北京 / not in Beijing"))
    lat = fields.Float(required=True, validate=validate.Range(39.4, 41.1, error="不在北京 / not in Beijing"))


def photos():
    return fields.List(own.digest(), load_default=list, validate=validate.Length(max=9, error="最多 9 张 / 9 at most"))


class Blow(Order):
    """The whistle's id comes with the order: sent twice, it is found again and never becomes a twin."""

    id = own.an_id(required=True, metadata={"description": "UUID chosen by the client"})
    kind = own.one_of(KINDS, required=True)
    category = own.code(own.codes.EVENT, required=True, metadata={"description": "GB/T 30428.2 event code"})
    community = own.division(required=True)
    departments = fields.List(
        own.department(), required=True, validate=validate.Length(1, 16, error="1–16 个部门 / 1–16 departments")
    )
    title = own.text(60, required=True)
    text = own.text(2000, load_default="", least=0)
    place = fields.Nested(Place, load_default=None, allow_none=True)
    photos = photos()


class Report(Order):
    """The report's own id comes with the order; the department and the person are the caller's."""

    id = own.an_id(required=True, metadata={"description": "the whistle"})
    report = own.an_id(required=True, metadata={"description": "UUID of this report-in, chosen by the client"})
    place = fields.Nested(Place, load_default=None, allow_none=True)
    photos = photos()
    version = fields.Integer(load_default=None, allow_none=True, metadata={"description": "refuse if it has moved on"})


class Settle(Order):
    """The settlement's own id comes with the order."""

    id = own.an_id(required=True, metadata={"description": "the whistle"})
    settlement = own.an_id(required=True, metadata={"description": "UUID of this settlement, chosen by the client"})
    note = own.text(2000, load_default="", least=0)
    photos = photos()
    version = fields.Integer(load_default=None, allow_none=True, metadata={"description": "refuse if it has moved on"})


class Erase(Order):
    """Which words go, and by which right: PIPL Art. 47 (``requested``, ``unlawful``) and Art. 19 (``retention``)."""

    id = own.an_id(required=True, metadata={"description": "the whistle"})
    erasure = own.an_id(required=True, metadata={"description": "UUID of this erasure, chosen by the client"})
    reason = own.one_of(ERASURES, required=True)


class Get(Order):
    id = own.an_id(required=True)


class ListWhistles(Order):
    stage = own.one_of(STAGES, load_default=None, allow_none=True)
    community = own.division(load_default=None, allow_none=True)
    limit = own.limit()
    after = own.cursor()


class OpenWork(Order):
    """What a department has still to do in a community, and in those merged into it: the list of a handover."""

    department = own.department(required=True)
    community = own.division(required=True)
    limit = own.limit()
    after = own.cursor()


class AskResponsible(Order):
    """Who answers for a category of events at a unit of any level: today, or on another day."""

    category = own.code(own.codes.EVENT, required=True, metadata={"description": "GB/T 30428.2 event code, or local"})
    unit = own.anywhere(required=True)
    at = own.day(load_default=None, allow_none=True)


class KeepPhoto(Order):
    """What the gateway read from the bytes themselves; it has stored them under their digest already."""

    digest = own.digest(required=True)
    type = own.one_of(("image/jpeg", "image/png", "image/webp"), required=True)
    size = fields.Integer(required=True, validate=validate.Range(1, 20_000_000))
    width = fields.Integer(required=True, validate=validate.Range(1, 20_000))
    height = fields.Integer(required=True, validate=validate.Range(1, 20_000))


class GetPhoto(Order):
    digest = own.digest(required=True)


class Erased(View):
    """Why words are gone."""

    at = own.moment()
    reason = own.one_of(ERASURES)


class Words(View):
    """What people wrote, or ``erased`` where it was erased by right."""

    title = fields.String()
    text = fields.String()
    note = fields.String()
    photos = fields.List(own.digest())
    erased = fields.Nested(Erased, allow_none=True)


class Attendance(View):
    report = own.an_id()
    department = own.department()
    person = fields.String()
    at = own.moment()
    words = fields.Nested(Words, allow_none=True)


class Whistle(View):
    id = own.an_id()
    version = fields.Integer()
    stage = own.one_of(STAGES)
    kind = own.one_of(KINDS)
    category = fields.String()
    community = own.division()
    called = fields.List(own.department())
    reports = fields.List(fields.Nested(Attendance))
    place = fields.Nested(Place, allow_none=True)
    blown_at = own.moment()
    blown_by = fields.String()
    attended_at = own.moment(allow_none=True)
    settled_at = own.moment(allow_none=True)
    settled_by = fields.String(allow_none=True)
    words = fields.Nested(Words, allow_none=True)
    settlement = fields.Nested(Words, allow_none=True)


class Answer(View):
    """Who answers for a department: the holder of the nearest seat, or who stands in; ``person`` null where nobody."""

    department = fields.String(metadata={"description": "a department, or `community` for the community itself"})
    person = fields.String(allow_none=True)
    instead_of = fields.String(allow_none=True, metadata={"description": "whose seat it is, where another answers"})
    seat = fields.String(allow_none=True)
    why = fields.String()


class Responsible(View):
    """The rule that decides, at its version, and who answers by it."""

    category = fields.String()
    unit = own.anywhere()
    rule = fields.String(metadata={"description": "`<category or class or *>@<unit>`"})
    rule_version = fields.Integer()
    why = fields.String()
    community_first = fields.Boolean()
    never_community = fields.Boolean()
    lead = fields.Nested(Answer)
    assists = fields.List(fields.Nested(Answer))


class Photo(View):
    digest = own.digest()
    type = fields.String()
    size = fields.Integer()
    width = fields.Integer()
    height = fields.Integer()
    kept_at = own.moment()


class Blown(View):
    kind = own.one_of(KINDS, required=True)
    category = fields.String(required=True)
    community = own.division(required=True)
    called = fields.List(own.department(), required=True)
    lon = fields.Float()
    lat = fields.Float()


class Called(View):
    department = own.department(required=True)
    kind = own.one_of(KINDS, required=True)
    category = fields.String(required=True)
    community = own.division(required=True)
    lon = fields.Float()
    lat = fields.Float()


class Reported(View):
    report = own.an_id(required=True)
    department = own.department(required=True)
    person = fields.String(required=True)
    community = own.division(required=True)
    lon = fields.Float()
    lat = fields.Float()


class Settled(View):
    settlement = own.an_id(required=True)
    community = own.division(required=True)


class WordsErased(View):
    erasure = own.an_id(required=True)
    reason = own.one_of(ERASURES, required=True)
    community = own.division(required=True)


SERVICE = "whistle"
blow = Call(SERVICE, "blow", Blow(), Whistle(), "whistle.blow", doc="吹哨 / Blow a whistle and call departments")
report = Call(SERVICE, "report", Report(), Whistle(), "whistle.report", doc="报到 / Report in for one's department")
settle = Call(SERVICE, "settle", Settle(), Whistle(), "whistle.settle", doc="销哨 / Settle an attended whistle")
erase = Call(SERVICE, "erase", Erase(), Whistle(), "whistle.erase", doc="删除文字 / Erase what people wrote, by right")
get = Call(SERVICE, "get", Get(), Whistle(), "whistle.read", doc="一件哨 / One whistle")
listing = Call(SERVICE, "listing", ListWhistles(), Whistle(), "whistle.read", True, "哨单 / Newest first")
open_work = Call(
    SERVICE, "open_work", OpenWork(), Whistle(), "whistle.read", True, "未办结 / What a department has open somewhere"
)
responsible = Call(
    SERVICE, "responsible", AskResponsible(), Responsible(), "catalogue.read", doc="谁负责 / Who answers for it there"
)
trace = Call(SERVICE, "trace", Get(), roster.Trace(), "whistle.read", doc="全程留痕 / Each step, and whether it holds")
keep_photo = Call(SERVICE, "keep_photo", KeepPhoto(), Photo(), "photo.add", doc="存照片 / Keep a photo")
photo = Call(SERVICE, "photo", GetPhoto(), Photo(), "photo.read", doc="照片 / Where a photo may be read")

blown = Fact(SERVICE, "blown", Blown(), "已发哨 / A whistle was blown")
called = Fact(SERVICE, "called", Called(), "已派单 / One department was called; told to it alone")
reported = Fact(SERVICE, "reported", Reported(), "已报到 / A department reported in")
settled = Fact(SERVICE, "settled", Settled(), "已销哨 / The whistle was settled")
words_erased = Fact(SERVICE, "words_erased", WordsErased(), "已删除 / Words were erased; the chain still holds")

CONTRACT = Contract(
    SERVICE,
    "吹哨报到: blow, report in, settle",
    (blow, report, settle, erase, get, listing, open_work, responsible, trace, keep_photo, photo)
    + (proofs.prove, proofs.verify, suggestions.suggest),
    (blown, called, reported, settled, words_erased),
)
