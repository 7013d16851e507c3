"""The district's stream of facts over HTTP: not a row, because the answer has no end."""

import socket
from contextlib import suppress

from flask import Blueprint, Response, request

from gateway.asking import VISITED, caller, declare, parts, signed
from gateway.stream import Listener
from shared.rules.codes import DISTRICT

# An unread stream or a vanished peer is given up after this many seconds.
PATIENCE_TO_SEND = 30
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Authorization"}
EXAMPLE = """id: whistle/110102/9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091/2
event: reported
data: {"specversion":"1.0","id":"whistle/110102/9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091/2","type":"reported"}

"""
SPEC = {
    "summary": "事件流 / The district's facts, as they are told",
    "description": (
        "本区事件，一发生即送达（server-sent events）。断开重连时带 `Last-Event-ID`，错过的会补送；"
        "补不齐时收到 `event: reload`，请重新读取。同一事件可能送到两次，编号相同。"
        "令牌到期收到 `event: expired`，停用或重启收到 `event: ended`，流随即结束。"
        "发给单个部门的事件只有该部门与社区、街道、区级看得到。\n\n"
        "Server-sent events of the caller's district. Come back with `Last-Event-ID` and what was missed is sent; "
        "where that cannot be known, `event: reload` says: read anew. A fact may come twice, with the same id. "
        "`expired` (the token's end) and `ended` (revoked, or a restart) close the stream. A fact told to one "
        "department is seen by it and by the community's side only. Comments come every 15 seconds. Use a client "
        "that can send the `Authorization` header; no token is ever taken from an address."
    ),
    "parameters": [
        {
            "in": "header",
            "name": "Last-Event-ID",
            "schema": {"type": "string", "maxLength": 200},
            "description": "最后收到的编号 / the last id that was received",
        },
        {
            "in": "header",
            "name": VISITED,
            "schema": {"type": "string", "pattern": DISTRICT.pattern},
            "description": "市级观察员所看的区 / the district that a city observer listens in",
        },
    ],
    "responses": {
        "200": {
            "description": "没有结尾的事件流 / a stream without end",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": EXAMPLE,
                }
            },
        }
    },
}

bp = Blueprint("stream", __name__, url_prefix="/v1")


def tend(connection: socket.socket, listener: Listener) -> None:
    """Let a place become free in time: when the peer takes nothing, when it has vanished, when the stream is over."""
    connection.settimeout(PATIENCE_TO_SEND)
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PATIENCE_TO_SEND * 1000)

    def take_no_more() -> None:
        # gunicorn would keep the connection for a next request, and a stopping worker would wait for it.
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RD)

    listener.when_over = take_no_more


def listen() -> Response:
    """Listen to the district's facts as they happen."""
    if request.method == "HEAD":
        return Response(mimetype="text/event-stream", headers=HEADERS)
    # A city observer listens in the district that is visited; everybody else in their own.
    listener = Listener(parts().streams, signed(), request.headers.get("Last-Event-ID"), caller().district)
    if "gunicorn.socket" in request.environ:
        tend(request.environ["gunicorn.socket"], listener)
    return Response(listener, mimetype="text/event-stream", headers=HEADERS, direct_passthrough=True)


bp.add_url_rule("/stream", "listen", declare(listen, needs="stream.listen", spec=SPEC))
