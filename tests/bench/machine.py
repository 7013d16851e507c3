"""What machine a measurement was made on, and what ran on it: without that no two figures can be compared."""

import json
import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deploy import broker
from deploy.local import ROOT
from deploy.settings import Settings


def facts(settings: Settings | None = None) -> dict:
    """Give the machine, the versions and the commit, and how busy the machine was before."""
    found = {
        "processor": processor(), "cores": os.cpu_count(), "memory_mb": memory(), "kernel": platform.release(),
        "python": platform.python_version(), "commit": commit(), "load_before": list(os.getloadavg()),
    }  # fmt: skip
    for package in ("nameko", "pymongo", "gevent", "eventlet", "SecantusDB"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found | (of_broker(settings) if settings else {})


def of_broker(settings: Settings) -> dict:
    """Give the broker's versions, by its own word."""
    said = broker.ask(settings.management(), "GET", "/api/overview")
    return {"rabbitmq": said["rabbitmq_version"], "erlang": said["erlang_version"]}


def processor() -> str:
    """Give the processor's name as the kernel has it."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def memory() -> int:
    line = next(each for each in Path("/proc/meminfo").read_text().splitlines() if each.startswith("MemTotal"))
    return int(line.split()[1]) // 1024


def commit() -> str:
    """Give the commit that is measured, marked where the tree was not as committed."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "无 / none"  # unpacked from an archive


def said(found: dict) -> str:
    """Say a machine's facts in two lines."""
    load = " ".join(f"{each:.2f}" for each in found["load_before"])
    first = f"{found['processor']}, {found['cores']} 核 / cores, {found['memory_mb']} MB, Linux {found['kernel']}"
    rest = {name: value for name, value in found.items() if name in ("python", "rabbitmq", "erlang", "SecantusDB")}
    return f"{first}\n{json.dumps(rest)} commit {found['commit']}, 此前负载 / load before {load}"
