"""The JSON API as a table: a row says method, path and call, and a blueprint is made of rows."""

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from flask import Blueprint, Response, current_app, request
from marshmallow import Schema, fields
from werkzeug.exceptions import BadRequest, PreconditionFailed, RequestEntityTooLarge, UnsupportedMediaType

from gateway.asking import READING, address, ask, parts
from shared.contract import Call
from shared.errors import Invalid

# RFC 7493 (I-JSON): beyond this, programs disagree about an integer, and the database refuses the largest.
SAFE_INTEGER = 2**53 - 1
ENTITY_TAG = re.compile(r'^"(\d{1,15})"$')
IN_PATH = re.compile(r"<(\w+)>")
CHECK = "请检查填写的内容 / Please check what you filled in"


@dataclass(frozen=True)
class Row:
    """One operation: all that the route, its guard, its OpenAPI page and the tests need to know.

    ``versioned``: the answer's ``version`` alone tells whether it has changed, so it is a strong entity tag.
    ``refuses``: further statuses that the service may answer with; ``example`` is a body that fits the contract.
    ``see``: where what goes with the answer is read, told in a ``Link`` header (RFC 8288).
    """

    method: str
    path: str
    call: Call
    status: int = 200
    versioned: bool = False
    refuses: tuple[int, ...] = ()
    example: dict = field(default_factory=dict)
    see: str = ""

    @property
    def is_public(self) -> bool:
        """Say whether nobody needs to be signed in: so it is for a call that asks for no permission."""
        return self.call.needs is None

    @property
    def in_path(self) -> tuple[str, ...]:
        """Give the fields of the order that come with the path."""
        return tuple(IN_PATH.findall(self.path))

    def schema(self) -> Schema:
        """Give the schema of what comes beside the path: as the query of a GET, or as the body."""
        return type(self.call.takes)(exclude=self.in_path)


def refuse_twins(pairs: list[tuple[str, object]]) -> dict:
    """Make an object of a JSON object, unless a name stands in it twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def finite(text: str) -> float:
    """Read a JSON number, unless it is too large to be one."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def safe_integer(text: str) -> int:
    """Read a JSON integer, unless programs would disagree about it."""
    number = int(text) if len(text) < 20 else SAFE_INTEGER + 1
    if abs(number) > SAFE_INTEGER:
        raise ValueError("not a safe integer")
    return number


def refuse_constant(text: str) -> None:
    """Refuse NaN and Infinity, which JSON does not have and Python would take."""
    raise ValueError(text)


READER = json.JSONDecoder(
    object_pairs_hook=refuse_twins, parse_float=finite, parse_int=safe_integer, parse_constant=refuse_constant
)


