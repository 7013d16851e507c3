"""Which category somebody's words may be about: suggested with its reasons, chosen by people."""

from marshmallow import fields

from shared.contract import Call
from shared.contracts import fields as own
from shared.contracts.forms import Order, View

MOST_LETTERS = 2_060  # a whistle's title and text


class Suggest(Order):
    """What somebody is about to report: title and text together."""

    text = own.text(MOST_LETTERS, least=0, required=True)


class Suggestion(View):
    """A category that the words may be about; the person who blows chooses, this one or any other."""

    category = fields.String()
    name = fields.String()
    score = fields.Float(metadata={"description": "from 0 to 1: how much the words say; no probability"})
    because = fields.List(fields.String(), metadata={"description": "the very words of the text that speak for it"})


SERVICE = "whistle"
suggest = Call(
    SERVICE, "suggest", Suggest(), Suggestion(), "catalogue.read", True, "类别建议 / Which category words may be about"
)
