"""Tables on their way in and out: a file becomes rows for a service to judge, and a service's rows become a file.

Uploads, templates and exports are no rows of the API's table, because a file is bytes and not JSON; how far an import
has come, and that it shall run, are.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from urllib.parse import quote

from flask import Blueprint, Response, request, stream_with_context
from marshmallow import fields
from werkzeug.exceptions import RequestEntityTooLarge

from gateway import sheets
from gateway.asking import ask, caller, declare, note, parts
from gateway.photos import FORM_MARGIN, decode
from gateway.table import CHECK, Row, blueprint, read_query
from shared.contracts.identity import PURPOSES
from shared.contracts.rows import KINDS, Kind, normal_login
from shared.errors import Invalid

PATIENCE = 60  # seconds that a service has to judge five thousand rows
PAGE = 1000
UNMASKED = "people"
TOO_HEAVY = "表格不能超过 5 MB / A table may have 5 MB at most"
MISSING = "请选择一个文件 / Please choose a file"
CSV = "text/csv; charset=utf-8"

bp = Blueprint("tables", __name__, url_prefix="/v1/tables")
rows = blueprint(
    "table_runs",
    [
        row
        for kind in KINDS.values()
        for row in (
            Row("GET", f"/tables/{kind.name}/<id>", kind.progress),
            Row("POST", f"/tables/{kind.name}/<id>/runs", kind.carry_out, 202, refuses=(404, 409)),
        )
    ],
)


def check(kind: Kind) -> Response:
    """Read a file and give the service's dry run of it: what it would do, and every error with where it stands."""
    order = read_query({"id": fields.String()})
    found = known_by_id(kind, decode(partial(sheets.read, kind), body()))
    answer = parts().bus.ask(kind.check, order | {"rows": found}, caller(), patience=PATIENCE)
    return answer, 200, {"Cache-Control": "no-store"}


def known_by_id(kind: Kind, found: list[dict]) -> list[dict]:
    """Put beside each login whose it is: the service knows people by their ids only, and asks nobody."""
    if kind.naming:
        called = {row["values"]["login"] for row in found if row["values"].get("login")}
        # What no login can be is left for the service to refuse, with where it stands.
        asked = [each for each in called if not kind.naming[0].takes.validate({"logins": [each]})]
        people = {row["login"]: row["person"] for row in ask(kind.naming[0], {"logins": asked})["items"]}
        for row in found:
            if person := people.get(normal_login(row["values"].get("login", ""))):
                row["values"]["person"] = person
    return found


def known_by_login(kind: Kind, page: dict) -> dict:
    """Put beside each person of a page the login by which whoever reads it knows them."""
    if kind.naming:
        ids = sorted({row["values"]["person"] for row in page["items"]})
        logins = {row["person"]: row["login"] for row in ask(kind.naming[1], {"ids": ids})["items"]}
        for row in page["items"]:
            row["values"]["login"] = logins.get(row["values"]["person"], "")
    return page


def body() -> bytes:
    """Read the file's bytes, raw or from the form's field ``file``, and never more than the bound (413)."""
    form = request.mimetype == "multipart/form-data"
    # Werkzeug cuts a body without a length off at the bound without a word, so the bound lies one byte further.
    request.max_content_length = sheets.MOST_BYTES + (FORM_MARGIN if form else 1)
    try:
        file = request.files.get("file") if form else None
        data = (file.read() if file else b"") if form else request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise RequestEntityTooLarge(TOO_HEAVY) from None
    if len(data) > sheets.MOST_BYTES:
        raise RequestEntityTooLarge(TOO_HEAVY)
    if not data:
        raise Invalid(MISSING, {"file": [MISSING]})
    return data


def template(kind: Kind) -> Response:
    """Give an empty table with its header, an example and hints."""
    read_query({})
    return file_of(sheets.template(kind), sheets.XLSX, f"{kind.title}模板.xlsx")


def csv_file(kind: Kind) -> Response:
    """Give all rows that the caller may see as CSV, page by page as the service gives them."""
    pages = exported(kind, "csv")
    return file_of(stream_with_context(sheets.csv_out(kind, pages)), CSV, f"{kind.title}.csv")


