"""Whether this gateway process lives and is ready, and its numbers: for supervisors and probes."""

import os

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess

from gateway.asking import declare, parts

bp = Blueprint("health", __name__)


def readiness() -> dict[str, bool]:
    """Say what this process needs and has."""
    return {"bus": bool(parts().bus.connected), "revocations": parts().sessions.is_loaded}


def healthz() -> Response:
    """Say that the process answers at all."""
    return jsonify(alive=True)


def readyz() -> tuple[Response, int]:
    """Say whether requests can be served here: 200, or 503 with what is missing."""
    checks = readiness()
    return jsonify(checks), 200 if all(checks.values()) else 503


def metrics() -> Response:
    """Give the numbers of all workers of this gateway, in Prometheus' text form."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


for view in (healthz, readyz, metrics):
    bp.add_url_rule(f"/{view.__name__}", view.__name__, declare(view, public=True))
