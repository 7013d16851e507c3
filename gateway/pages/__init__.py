"""What people see and touch: pages made here on the server, which work without any script."""

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, request

from gateway import cookies
from gateway.asking import is_page, may
from gateway.pages import design, door, homes, language, live, looks, resident, saying, whistle
from gateway.pages.forms import Told
from gateway.pages.names import Names

STATIC = Path(__file__).parents[1] / "static"
SCRIPT = "vendor/htmx.min.js"
A_YEAR = "public, max-age=31536000, immutable"
SQUEEZED = ("text/css", "text/javascript", "application/javascript", "image/svg+xml")
SMALL = 1_000
# The API's answers give no address away at all; a page's own orders have to say that they come from here.
REFERRER = "same-origin"


def open_for_people(app: Flask) -> None:
    """Put the pages in: their language, their looks, their words, and what every answer to a browser has."""
    language.speak(app)
    app.extensions["huying.names"] = Names()
    for module in (door, looks, homes, resident, whistle, live, design):
        app.register_blueprint(module.bp)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(saying.FILTERS)
    app.jinja_env.globals.update(
        asset=asset,
        has_script=(STATIC / SCRIPT).exists(),
        SCRIPT=SCRIPT,
        may=may,
        look=looks.look,
        said=saying,
        no_told=Told(),
    )

    @app.after_request
    def finish_page(response: Response) -> Response:
        if is_page():
            response.headers["Referrer-Policy"] = REFERRER
            if response.mimetype == "text/html":
                response.headers["Cache-Control"] = "private, no-store"
                response.vary.add("Cookie")
            cookies.keep(response)
        if request.endpoint == "static":
            keep_long(response)
        return response


@lru_cache(maxsize=64)
def mark(name: str, changed: int) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]


def asset(name: str) -> str:
    """Give the address of a file of ours, which changes whenever the file does."""
    return f"/static/{name}?v={mark(name, (STATIC / name).stat().st_mtime_ns)}"


@lru_cache(maxsize=64)
def squeezed(name: str, changed: int) -> bytes:
    return gzip.compress((STATIC / name).read_bytes(), 9, mtime=0)


def keep_long(response: Response) -> None:
    """Let a browser keep a file of ours for as long as its address lasts, and send it small.

    Pages themselves are not squeezed: beside what a reader types in, their length might tell what else is in them.
    """
    if response.status_code != 200 or "filename" not in (request.view_args or {}):
        return
    if "v" in request.args:
        response.headers["Cache-Control"] = A_YEAR
    file = STATIC / request.view_args["filename"]
    if response.mimetype in SQUEEZED and file.stat().st_size > SMALL:
        response.vary.add("Accept-Encoding")
        if request.accept_encodings["gzip"] and request.method == "GET" and "Range" not in request.headers:
            response.direct_passthrough = False
            response.set_data(squeezed(request.view_args["filename"], file.stat().st_mtime_ns))
            response.headers["Content-Encoding"] = "gzip"
            response.headers.pop("ETag", None)