def xlsx_file(kind: Kind) -> Response:
    """Give all rows that the caller may see as xlsx."""
    pages = exported(kind, "xlsx")
    return file_of(sheets.xlsx_out(kind, pages), sheets.XLSX, f"{kind.title}.xlsx")


def exported(kind: Kind, form: str) -> Iterator[dict]:
    """Give the rows of an export; what may refuse it does so before the first byte goes out, and it is written down."""
    about = f"{kind.name}.{form}"
    if kind.name == UNMASKED:
        about = f"{purpose()} {about}"
    else:
        read_query({})
    first = known_by_login(kind, ask(kind.export, {"limit": PAGE}))
    note("exported", 200, about)
    return chain(values(first), the_rest(kind, first.get("next")))


def purpose() -> str:
    """Read why unmasked people go out; refused where that is not said."""
    said = read_query({"purpose": fields.String()}).get("purpose")
    if said not in PURPOSES:
        choices = "、".join(PURPOSES)
        raise Invalid(CHECK, {"purpose": [f"请注明用途 / What for: {choices}"]})
    return said


def values(page: dict) -> Iterator[dict]:
    return (row["values"] for row in page["items"])


def the_rest(kind: Kind, after: str | None) -> Iterator[dict]:
    while after:
        page = known_by_login(kind, ask(kind.export, {"limit": PAGE, "after": after}))
        yield from values(page)
        after = page.get("next")


def file_of(content: bytes | Iterator[bytes], mimetype: str, name: str) -> Response:
    answer = Response(content, content_type=mimetype)
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def view_of(act: Callable[[Kind], Response], kind: Kind, needs: str, spec: dict) -> Callable[[], Response]:
    def view() -> Response:
        return act(kind)

    view.__doc__ = act.__doc__
    return declare(view, needs=needs, spec=spec)


def a_file(*kinds: str) -> dict:
    return {each: {"schema": {"type": "string", "format": "binary"}} for each in kinds}


def goes_out(summary: str, *kinds: str, is_unmasked: bool = False) -> dict:
    told = {"summary": summary, "responses": {"200": {"description": "文件 / The file", "content": a_file(*kinds)}}}
    asked = {"name": "purpose", "in": "query", "required": True, "schema": {"type": "string", "enum": [*PURPOSES]}}
    asked["description"] = "用途,记入安全日志 / What for; it is written down"
    return told | {"parameters": [asked]} if is_unmasked else told


def comes_in(kind: Kind) -> dict:
    form = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
    return {
        "summary": f"检查{kind.title}表 / Check a table of {kind.name} whole, changing nothing",
        "description": f"{TOO_HEAVY}. CSV (UTF-8, GB18030) 或 xlsx. 列 / columns: {'、'.join(kind.titles.values())}",
        "parameters": [
            {"name": "id", "in": "query", "required": True, "schema": {"type": "string", "format": "uuid"}},
        ],
        "requestBody": {
            "required": True,
            "content": a_file("text/csv", sheets.XLSX) | {"multipart/form-data": {"schema": form}},
        },
        "responses": {
            "200": {
                "description": "检查结果 / What carrying it out would do, or all that is wrong with it",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Table"}}},
            },
            "413": {"description": TOO_HEAVY},
            "422": {"description": "看不懂的文件 / Not such a file"},
        },
    }  # fmt: skip


for each in KINDS.values():
    for method, path, act, needs, spec in (
        ("POST", each.name, check, each.check.needs, comes_in(each)),
        (
            "GET",
            f"{each.name}/template.xlsx",
            template,
            each.check.needs,
            goes_out(f"{each.title}表模板 / A template", sheets.XLSX),
        ),
        (
            "GET",
            f"{each.name}.csv",
            csv_file,
            each.export.needs,
            goes_out(f"导出{each.title} / Export", "text/csv", is_unmasked=each.name == UNMASKED),
        ),
        (
            "GET",
            f"{each.name}.xlsx",
            xlsx_file,
            each.export.needs,
            goes_out(f"导出{each.title} / Export", sheets.XLSX, is_unmasked=each.name == UNMASKED),
        ),
    ):
        bp.add_url_rule(f"/{path}", f"{act.__name__}_{each.name}", view_of(act, each, needs, spec), methods=[method])
