"""The processes that we started: kept by pid and time of birth, so that no stranger with a reused pid is ever ended."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import time
from pathlib import Path


def born(pid: int) -> str | None:
    """Return when a process was born, in the kernel's own ticks, or nothing when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def pid(home: Path, name: str) -> int | None:
    """Return the pid of what we started under this name, if that very process still lives."""
    try:
        kept = json.loads(_book(home, name).read_text())
    except (OSError, ValueError):
        return None
    return kept["pid"] if born(kept["pid"]) == kept["born"] else None


def start(home: Path, name: str, argv: list[str], env: dict[str, str]) -> int:
    """Start a process in a session of its own, its output in the home's logs, and keep its pid."""
    (home / "logs").mkdir(parents=True, exist_ok=True)
    with open(home / "logs" / f"{name}.log", "ab") as log:
        process = subprocess.Popen(
            argv, env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    keep(home, name, process.pid)
    return process.pid


def keep(home: Path, name: str, number: int) -> None:
    """Write down that this process is ours."""
    _book(home, name).parent.mkdir(parents=True, exist_ok=True)
    _book(home, name).write_text(json.dumps({"pid": number, "born": born(number)}))


def stop(home: Path, name: str, patience: float = 20) -> bool:
    """End what we started under this name, gently, then for good; say whether there was anything to end."""
    number = pid(home, name)
    if number:
        birth = born(number)
        for sign, limit in ((signal.SIGTERM, patience), (signal.SIGKILL, 5)):
            with contextlib.suppress(ProcessLookupError):
                (os.kill if sign == signal.SIGTERM else os.killpg)(number, sign)
            deadline = time.monotonic() + limit
            while born(number) == birth and time.monotonic() < deadline:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(number, os.WNOHANG)
                time.sleep(0.05)
            if born(number) != birth:
                break
    _book(home, name).unlink(missing_ok=True)
    return bool(number)


def die_with_parent() -> None:
    """Ask the kernel to end this process (and what it becomes) when its supervisor dies, however it dies."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)


def _book(home, name):
    return Path(home) / "run" / f"{name}.json"
