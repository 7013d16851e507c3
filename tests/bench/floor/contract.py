"""The floor's page: a bare question, and one insert of a document as large as a whistle's."""

from marshmallow import fields

from shared.contract import Call, Contract
from shared.contracts.forms import Order, View


class Insert(Order):
    id = fields.String(required=True)
    text = fields.String(required=True)


class Nothing(Order):
    """Asks for nothing."""


class Done(View):
    id = fields.String()


insert = Call("floor", "insert", Insert(), Done(), "whistle.read", doc="One insert, majority and journal")
nothing = Call("floor", "nothing", Nothing(), Done(), "whistle.read", doc="A bare question")
FLOOR = Contract("floor", "the floor", (insert, nothing))
