"""Chaos in its short form, and the instruments that it judges by, judged themselves."""

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time

import pytest

from deploy.local import ROOT
from deploy.settings import free_port
from tests.chaos import report
from tests.chaos.account import is_even
from tests.chaos.proxy import Proxy
from tests.chaos.scenarios import SCENARIOS
from tests.make import eventually


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while said := self.request.recv(1024):
            self.request.sendall(self.server.name + said)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


def an_echo(name: bytes = b""):
    server = Server(("127.0.0.1", 0), Echo)
    server.name = name
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def asked(port: int, said: bytes) -> tuple[bytes, float]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        began = time.monotonic()
        line.sendall(said)
        return line.recv(1024), time.monotonic() - began


def test_a_slow_line_delays_what_goes_through_and_changes_nothing():
    server = an_echo()
    proxy = Proxy(free_port(), [server.server_address[1]])
    try:
        answer, quick = asked(proxy.port, b"hello")
        assert answer == b"hello" and quick < 0.15
        proxy.delay = 0.2
        answer, slow = asked(proxy.port, b"hello")
        assert answer == b"hello" and 0.4 <= slow < 1
    finally:
        proxy.close()
        server.shutdown()
        server.server_close()


def test_a_line_goes_to_the_next_server_when_the_first_is_away():
    nobody, second = free_port(), an_echo(b"second ")
    proxy = Proxy(free_port(), [nobody, second.server_address[1]])
    try:
        assert asked(proxy.port, b"hello")[0] == b"second hello"
        first = Server(("127.0.0.1", nobody), Echo)
        first.name = b"first "
        threading.Thread(target=first.serve_forever, daemon=True).start()
        eventually(lambda: asked(proxy.port, b"hello")[0] == b"first hello")
        first.shutdown()
        first.server_close()
    finally:
        proxy.close()
        second.shutdown()
        second.server_close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=1)


def test_books_are_even_only_when_nothing_is_missing_and_nothing_too_much():
    even = {"acknowledged": 9, "stored": 9, "entries": 30, "told": 30, "heard": 30, "strange": 0}
    assert is_even(even)
    for name in even:
        assert not is_even(even | {name: even[name] + 1}), name


def test_a_report_names_what_was_not_kept():
    row = {"scenario": "试 / a trial", "acknowledged": 9, "stored": 8, "ok": False, "saw": {}, "wrong": {"lost": 1}}
    assert "✗ 试 / a trial: {'lost': 1}" in report.table([row])


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_every_promise_is_kept_in_the_short_form(tmp_path):
    env = os.environ | {"HUYING_CHAOS_HOME": str(tmp_path / "chaos")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--quick"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=2300,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    (file,) = (tmp_path / "chaos").glob("*.json")
    rows = json.loads(file.read_text())["scenarios"]
    assert len(rows) == sum(each.is_quick for each in SCENARIOS) >= 8
    for row in rows:
        assert row["ok"] and row["acknowledged"] == row["stored"] >= 40, row
        assert row["entries"] == row["told"] == row["heard"] > row["stored"], row
    assert file.with_suffix(".md").read_text().count("✓") >= 3 * len(rows)
