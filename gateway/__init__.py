"""The one door: HTTP in, calls on the bus out, facts as they happen; it translates and never judges."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway import api, health, pages, photos, proofs, tables
from gateway.asking import Parts, declare, guard_every_view
from gateway.cookies import Cookies
from gateway.limits import Limits
from gateway.problems import handle_every_problem
from gateway.sessions import Sessions
from gateway.stream import Streams
from shared import running
from shared.blobs import open_blobs
from shared.bus import Bus
from shared.caller import GATEWAY, Caller
from shared.contracts import identity
from shared.errors import Refusal

LARGEST_BODY = 64 * 1024
QUIET = ("/healthz", "/readyz", "/metrics")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def read_environment() -> dict[str, Any]:
    """Read the gateway's configuration: the only place of the gateway's application that looks at the environment."""
    accounts = os.environ.get("DEMO_ACCOUNTS_FILE")
    return {
        "AMQP_URI": os.environ["AMQP_URI"],
        "TOKEN_PUBLIC_KEY": Path(os.environ["TOKEN_PUBLIC_KEY_FILE"]).read_bytes(),
        "PATIENCE": float(os.environ.get("PATIENCE", "5")),
        "RATE_LIMITS": os.environ.get("RATE_LIMITS", ""),
        "STREAMS_EACH": int(os.environ.get("STREAMS_EACH", "10")),
        "STREAMS_MOST": int(os.environ.get("STREAMS_MOST", "5000")),
        "TRUSTED_PROXIES": int(os.environ.get("TRUSTED_PROXIES", "0")),
        "BLOBS": os.environ["BLOBS"],
        "MODE": os.environ.get("HUYING_MODE", "production"),
        "SECOND_DOOR": os.environ.get("SECOND_DOOR", ""),
        "DEMO_ACCOUNTS": json.loads(Path(accounts).read_text()) if accounts else [],
    }


def create_app(config: dict[str, Any] | None = None, bus: Any = None) -> Flask:
    """Make the gateway's application; without arguments it reads the environment and connects to the broker."""
    # Here and not above, so that `python -m gateway.spec` does not find itself imported already.
    from gateway import docs

    config = config or read_environment()
    app = Flask(__name__)
    declare(app.view_functions["static"], public=True)
    app.config.update(
        config, BLOBS=open_blobs(config["BLOBS"]), MAX_CONTENT_LENGTH=LARGEST_BODY + 1, PROVIDE_AUTOMATIC_OPTIONS=False
    )
    app.json.ensure_ascii, app.json.sort_keys = False, False
    if config.get("TRUSTED_PROXIES"):
        hops = config["TRUSTED_PROXIES"]
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)

    sessions = Sessions(config["TOKEN_PUBLIC_KEY"])
    parts = Parts(
        bus=bus or Bus(config["AMQP_URI"], config.get("PATIENCE", 5.0)),
        sessions=sessions,
        limits=Limits(config.get("RATE_LIMITS", "")),
        streams=Streams(config.get("STREAMS_EACH", 10), config.get("STREAMS_MOST", 5000)),
        cookies=Cookies(sessions),
    )
    app.extensions["huying"] = parts
    time_every_request(app)
    guard_every_view(app)
    handle_every_problem(app)
    for blueprint in (*api.BLUEPRINTS, photos.bp, tables.rows, tables.bp, proofs.rows, proofs.bp, health.bp, docs.bp):
        app.register_blueprint(blueprint)
    pages.open_for_people(app)
    docs.print_specifications(app)
    listen_to_the_bus(parts)
    return app


def time_every_request(app: Flask) -> None:
    """Write one canonical line and count one for each request, and set the headers that every answer has."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        route = request.url_rule.rule if request.url_rule else "-"
        if route in QUIET and response.status_code == 200:
            return response
        signed = g.get("signed")
        running.handled(
            GATEWAY,
            f"{request.method} {route}" if route != "-" else "-",
            str(response.status_code),
            g.get("began", time.perf_counter()),
            district=signed.district if signed else None,
            actor=signed.actor if signed else None,
            trace=running.trace_id(g.get("trace", "")),
        )
        return response


def listen_to_the_bus(parts: Parts) -> None:
    """Hear every fact: revocations close doors at once, all others go to the streams."""

    def on_fact(envelope: dict) -> None:
        if (envelope["source"], envelope["type"]) == (f"/{identity.SERVICE}", identity.revoked.name):
            subject = envelope["data"]["subject"]
            parts.streams.revoke(subject, parts.sessions.hear(subject, envelope["data"]["before"]))
        parts.streams.hear(envelope)

    def on_connected() -> None:
        parts.streams.begin_anew()
        # Not here: the bus waits for this to return before it gives us the first fact.
        threading.Thread(target=load_revocations, args=(parts, parts.sessions.ear), daemon=True).start()

    # Without its ear a gateway cannot know who was revoked meanwhile: it refuses everybody until it knows again.
    parts.bus.watch(on_fact, on_connected, parts.sessions.lose_ear)


def load_revocations(parts: Parts, ear: int, pause: float = 0.5) -> None:
    """Ask identity whom to refuse, until it answers or the ear that heard what came after is lost."""
    while ear == parts.sessions.ear:
        try:
            caller = Caller(roles=(GATEWAY,), trace=running.new_trace())
            answer = parts.bus.ask(identity.revocations, {"since": parts.sessions.since()}, caller)
            parts.sessions.load(answer["items"], ear)
            for revocation in answer["items"]:
                parts.streams.revoke(revocation["subject"], parts.sessions.revoked.get(revocation["subject"], 0.0))
            return
        except Refusal as refusal:
            running.log("revocations not here yet", why=type(refusal).__name__)
        except Exception as error:
            running.log("revocations failed", why=type(error).__name__)
        time.sleep(pause)
