"""What goes wrong, as people and programs read it: RFC 9457 problem documents, in Chinese or English."""

from urllib.parse import quote

from flask import Flask, Response, current_app, g, render_template, request
from werkzeug.exceptions import HTTPException

from gateway.asking import READING, is_page, note_refusal
from shared import running
from shared.errors import KINDS, Forbidden, Refusal, Unauthenticated

TITLES = {
    400: "看不懂的请求 / The request cannot be read",
    404: "没有这个地址 / No such address",
    405: "这个地址不能这样用 / Not a method of this address",
    408: "等候超时 / The request took too long",
    412: "条件不符 / A condition of the request does not hold",
    413: "内容太大 / The body is too large",
    414: "地址太长 / The address is too long",
    415: "只收 JSON / Only JSON is taken here",
    429: "太频繁了 / Too many requests",
    431: "请求头太大 / The headers are too large",
    500: "系统出错了 / A fault of ours",
}
KIND_NAMES = {kind.status: name.lower() for name, kind in KINDS.items()}
WAIT_WHEN_AWAY = "1"

# marshmallow says these in English only; a Chinese reader gets them in Chinese.
IN_CHINESE = {
    "Missing data for required field.": "必填",
    "Field may not be null.": "不能为空",
    "Unknown field.": "没有这个字段",
    "Not a valid string.": "应为文字",
    "Not a valid integer.": "应为整数",
    "Not a valid number.": "应为数字",
    "Number too large.": "数字太大",
    "Special numeric values (nan or infinity) are not permitted.": "应为有限的数字",
    "Not a valid boolean.": "应为 true 或 false",
    "Not a valid list.": "应为列表",
    "Not a valid mapping type.": "应为对象",
    "Invalid input type.": "应为对象",
    "Not a valid datetime.": "应为 ISO 8601 时间",
    "Not a valid date.": "应为日期,如 2026-01-31",
}


def language() -> str:
    """Choose ``zh`` or ``en`` for this request; Chinese unless the client would rather have English."""
    return request.accept_languages.best_match(["zh", "en"], default="zh")


def say(text: str, tongue: str) -> str:
    """Give one half of a ``中文 / English`` text."""
    chinese, _, english = text.partition(" / ")
    if tongue == "zh":
        return IN_CHINESE.get(chinese, chinese)
    return english or chinese


def say_all(fields, tongue: str):
    """Give one half of every text in what marshmallow says about fields, however deep."""
    if isinstance(fields, dict):
        return {str(key): say_all(value, tongue) for key, value in fields.items()}
    if isinstance(fields, list | tuple):
        return [say_all(value, tongue) for value in fields]
    return say(str(fields), tongue)


def problem(
    status: int, title: str, detail: str = "", fields: dict | None = None, headers: dict | None = None
) -> Response:
    """Make one problem document, or on a page a plain page that says the same; empty members are left out."""
    if is_page() or is_for_people(status):
        return page(status, title, detail, headers)
    tongue = language()
    trace = g.get("trace", "")
    members = {
        "type": f"/docs#problem-{status}",
        "title": say(title, tongue),
        "status": status,
        "detail": say(detail, tongue),
        "instance": quote(request.path),
        "fields": say_all(fields or {}, tongue),
        "trace": trace.split("-")[1] if trace.count("-") == 3 else trace,
    }
    answer = Response(
        current_app.json.dumps({name: value for name, value in members.items() if value}, separators=(",", ":")),
        status,
        mimetype="application/problem+json",
    )
    answer.headers.update(headers or {})
    answer.headers["Content-Language"] = "zh-CN" if tongue == "zh" else "en"
    answer.headers["Cache-Control"] = "no-store"
    answer.vary.add("Accept-Language")
    return answer


def is_for_people(status: int) -> bool:
    """Say whether it is a person with a browser who has lost the way: no address of ours, and HTML is wanted."""
    wants = request.accept_mimetypes
    lost = status == 404 and request.endpoint is None and not request.path.startswith("/v1/")
    return lost and wants.quality("text/html") > wants.quality("application/json")


def page(status: int, title: str, detail: str, headers: dict | None = None) -> Response:
    """Say it to a person: whoever is not signed in finds the door, with the way back to where they wanted to go."""
    from gateway.pages import door, language

    tongue = language.tongue()
    g.is_nobody = g.get("is_nobody") or status == 401
    if status == 401:
        next = request.full_path.rstrip("?") if request.method in READING else "/home"
        answer = current_app.make_response(door.door(status=401, next=next))
    else:
        trace = running.trace_id(g.get("trace", "")) if status >= 500 else None
        said = {"title": say(title, tongue), "detail": say(detail, tongue), "trace": trace}
        answer = current_app.make_response((render_template("pages/problem.html", **said), status))
    answer.headers.update({name: value for name, value in (headers or {}).items() if name != "WWW-Authenticate"})
    answer.headers["Cache-Control"] = "no-store"
    return answer


def refused(refusal: Refusal) -> Response:
    """Tell a no of ours; whoever was not allowed, or came with a bad token, is noted."""
    is_bad_token = isinstance(refusal, Unauthenticated) and "Authorization" in request.headers
    if isinstance(refusal, Forbidden) or is_bad_token:
        note_refusal(refusal.status, f"{request.method} {request.url_rule or '-'}")
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": WAIT_WHEN_AWAY}}.get(refusal.status)
    return problem(refusal.status, refusal.title, refusal.detail, refusal.fields, headers)


def failed(error: Exception) -> Response:
    """Tell a no of HTTP's own; anything else is a fault of ours, logged with its trace and told without detail."""
    if not isinstance(error, HTTPException):
        trace = getattr(error, "trace", "") or g.get("trace", "")
        frames = error.__traceback__
        while frames and frames.tb_next:
            frames = frames.tb_next
        # Never the message: it may quote what a person wrote.
        where = f"{frames.tb_frame.f_code.co_filename}:{frames.tb_lineno}" if frames else ""
        running.log("fault", kind=type(error).__name__, where=where, trace=trace)
        return problem(500, TITLES[500])
    status = error.code or 500
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    detail = error.description or ""
    return problem(status, TITLES.get(status, error.name), detail if " / " in detail else "", None, kept)


def handle_every_problem(app: Flask) -> None:
    """Put in the two handlers; there are no others."""
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(Exception, failed)
