"""What the whistle service proves: one whistle with all that proves it, and a district's histories part by part."""

from marshmallow import fields, validate

from shared.contract import Call
from shared.contracts import fields as own
from shared.contracts.forms import Order, View

PARTS = 256  # by the first two figures of an id, which is random: the parts of a district are even


class Prove(Order):
    id = own.an_id(required=True)


class Proof(View):
    """A history as stored, with the words and their salts; `erased` and `withheld` stand for what is not there."""

    service = fields.String()
    district = own.district()
    id = own.an_id()
    version = fields.Integer()
    head = fields.String(metadata={"description": "hash of the last step"})
    history = fields.List(fields.Dict())
    words = fields.Dict(metadata={"description": "`{ref: {field: {salt, text}}}`"})
    photos = fields.Dict(metadata={"description": "`{digest: media type}` of all photos that these words show"})


class Verify(Order):
    part = fields.Integer(
        load_default=0,
        validate=validate.Range(0, PARTS - 1, error=f"0–{PARTS - 1}"),
        metadata={"description": "ask for 0 first, then for each `next`"},
    )


class Verification(View):
    """How one part of the district's whistles stands: how many were checked, and each first broken link by name."""

    part = fields.Integer()
    parts = fields.Integer(metadata={"description": "how many parts there are: `(part + 1) / parts` is done"})
    checked = fields.Integer()
    broken = fields.List(fields.String())
    next = fields.Integer(allow_none=True)


SERVICE = "whistle"
prove = Call(SERVICE, "prove", Prove(), Proof(), "whistle.export", doc="出证 / A whistle with all that proves it")
verify = Call(
    SERVICE, "verify", Verify(), Verification(), "history.verify", doc="核验全区 / Verify all whistles, part by part"
)
