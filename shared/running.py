"""What every process of ours has while it runs: the one clock, log lines, trace ids, metrics, health.

Two times, never mixed: *platform time* (``clock.now()``) is what is said to people and written in histories, and may be
moved in demo and test; *real time* (``time.time()``) rules deadlines, sessions, retries and rate limits.
"""

import json
import os
import re
import secrets
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from shared.errors import Conflict, Forbidden
from shared.rules.days import iso

MOVABLE = ("demo", "test")

REQUESTS = Counter("huying_requests", "Messages and requests handled", ["service", "method", "outcome"])
SECONDS = Histogram(
    "huying_seconds",
    "Seconds to handle one",
    ["service", "method"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
UNTOLD = Gauge("huying_untold", "Records with facts that are saved and not yet told", ["service"])
UNTOLD_AGE = Gauge("huying_untold_age_seconds", "Age of the oldest of them", ["service"])


def whole_milliseconds(moment: datetime) -> datetime:
    """Cut a moment to what the database keeps."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def real_now() -> datetime:
    """Give the real time, UTC, in whole milliseconds."""
    return whole_milliseconds(datetime.now(UTC))


class Clock:
    """The platform's time, UTC in whole milliseconds.

    In demo and test it follows a small file ``{real, platform, speed}`` that all processes read, so that it moves for
    the whole platform at once; anywhere else it is the real time and refuses to move.
    """

    def __init__(self, path: str | None, mode: str):
        self.path = Path(path) if path and mode in MOVABLE else None
        self.looked_at = -1.0
        self.stamp: int | None = None
        self.anchor = (0.0, 0.0, 1.0)

    def read(self) -> tuple[float, float, float]:
        """Give (real, platform, speed); the file is looked at every 20 ms at most."""
        if self.path and abs(time.monotonic() - self.looked_at) > 0.02:
            self.looked_at = time.monotonic()
            try:
                stamp = self.path.stat().st_mtime_ns
                if stamp != self.stamp:
                    kept = json.loads(self.path.read_text())
                    self.anchor = (kept["real"], kept["platform"], kept["speed"])
                    self.stamp = stamp
            except FileNotFoundError:
                self.anchor = (0.0, 0.0, 1.0)
        return self.anchor

    def now(self) -> datetime:
        """Give the platform's time."""
        real, platform, speed = self.read()
        return whole_milliseconds(datetime.fromtimestamp(platform + (time.time() - real) * speed, UTC))

    def move(self, forward: float = 0.0, speed: float | None = None) -> None:
        """Move on by ``forward`` seconds and run at ``speed``; refuses (``Forbidden``) outside demo and test."""
        if not self.path:
            raise Forbidden("只有演示与测试可以拨钟 / The clock moves in demo and test only")
        if forward < 0:
            raise Conflict("时间不能倒流 / Time does not run backwards")
        _, _, running = self.read()
        real = time.time()
        kept = {"real": real, "platform": self.now().timestamp() + forward, "speed": speed or running}
        beside = self.path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(kept))
        beside.replace(self.path)
        self.looked_at = -1.0


clock = Clock(os.environ.get("CLOCK_FILE"), os.environ.get("HUYING_MODE", "production"))


def log(event: str, **fields: object) -> None:
    """Write one canonical JSON line; never give it what a person wrote, a name, a phone or an address."""
    line = {"at": iso(real_now()), "event": event, **{key: value for key, value in fields.items() if value is not None}}
    sys.stdout.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def frames(error: BaseException) -> dict:
    """Say where a fault happened, ``{why, where}``, without its message: that may repeat what a person wrote."""
    where = [f"{step.filename}:{step.lineno} {step.name}" for step in traceback.extract_tb(error.__traceback__)[-8:]]
    return {"why": type(error).__name__, "where": where}


TRACEPARENT = re.compile(r"^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


def new_trace(incoming: str | None = None) -> str:
    """Continue a W3C traceparent with a span of our own, or begin a new one."""
    known = TRACEPARENT.match(incoming or "")
    return f"00-{known.group(1) if known else secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def trace_id(trace: str) -> str | None:
    """Give the 32 digits that one request and everything it caused have in common."""
    known = TRACEPARENT.match(trace or "")
    return known.group(1) if known else None


def handled(service: str, method: str, outcome: str, began: float, **fields: object) -> None:
    """Count, time and log one handled message or request; ``began`` is ``time.perf_counter()`` then."""
    took = time.perf_counter() - began
    REQUESTS.labels(service, method, outcome).inc()
    SECONDS.labels(service, method).observe(took)
    log("handled", service=service, method=method, outcome=outcome, ms=round(took * 1000, 1), **fields)
