"""What a page hears while it is open: that something it may show has happened, and nothing of what.

The page then asks for itself again, so whoever reads it sees what they may see and no more.
"""

from flask import Blueprint, Response, request

from gateway.api.stream import HEADERS, tend
from gateway.asking import ask, caller, declare, may, parts, signed
from gateway.stream import Listener, Told, frame
from shared.contracts import whistle

bp = Blueprint("live", __name__)


class PageListener(Listener):
    """A stream for a browser: only that a thing has moved; to a reporter, only of what they reported."""

    def __init__(self, *args, only: frozenset[str] | None = None):
        self.only = only
        super().__init__(*args)

    def may_see(self, told: Told) -> bool:
        """Say whether this page may hear of a fact."""
        return super().may_see(told) if self.only is None else told.subject in self.only

    def shape(self, told: Told) -> bytes:
        """Give what is sent of a fact."""
        return frame(told.id, "fact", {"subject": told.subject})


def live() -> Response:
    """Hear that something has happened."""
    only = None
    if not may("stream.listen"):
        only = frozenset(each["id"] for each in ask(whistle.own_listing, {"limit": 200})["items"])
    last = request.headers.get("Last-Event-ID")
    listener = PageListener(parts().streams, signed(), last, caller().district, only=only)
    if "gunicorn.socket" in request.environ:
        tend(request.environ["gunicorn.socket"], listener)
    headers = HEADERS | {"Vary": "Cookie"}
    return Response(listener, mimetype="text/event-stream", headers=headers, direct_passthrough=True)


bp.add_url_rule("/live", "live", declare(live, needs="person.self", page=True))