def read_body() -> dict:
    """Read the request's body as one JSON object; no body at all is an order that says nothing."""
    # Werkzeug cuts a body without a length off at the bound without a word, so the bound lies one byte further.
    most = current_app.config["MAX_CONTENT_LENGTH"]
    raw = b"" if (request.content_length or 0) >= most else request.get_data(cache=False)
    if max(len(raw), request.content_length or 0) >= most:
        raise RequestEntityTooLarge("内容过长,最多 64 KB / Too long: 64 KB at most")
    if not raw and not request.mimetype:
        return {}
    if request.mimetype != "application/json" or request.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType("请用 application/json,UTF-8 / Please send application/json in UTF-8")
    try:
        body = READER.decode(raw.decode("utf-8"))
        if b"\\u" in raw:
            json.dumps(body, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair cannot be kept anywhere
    except (ValueError, RecursionError):
        raise BadRequest(
            "正文不是合格的 JSON(不可重名、NaN、无穷或过大的整数) / "
            "The body is not good JSON (no name twice, no NaN, Infinity or unsafe integer)"
        ) from None
    if not isinstance(body, dict):
        raise Invalid("正文应为 JSON 对象 / The body must be a JSON object")
    return body


def typed(kind: fields.Field, text: str):
    """Give a query's text as the JSON type that its field has; what does not fit is left for the service to refuse."""
    reader: Callable | None = None
    if isinstance(kind, fields.Integer):
        reader = safe_integer
    elif isinstance(kind, fields.Float):
        reader = finite
    elif isinstance(kind, fields.Boolean):
        reader = {"true": True, "false": False}.__getitem__
    try:
        return reader(text) if reader else text
    except (ValueError, KeyError):
        return text


def read_query(known: dict[str, fields.Field]) -> dict:
    """Read the request's query, each name once unless its field is a list, and no name that is not known."""
    order, wrong = {}, {}
    for name, values in request.args.lists():
        kind = known.get(name)
        if kind is None:
            wrong[name] = ["没有这个参数 / No such parameter"]
        elif isinstance(kind, fields.List):
            order[name] = [typed(kind.inner, value) for value in values]
        elif len(values) > 1:
            wrong[name] = ["只能给一次 / May be given once only"]
        else:
            order[name] = typed(kind, values[0])
    if wrong:
        raise Invalid(CHECK, wrong)
    return order


def order_of(row: Row, path: dict[str, str]) -> dict:
    """Put the order together from path, query or body, and If-Match."""
    takes = row.call.takes.fields
    reading = row.method in READING
    query = read_query(takes if reading else {})
    order = query if reading else read_body()
    for name, value in path.items():
        if order.get(name, value) != value:
            raise Invalid(CHECK, {name: ["与地址中的不同 / Not the one in the path"]})
        order[name] = value
    if not reading and "If-Match" in request.headers:
        order = with_version(order, request.headers["If-Match"].strip(), "version" in takes)
    return order


def with_version(order: dict, tag: str, is_possible: bool) -> dict:
    """Carry If-Match into the order as the version that it names; never overlook a condition."""
    if not is_possible:
        raise Invalid("这里不能带条件 / This cannot be made conditional", {"If-Match": ["不支持 / Not possible here"]})
    if tag == "*":
        return order
    known = ENTITY_TAG.match(tag)
    if known is None:
        raise PreconditionFailed('If-Match 应为一个版本号,如 "3" / If-Match must name one version, as "3"')
    version = int(known.group(1))
    if order.get("version", version) != version:
        raise Invalid(CHECK, {"version": ["与 If-Match 不同 / Not the one of If-Match"]})
    return order | {"version": version}


def answer_with(row: Row, answer) -> Response:
    """Give an answer as JSON with its entity tag; what the client has already is 304."""
    if row.status == 204:
        return Response(status=204, headers={"Cache-Control": "no-store"})
    body = current_app.json.dumps(answer, separators=(",", ":")).encode("utf-8")
    response = Response(body, row.status, mimetype="application/json")
    version = answer.get("version") if isinstance(answer, dict) else None
    reading = row.method in READING
    if version is not None and (row.versioned or not reading):
        response.set_etag(str(version))
    elif reading:
        response.set_etag(hashlib.sha256(body).hexdigest()[:32], weak=True)
    # Private: another person may see another answer at the same address. No-cache: ask again, 304 is cheap.
    response.headers["Cache-Control"] = "private, no-cache" if reading else "no-store"
    response.vary.add("Authorization")
    return response.make_conditional(request) if reading else response


def view_of(row: Row) -> Callable:
    """Make the view of one row; what the guard and the specification read stands on it."""

    def view(**path: str) -> Response:
        order = order_of(row, path)
        if row.is_public:
            parts().limits.spend("address", address())
            if "login" in row.call.takes.fields:
                # As identity compares logins, so that another way of writing gives no more guesses.
                login = unicodedata.normalize("NFKC", str(order.get("login", ""))[:200])
                parts().limits.spend("sign_in", address(), login.strip().casefold())
        response = answer_with(row, ask(row.call, order))
        if row.see:
            response.headers["Link"] = f'<{row.see.format(**path)}>; rel="related"'
        return response

    view.row, view.public, view.needs = row, row.is_public, row.call.needs
    view.__doc__ = row.call.doc
    return view


def blueprint(name: str, rows: Iterable[Row]) -> Blueprint:
    """Make a blueprint under /v1 of a table of rows."""
    made = Blueprint(name, f"gateway.api.{name}", url_prefix="/v1")
    for row in rows:
        made.add_url_rule(row.path, row.call.name, view_of(row), methods=[row.method])
    return made
