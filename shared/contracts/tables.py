"""Tables that come in and go out: rows of CSV or xlsx, checked whole before anything changes.

A service that takes tables has three calls for each kind: check (changes nothing), import (carries out what was
checked, all of it, also after a crash), and how far it has come.
"""

from marshmallow import fields, validate

from shared.contracts import fields as own
from shared.contracts.forms import Order, View

MOST_ROWS = 5_000
STATES = ("refused", "checked", "running", "done")


class SheetRow(Order):
    """One row as the gateway read it: where it stands, and the text of each column that is known."""

    sheet = fields.String(load_default="", validate=validate.Length(max=100))
    line = fields.Integer(required=True)
    values = fields.Dict(
        keys=fields.String(validate=validate.Length(max=40)),
        values=fields.String(validate=validate.Length(max=2000, error="最多 2000 个字 / 2000 characters at most")),
        required=True,
    )
    numbers = fields.List(
        fields.String(validate=validate.Length(max=40)),
        load_default=list,
        metadata={"description": "columns whose cell was a number: what began with 0 has lost it"},
    )


class CheckTable(Order):
    id = own.an_id(required=True, metadata={"description": "UUID of this table, chosen by the client"})
    rows = fields.List(
        fields.Nested(SheetRow),
        required=True,
        validate=validate.Length(1, MOST_ROWS, error="1–5000 行 / 1 to 5000 rows"),
    )


class GetTable(Order):
    id = own.an_id(required=True, metadata={"description": "the table"})


class ListRows(Order):
    limit = own.limit(1000)
    after = own.cursor()


class RowError(View):
    """Why one cell is refused: where it stands, what was found there, what is expected."""

    sheet = fields.String()
    line = fields.Integer()
    column = fields.String()
    found = fields.String()
    expected = fields.String()


class Table(View):
    """``summary`` counts what carrying it out would do (new, changed, same); ``done`` of ``count`` rows are in."""

    id = own.an_id()
    kind = fields.String()
    state = own.one_of(STATES)
    count = fields.Integer()
    done = fields.Integer()
    summary = fields.Dict(keys=fields.String(), values=fields.Integer())
    errors = fields.List(fields.Nested(RowError))
    more_errors = fields.Integer(metadata={"description": "how many more there are than are listed"})


class TableRow(View):
    """One row by its columns' names."""

    values = fields.Dict(keys=fields.String(), values=fields.String())
