"""How a browser carries a session: two cookies that no script can read, and only pages of ours are sent from.

The token is what the API takes in its header; the renewal gets another one when the token is old, or was revoked by a
change of what one may do. A cookie goes along with whatever a page of another site has the browser send, so an order
from a page is taken only where the browser says that it comes from here.
"""

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from urllib.parse import urlsplit

from flask import Response, g, request

from gateway.sessions import Sessions, Signed
from shared.errors import Forbidden, Unauthenticated

TOKEN, RENEWAL, STAY = "huying", "huying-renewal", "huying-stay"
STAYS = 12 * 3600  # seconds: as long as a session may live
# A renewal is good once. What a browser asks for at the same time, with the old one, is served by the same renewal.
REMEMBERED = 30.0
FOREIGN = "请在本站页面上操作 / This has to come from a page of this site"


def must_come_from_here() -> None:
    """Refuse an order that a page of another site had the browser send (``Origin``; else ``Sec-Fetch-Site``)."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if origin not in (None, "null"):
        is_ours = urlsplit(origin).netloc == request.host
    else:
        is_ours = origin is None and site == "same-origin"
    if not is_ours:
        raise Forbidden(FOREIGN)


class Cookies:
    """The cookies of one gateway process, and what it has renewed just now."""

    def __init__(self, sessions: Sessions):
        self.sessions = sessions
        self.renewed: dict[str, tuple[float, dict]] = {}
        self.waiting: dict[str, threading.Lock] = {}

    def read(self, renew: Callable[[str], dict]) -> Signed:
        """Read the token's cookie; one that is old or revoked is renewed, and goes out with the answer."""
        token, renewal = request.cookies.get(TOKEN, ""), request.cookies.get(RENEWAL, "")
        try:
            return self.sessions.read(token)
        except Unauthenticated:
            if not renewal:
                raise
        with self.one_at_a_time(renewal):
            known = self.renewed.get(renewal)
            if known is None or time.monotonic() - known[0] > REMEMBERED:
                known = (time.monotonic(), renew(renewal))
                self.renewed[renewal] = known
                self.forget()
        give(known[1], stays=STAY in request.cookies)
        return self.sessions.read(known[1]["token"])

    @contextmanager
    def one_at_a_time(self, renewal: str):
        lock = self.waiting.setdefault(renewal, threading.Lock())
        try:
            with lock:
                yield
        finally:
            self.waiting.pop(renewal, None)

    def forget(self) -> None:
        old = time.monotonic() - REMEMBERED
        for renewal in [renewal for renewal, (at, _) in list(self.renewed.items()) if at < old]:
            self.renewed.pop(renewal, None)


def give(session: dict, stays: bool) -> None:
    """Have the answer to this request carry a session."""
    g.cookies = {TOKEN: session["token"], RENEWAL: session["renewal"]} | ({STAY: "1"} if stays else {})


def take_away() -> None:
    """Have the answer to this request end the session in its browser."""
    g.cookies = {TOKEN: "", RENEWAL: "", STAY: ""}


def lasting(response: Response, name: str, value: str, life: int | None, path: str = "/") -> None:
    """Write one cookie that no script reads, and no other site has sent along with an order."""
    response.set_cookie(name, value, life, path=path, httponly=True, samesite="Lax", secure=request.is_secure)


def keep(response: Response) -> Response:
    """Write what ``give`` or ``take_away`` said."""
    said = g.pop("cookies", {})
    for name, value in said.items():
        life = 0 if not value else STAYS if STAY in said else None
        lasting(response, name, value, life)
    return response
