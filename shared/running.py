"""What every process of ours has while it runs: the one clock, log lines, trace ids, metrics, health.

Two times, never mixed: *platform time* (``clock.now()``) is what is said to people and written in histories, and may be
moved in demo and test; *real time* (``time.time()``) rules deadlines, sessions, retries and rate limits.
"""

import json
import os
import re
import secrets
import time
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from shared.errors import Conflict, Forbidden
from shared.rules.days import iso

MOVABLE = ("demo", "test")
REAL = (0.0, 0.0, 1.0)  # where the platform's time is the real time

REQUESTS = Counter("huying_requests", "Messages and requests handled", ["service", "method", "outcome"])
BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
SECONDS = Histogram("huying_seconds", "Seconds to handle one", ["service", "method"], buckets=BUCKETS)
UNTOLD = Gauge("huying_untold", "Records with facts that are saved and not yet told", ["service"])
UNTOLD_AGE = Gauge("huying_untold_age_seconds", "Age of the oldest of them", ["service"])


class Clock:
    """The platform's time, UTC in whole milliseconds.

    In demo and test it follows a small file ``{real, platform, speed}`` that all processes read, so that it moves for
    the whole platform at once; anywhere else it is the real time and refuses to move.
    """

    def __init__(self, path: str | None, mode: str):
        self.path = Path(path) if path and mode in MOVABLE else None
        self.seen: tuple[tuple, tuple[float, float, float]] = ((), REAL)

    def read(self) -> tuple[float, float, float]:
        """Give (real, platform, speed) as the file says just now; it is read again when it is another file."""
        if self.path:
            with suppress(FileNotFoundError):
                file = os.stat(self.path)
                mark = file.st_ino, file.st_mtime_ns, file.st_size
                if self.seen[0] != mark:
                    kept = json.loads(self.path.read_text())
                    self.seen = mark, (kept["real"], kept["platform"], kept["speed"])
                return self.seen[1]
        return REAL

    def now(self) -> datetime:
        """Give the platform's time, cut to what the database keeps."""
        real, platform, speed = self.read()
        moment = datetime.fromtimestamp(platform + (time.time() - real) * speed, UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def move(self, forward: float = 0.0, speed: float | None = None) -> None:
        """Move on by ``forward`` seconds and run at ``speed``; refuses (``Forbidden``) outside demo and test."""
        if not self.path:
            raise Forbidden("只有演示与测试可以拨钟 / The clock moves in demo and test only")
        if forward < 0:
            raise Conflict("时间不能倒流 / Time does not run backwards")
        real = time.time()  # read before the platform's time, so that no moment comes twice
        kept = {"real": real, "platform": self.now().timestamp() + forward, "speed": speed or self.read()[2]}
        beside = self.path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(kept))
        beside.replace(self.path)


clock = Clock(os.environ.get("CLOCK_FILE"), os.environ.get("HUYING_MODE", "production"))
real_now = Clock(None, "production").now  # the real time, in the same form


def log(event: str, **fields: object) -> None:
    """Write one canonical JSON line; never give it what a person wrote, a name, a phone or an address."""
    known = {key: value for key, value in fields.items() if value not in (None, "")}
    line = json.dumps({"at": iso(real_now()), "event": event, **known}, ensure_ascii=False, default=str)
    # One write with its own end, so that threads do not write into each other's lines.
    print(line + "\n", end="", flush=True)


def frames(error: BaseException) -> dict:
    """Say where a fault happened, ``{why, where}``, without its message: that may repeat what a person wrote."""
    where = [f"{step.filename}:{step.lineno} {step.name}" for step in traceback.extract_tb(error.__traceback__)[-8:]]
    return {"why": type(error).__name__, "where": where}


TRACEPARENT = re.compile(r"^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


def new_trace(incoming: str | None = None) -> str:
    """Continue a W3C traceparent with a span of our own, or begin a new one."""
    return f"00-{trace_id(incoming) or secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def trace_id(trace: str | None) -> str | None:
    """Give the 32 digits that one request and everything it caused have in common."""
    known = TRACEPARENT.match(trace or "")
    return known.group(1) if known else None


def handled(service: str, method: str, outcome: str, began: float, **fields: object) -> None:
    """Count, time and log one handled message or request; ``began`` is ``time.perf_counter()`` then."""
    took = time.perf_counter() - began
    REQUESTS.labels(service, method, outcome).inc()
    SECONDS.labels(service, method).observe(took)
    log("handled", service=service, method=method, outcome=outcome, ms=round(took * 1000, 1), **fields)
