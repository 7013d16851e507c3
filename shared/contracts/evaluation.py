"""评价: what a department gave back is rated by the community that called it, case by case (下考上).

Beijing Street Office Regulation (2019-11-27) Arts 11(4) and 44; 接诉即办 Regulation (2021-09-24) Art. 33.
One rating for each result: it may be amended with a reason, and both stay.
"""

from marshmallow import fields, validate

from shared.contract import Call, Contract, Fact
from shared.contracts import fields as own
from shared.contracts.forms import Order, View
from shared.contracts.whistle import ERASURES, Erased


def points(name: str):
    """One indicator: from 1 (poor) to 5 (very good)."""
    return fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(1, 5, error="1–5 分 / 1 to 5"),
        metadata={"description": f"{name}, 1–5"},
    )


class Indicators(Order):
    """五项指标 / The five indicators, each from 1 to 5."""

    promptness = points("响应及时")
    attendance = points("到场履职")
    quality = points("处置质量")
    cooperation = points("协同配合")
    feedback = points("反馈")


# -- what is ordered ---------------------------------------------------------------------------------------------------


class Rate(Order):
    """The community or the street rates what one department fed back last, once; the client names the act."""

    id = own.an_id(required=True, metadata={"description": "the whistle"})
    act = own.an_id(required=True, metadata={"description": "UUID of this act, chosen by the client"})
    department = own.department(required=True)
    indicators = fields.Nested(Indicators, required=True)
    note = own.text(1000, load_default="", least=0)


class Amend(Order):
    """Whoever gave a rating may amend it for seven days, and says why; what was given before stays."""

    id = own.an_id(required=True, metadata={"description": "the rating"})
    act = own.an_id(required=True, metadata={"description": "UUID of this act, chosen by the client"})
    indicators = fields.Nested(Indicators, required=True)
    reason = own.text(500, required=True)


class OfWhistle(Order):
    id = own.an_id(required=True, metadata={"description": "the whistle"})


class ListRatings(Order):
    """Newest first; the last 31 days where no day is named. Both days are included, as days of Asia/Shanghai."""

    department = own.department(load_default=None, allow_none=True)
    since = own.day(load_default=None, allow_none=True)
    until = own.day(load_default=None, allow_none=True)
    limit = own.limit()
    after = own.cursor()


# -- what is given -----------------------------------------------------------------------------------------------------


class Remark(View):
    """What was written beside a rating; ``erased`` by right, ``withheld`` from the department that was rated."""

    note = fields.String()
    reason = fields.String()
    erased = fields.Nested(Erased, allow_none=True)
    withheld = fields.Boolean()


class Given(View):
    """A rating as it was given, the first time or as an amendment."""

    act = own.an_id()
    indicators = fields.Nested(Indicators)
    score = fields.Float()
    at = own.moment()
    words = fields.Nested(Remark, allow_none=True)


class Rating(View):
    """``score`` and ``indicators`` as they were given last; the department that was rated does not see by whom."""

    id = own.an_id()
    whistle = own.an_id()
    department = fields.String()
    community = own.division()
    person = fields.String(allow_none=True, metadata={"description": "who gave the result that is rated"})
    score = fields.Float(metadata={"description": "mean of the five indicators"})
    indicators = fields.Nested(Indicators)
    rated_at = own.moment()
    rated_by = fields.String(allow_none=True)
    amended_at = own.moment(allow_none=True)
    given = fields.List(fields.Nested(Given))
    version = fields.Integer()


class Rated(View):
    """``answer`` is the act by which the result was fed back; ``revision`` counts from 1, the last one holds."""

    act = own.an_id(required=True)
    whistle = own.an_id(required=True)
    department = fields.String(required=True)
    community = own.division(required=True)
    answer = own.an_id(required=True)
    person = fields.String(allow_none=True)
    revision = fields.Integer(required=True)
    indicators = fields.Nested(Indicators, required=True)
    score = fields.Float(required=True)


class Amended(Rated):
    pass


class NotesErased(View):
    """``act`` is the whistle's own erasure, with which what was written beside its ratings goes, too."""

    act = own.an_id(required=True)
    reason = own.one_of(ERASURES, required=True)
    whistle = own.an_id(required=True)
    community = own.division(required=True)


SERVICE = "evaluation"
rate = Call(SERVICE, "rate", Rate(), Rating(), "evaluation.rate", doc="评价 / Rate what a department gave back")
amend = Call(SERVICE, "amend", Amend(), Rating(), "evaluation.rate", doc="修改评价 / Amend one's rating, with a reason")
of_whistle = Call(
    SERVICE, "of_whistle", OfWhistle(), Rating(), "evaluation.read", True, "一件哨的评价 / The ratings of one whistle"
)
listing = Call(SERVICE, "listing", ListRatings(), Rating(), "evaluation.read", True, "评价 / Ratings, newest first")

rated = Fact(SERVICE, "rated", Rated(), "已评价 / What a department gave back was rated", True)
amended = Fact(SERVICE, "amended", Amended(), "评价已修改 / A rating was amended", True)
notes_erased = Fact(SERVICE, "notes_erased", NotesErased(), "评语已删除 / What was written beside a rating was erased")

CONTRACT = Contract(
    SERVICE,
    "评价: what departments gave back, rated by those who called them",
    (rate, amend, of_whistle, listing),
    (rated, amended, notes_erased),
)
