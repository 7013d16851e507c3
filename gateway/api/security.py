"""What each role may do in this district, and the security log."""

import csv
import io

from flask import Response

from gateway.asking import ask, declare, note
from gateway.table import Row, blueprint, read_query
from shared.contracts import identity
from shared.errors import Invalid

MOST_ROWS = 50_000
COLUMNS = ("id", "at", "what", "ok", "who", "role", "whom", "address", "about", "prev", "hash")
# What a spreadsheet would take for a formula when it opens a table (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r")

bp = blueprint(
    "security",
    [
        Row("GET", "/access", identity.access),
        Row(
            "POST",
            "/access/adjustments",
            identity.adjust,
            201,
            example={
                "adjustment": "9d1e2f30-4a5b-4c6d-8e7f-0a1b2c3d4e5f",
                "role": "worker",
                "add": ["whistle.blow"],
                "drop": [],
            },
        ),
        Row("GET", "/security", identity.security),
    ],
)


def table() -> Response:
    """Give the security log as a table.

    Not a row, because the answer is a file and not JSON; who took it out is in the log itself, before it is given.
    """
    known = identity.security.takes.fields
    order = read_query({name: kind for name, kind in known.items() if name not in ("limit", "after")}) | {"limit": 1000}
    note("exported", 200, "security.csv")
    text, count, after = io.StringIO(), 0, None
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    while True:
        page = ask(identity.security, order | ({"after": after} if after else {}))
        writer.writerows([plain(row.get(name)) for name in COLUMNS] for row in page["items"])
        count, after = count + len(page["items"]), page["next"]
        if after is None:
            break
        if count >= MOST_ROWS:
            raise Invalid(f"超过 {MOST_ROWS} 行,请缩短时段 / More than {MOST_ROWS} rows: please choose a shorter time")
    # With a byte order mark, by which Excel knows UTF-8.
    answer = Response("\ufeff" + text.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="security.csv"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def plain(value) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


declare(
    table,
    needs="security.export",
    spec={
        "tags": [identity.SERVICE],
        "summary": "导出安全日志 / The security log as a table",
        "description": "CSV, UTF-8; `since`, `until`, `what`, `who` 同 GET /v1/security / as there.",
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string", "format": "date-time"}}
            for name in ("since", "until")
        ]
        + [
            {"name": "what", "in": "query", "schema": {"type": "string", "enum": list(identity.EVENTS)}},
            {"name": "who", "in": "query", "schema": {"type": "string"}},
        ],
        "responses": {
            "200": {"description": "一张表 / A table", "content": {"text/csv": {"schema": {"type": "string"}}}},
            "422": {},
        },
    },
)
bp.add_url_rule("/security.csv", "security_table", table)
