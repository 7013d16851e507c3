"""The bell's page: what it takes, gives and tells."""

from marshmallow import fields

from shared.contract import Call, Contract, Fact
from shared.contracts.forms import Order, View


class Ring(Order):
    seconds = fields.Float(load_default=0)


class Hang(Order):
    id = fields.String(required=True)
    due = fields.Float(required=True)


class Rung(View):
    count = fields.Integer()


class Stroke(View):
    manner = fields.String(required=True)
    number = fields.Integer(required=True)


class Due(View):
    number = fields.Integer(required=True)


ring = Call("bell", "ring", Ring(), Rung(), None, doc="Answer after some seconds")
struck = Fact("bell", "struck", Stroke(), "A stroke, of some manner")
hung = Fact("bell", "hung", Due(), "Something will be due")
fired = Fact("bell", "fired", Due(), "It was due, and fired")
BELL = Contract("bell", "a bell", (ring,), (struck, hung, fired), (struck, fired))
