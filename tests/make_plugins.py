"""Builders of departments' programs: one that is let onto the bus, and one that runs in a process of its own."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import pika

from deploy.settings import ROOT
from shared.bus import Bus
from tests.make import Client, eventually, fresh

PROGRAMS = ROOT / "services" / "department"
ACTING = ["whistle.get", "whistle.sign", "whistle.report"]


def a_plug_in(**changes) -> dict:
    """Give an order that lets a program of 城管 in, to hear what it is called to and to act on it."""
    return {
        "id": fresh(), "department": "chengguan", "name": fresh().replace("-", "")[:12], "title": "接单系统",
        "facts": ["whistle.called"], "calls": ACTING, **changes,
    }  # fmt: skip


def plugged_in(admin: Client, **changes) -> dict:
    """Let a program in; gives the answer, in which its password is."""
    answer = admin.post("/v1/plugins", a_plug_in(**changes))
    assert answer.status_code == 201, answer.text
    assert answer.json()["applied"], "the broker has it by the time of the answer"
    return answer.json()


def traffic(admin: Client, plugin: dict) -> dict:
    """Give how a program stands, as was seen a few seconds ago; nothing where it was not seen yet."""
    return admin.get(f"/v1/plugins/{plugin['id']}").json()["traffic"] or {}


def unplugged(admin: Client, plugin: dict) -> None:
    answer = admin.post(f"/v1/plugins/{plugin['id']}/revocations", {"change": fresh()})
    assert answer.status_code == 201, answer.text


@contextlib.contextmanager
def a_program(admin: Client, **changes):
    """Let a program in, and take it off the bus again."""
    plugin = plugged_in(admin, **changes)
    try:
        yield plugin
    finally:
        unplugged(admin, plugin)


def uri_of(platform, plugin: dict) -> str:
    """Give the broker's address by a program's login."""
    known = urlsplit(platform.settings.amqp_admin_uri())
    place = known.netloc.rpartition("@")[2]
    return f"amqp://{plugin['user']}:{quote(plugin['password'], safe='')}@{place}{known.path}"


def by_pika(uri: str) -> pika.BlockingConnection:
    parameters = pika.URLParameters(uri)
    parameters.heartbeat = 0
    return pika.BlockingConnection(parameters)


@contextlib.contextmanager
def a_bus(platform, plugin: dict):
    """Give the bus of a program, connected."""
    bus = Bus(uri_of(platform, plugin), patience=5)
    try:
        eventually(lambda: bus.connected)
        yield bus
    finally:
        bus.close()


def heard(uri: str, user: str, seconds: float = 5) -> tuple | None:
    """Take the next fact from a program's queue, ``(properties, body)``; nothing where there is none in time."""
    with by_pika(uri) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        for method, properties, body in channel.consume(f"{user}.facts", inactivity_timeout=seconds):
            if method:
                channel.basic_ack(method.delivery_tag)
            return (properties, body) if method else None
    return None


class Running:
    """A program in a process of its own, which knows its address from its environment and nothing else of ours."""

    def __init__(self, argv: list, uri: str, log: Path, folder: Path = ROOT, path: str | None = str(ROOT)):
        keep = {
            name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR")
        }
        environment = keep | {"AMQP_URI": uri, "PYTHONUNBUFFERED": "1"} | ({"PYTHONPATH": path} if path else {})
        self.log = log
        with open(log, "ab") as file:
            words = [str(word) for word in argv]
            self.process = subprocess.Popen(words, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)

    def stop(self) -> None:
        """End it as a crash would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def python(*words) -> list:
    return [sys.executable, *words]
