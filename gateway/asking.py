"""From a request to a caller, and from a caller to the bus: the one road of every view."""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask, current_app, g, request

from gateway.cookies import Cookies, must_come_from_here
from gateway.limits import Limits
from gateway.sessions import Sessions, Signed
from gateway.stream import Streams
from shared import running
from shared.caller import GATEWAY, Caller
from shared.contract import Call
from shared.contracts import identity
from shared.contracts.permissions import may as carried
from shared.errors import Invalid, Unauthenticated, Unavailable
from shared.rules.codes import DISTRICT

READING = ("GET", "HEAD")
VISITED = "X-District"
OWN = "person.self"  # what is one's own is at home, wherever one visits
PATIENCE_TO_NOTE = 1.0


@dataclass(frozen=True)
class Parts:
    """What one gateway process stands on."""

    bus: Any
    sessions: Sessions
    limits: Limits
    streams: Streams
    cookies: Cookies


def parts() -> Parts:
    """Give the parts of the application that serves this request."""
    return current_app.extensions["huying"]


def signed() -> Signed:
    """Give what the request's bearer token says, or on a page its cookie; ``Unauthenticated`` without a good one.

    The API takes no cookie: another site can make a browser send one, and cannot make it send a header.
    """
    if g.get("signed") is None and is_page():
        g.signed = parts().cookies.read(renewed)
    if g.get("signed") is None:
        bearer = request.authorization
        if bearer is None or bearer.type != "bearer" or not bearer.token:
            raise Unauthenticated("请先登录 / Please sign in")
        g.signed = parts().sessions.read(bearer.token)
    return g.signed


def caller() -> Caller:
    """Give the caller of this request; on a public view that is nobody in particular.

    A city observer, who belongs to no district, sees one after the other by naming it in ``X-District``.
    """
    if is_public():
        return Caller(trace=g.trace, address=address())
    person, visited = signed().caller(g.trace, address()), request.headers.get(VISITED)
    if visited is None or needed() == OWN:
        return person
    person.must("district.visit")
    if not re.fullmatch(DISTRICT, visited):
        raise Invalid("区代码应为六位数字 / A district has six figures", {VISITED: [DISTRICT.pattern]})
    return replace(person, district=visited, unit=visited)


def renewed(renewal: str) -> dict:
    """Renew a session for its browser; raises ``Unauthenticated`` where it is over."""
    parts().limits.spend("address", address())
    return parts().bus.ask(identity.renew, {"renewal": renewal}, Caller(trace=g.trace, address=address()))


def may(permission: str) -> bool:
    """Say whether whoever is signed in may do something, so that a page shows no door that is closed."""
    person = somebody()
    return person is not None and carried(person.roles, permission, person.adjusted)


def somebody() -> Signed | None:
    """Give who is signed in, or nobody: for pages that are open to everybody."""
    if not g.get("is_nobody"):
        with suppress(Unauthenticated, Unavailable):
            return signed()
        g.is_nobody = True
    return None


def ask(call: Call, order: dict) -> Any:
    """Ask a service in the name of the request's caller; raises a ``Refusal`` or the bus's ``Fault``."""
    return parts().bus.ask(call, order, caller())


def address() -> str:
    """Give the client's address: for rate limits in memory, open sessions and the security log, and nothing else."""
    return request.remote_addr or ""


def declare(view, *, public: bool = False, needs: str | None = None, spec: dict | None = None, page: bool = False):
    """Write on a view that is not a row what a row would say: public or not, its permission, its OpenAPI fragments.

    A ``page`` is for a browser: it knows its reader by a cookie, and is told in HTML what goes wrong.
    """
    view.public, view.needs, view.spec, view.page = public, needs, spec or {}, page
    return view


def note(what: str, status: int, about: str) -> None:
    """Have the security log say that somebody was refused, or took a table out; raises when it cannot be said."""
    person = g.get("signed")
    order = {"district": "", "who": "", "what": what, "status": status, "address": address(), "about": about[:200]}
    if person:
        # A city observer is noted in the district that was visited: it is its table that goes out.
        order |= {"district": caller().district, "who": person.actor, "role": next(iter(person.roles), "")}
    gateway = Caller(roles=(GATEWAY,), trace=g.get("trace", ""))
    parts().bus.ask(identity.note, order, gateway, PATIENCE_TO_NOTE)


def note_refusal(status: int, about: str) -> None:
    """Note that somebody was refused; never in the way of the refusal itself.

    What comes with a bad token costs its sender nothing, so an address may fill no more than a few lines a minute.
    """
    with suppress(Exception):
        if g.get("signed") is None:
            parts().limits.spend("address", "noted", address())
        note("refused", status, about)


def needed() -> str | None:
    """Give the permission that the view of this request asks for."""
    return getattr(current_app.view_functions.get(request.endpoint), "needs", None)


def is_public() -> bool:
    """Say whether the view of this request is open to everybody; a view that says nothing is not."""
    return bool(getattr(current_app.view_functions.get(request.endpoint), "public", False))


def is_page() -> bool:
    """Say whether the view of this request is a page for a browser."""
    return bool(getattr(current_app.view_functions.get(request.endpoint), "page", False))


def guard_every_view(app: Flask) -> None:
    """Put the guard before every view: signed in unless the view is public, permitted, within the rate limits."""

    @app.before_request
    def guard() -> None:
        g.trace = running.new_trace(request.headers.get("traceparent"))
        if is_page() and request.method not in READING:
            must_come_from_here()
        if request.endpoint is None or is_public():
            return
        person = caller()
        person.must(needed())
        parts().limits.spend("reads" if request.method in READING else "writes", person.actor)
