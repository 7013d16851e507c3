"""Figures that anyone can recompute: one row for each fact heard, counted by district and day.

Every fact is kept once under its own id; the sums are the rows counted, and the rows may be read.
"""

from marshmallow import fields

from shared.contract import Call, Contract
from shared.contracts import fields as own
from shared.contracts.forms import Order, View

COUNTED = ("blown", "reported", "settled")


class Days(Order):
    """From one day to another, both included, as days of Asia/Shanghai."""

    since = fields.Date(load_default=None, allow_none=True)
    until = fields.Date(load_default=None, allow_none=True)


class ListHeard(Order):
    day = fields.Date(required=True)
    fact = own.one_of(COUNTED, required=True)
    limit = own.limit(10_000)
    after = own.cursor()


class Sum(View):
    day = fields.Date()
    fact = fields.String()
    count = fields.Integer()


class Heard(View):
    """``id`` is the fact's own id on the bus, ``hash`` the link of the history that it was told with."""

    id = fields.String()
    subject = own.an_id()
    hash = fields.String()


SERVICE = "figures"
sums = Call(SERVICE, "sums", Days(), Sum(), "figures.read", True, "每日件数 / Counts by day and kind of fact")
heard = Call(SERVICE, "heard", ListHeard(), Heard(), "figures.read", True, "逐条 / The rows behind one count")

CONTRACT = Contract(
    SERVICE,
    "统计: figures that anyone can recompute",
    (sums, heard),
)
