"""Runs one service as a process: both its worker pools, or ``<service>.calls`` / ``<service>.facts`` alone."""

import services  # noqa: F401, I001 - first: it quiets what eventlet says of itself
import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402

from eventlet import wsgi  # noqa: E402
from eventlet.event import Event  # noqa: E402
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest  # noqa: E402
from pymongo.errors import PyMongoError  # noqa: E402

from deploy.catalogue import service_class, stores  # noqa: E402
from services.entrypoints import Half  # noqa: E402
from services.process import Process  # noqa: E402
from shared.running import frames, log  # noqa: E402


def probes(ready: Callable[[], dict[str, bool]]) -> Callable:
    """Make the WSGI application that answers /healthz, /readyz and /metrics for a process without pages."""

    def app(environ: dict, start_response: Callable) -> list[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
            return [generate_latest()]
        checks = ready() if path == "/readyz" else {"alive": True}
        known = path in ("/readyz", "/healthz")
        status = "404 Not Found" if not known else "200 OK" if all(checks.values()) else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(checks).encode()]

    return app


def prepare(kinds: list[type], process: Process) -> None:
    """Make the indexes, as soon as the database is there."""
    pause = 0.2
    while True:
        try:
            for kind in kinds:
                kind.prepare(process.database)
            return
        except PyMongoError as error:
            log("waiting for the database", why=type(error).__name__)
            eventlet.sleep(pause)
            pause = min(pause * 2, 2)


def serve(service: type, kinds: list[type], half: str = "") -> None:
    """Serve until told to stop (SIGTERM, SIGINT): then finish what was begun."""
    logging.getLogger("nameko").setLevel(logging.CRITICAL)  # its words repeat ours, with what people wrote in them
    config = {key: os.environ[key] for key in ("AMQP_URI", "MONGO_URI", "MONGO_DB", "BLOBS")}
    # Only who makes broker users has its management's address.
    process = Process(config | {"AMQP_MANAGEMENT": os.environ.get("AMQP_MANAGEMENT", "")})
    eventlet.spawn(process.watch_database)
    if os.environ.get("HEALTH_PORT"):
        # Loopback by default; a container's health check and its Prometheus set another.
        place = (os.environ.get("HEALTH_HOST", "127.0.0.1"), int(os.environ["HEALTH_PORT"]))
        listener = eventlet.listen(place, reuse_addr=True, reuse_port=False)
        eventlet.spawn(wsgi.server, listener, probes(process.ready), log_output=False)
    prepare(kinds, process)
    halves = [Half(service, process, each) for each in ([half] if half else ["calls", "facts"])]
    for each in halves:
        each.start()
    told = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.ready() or told.send())
    died: list[str] = []

    def watch(pool: Half) -> None:
        """End the process where a worker pool has died: whoever keeps it starts it anew."""
        try:
            pool.wait()
        except Exception as error:
            log("worker pool died", service=service.name, half=pool.half, **frames(error))
            died.append(pool.half)
            if not told.ready():
                told.send()

    for each in halves:
        eventlet.spawn(watch, each)
    log("serving", service=service.name, half=half or None)
    told.wait()
    for each in halves:
        each.stop()
    process.finish()
    log("stopped", service=service.name)
    sys.exit(1 if died else 0)


if __name__ == "__main__":
    name, _, half = sys.argv[1].partition(".")
    serve(service_class(name), stores(name), half)
