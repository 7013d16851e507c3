"""From a request to a caller, and from a caller to the bus: the one road of every view."""

from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, g, request

from gateway.limits import Limits
from gateway.sessions import Sessions, Signed
from gateway.stream import Streams
from shared import running
from shared.caller import Caller
from shared.contract import Call
from shared.errors import Unauthenticated

READING = ("GET", "HEAD")


@dataclass(frozen=True)
class Parts:
    """What one gateway process stands on."""

    bus: Any
    sessions: Sessions
    limits: Limits
    streams: Streams


def parts() -> Parts:
    """Give the parts of the application that serves this request."""
    return current_app.extensions["huying"]


def signed() -> Signed:
    """Give what the request's bearer token says; raises ``Unauthenticated`` without a good one."""
    if g.get("signed") is None:
        bearer = request.authorization
        if bearer is None or bearer.type != "bearer" or not bearer.token:
            raise Unauthenticated("请先登录 / Please sign in")
        g.signed = parts().sessions.read(bearer.token)
    return g.signed


def caller() -> Caller:
    """Give the caller of this request; on a public view that is nobody in particular."""
    return Caller(trace=g.trace) if is_public() else signed().caller(g.trace)


def ask(call: Call, order: dict) -> Any:
    """Ask a service in the name of the request's caller; raises a ``Refusal`` or the bus's ``Fault``."""
    return parts().bus.ask(call, order, caller())


def address() -> str:
    """Give the client's address: for rate limits in memory only, never written anywhere."""
    return request.remote_addr or ""


def declare(view, *, public: bool = False, needs: str | None = None, spec: dict | None = None):
    """Write on a view that is not a row what a row would say: public or not, its permission, its OpenAPI fragments."""
    view.public, view.needs, view.spec = public, needs, spec or {}
    return view


def is_public() -> bool:
    """Say whether the view of this request is open to everybody; a view that says nothing is not."""
    return bool(getattr(current_app.view_functions.get(request.endpoint), "public", False))


def guard_every_view(app: Flask) -> None:
    """Put the guard before every view: signed in unless the view is public, permitted, within the rate limits."""

    @app.before_request
    def guard() -> None:
        g.trace = running.new_trace(request.headers.get("traceparent"))
        if request.endpoint is None or is_public():
            return
        person = caller()
        person.must(getattr(current_app.view_functions[request.endpoint], "needs", None))
        parts().limits.spend("reads" if request.method in READING else "writes", person.actor)
