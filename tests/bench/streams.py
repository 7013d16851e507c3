"""How many open streams one gateway process bears: gevent beside threads, on loopback, with the bus left out.

``python -m tests.bench.streams [streams]`` measures for each worker class: memory, CPU while idle, how a cheap route
answers beside the streams, and how long one fact takes to reach every listener. It stops by itself.
"""

import http.client
import os
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
from flask import Blueprint

from deploy.settings import free_port
from gateway.asking import declare
from tests.bench import machine
from tests.bench.figures import Figures
from tests.make_gateway import FakeBus, a_fact, a_gateway, a_token, a_whistle

ROOT = Path(__file__).parents[2]
REQUESTS = 400
FACTS = 5
IDLE_SECONDS = 20
KINDS = {"gevent": 0, "gthread": 100}  # threads beyond the streams


def app():
    """Make a gateway on a fake bus, with one more address that tells a fact."""
    bus = FakeBus()
    bus.answers["whistle.get"] = a_whistle()
    made = a_gateway(bus, STREAMS_EACH=10_000, STREAMS_MOST=10_000)
    tell = Blueprint("bench", __name__)

    def fact():
        bus.on_fact(a_fact())
        return "told"

    tell.add_url_rule("/bench/facts", "fact", declare(fact, public=True), methods=["POST"])
    tell.add_url_rule("/bench/token", "token", declare(lambda: a_token(), public=True))
    made.register_blueprint(tell)
    return made


def ask(port: int, method: str, path: str, headers: dict | None = None, connection=None) -> bytes:
    """Ask the gateway once, on a connection of its own unless one is given."""
    own = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    own.request(method, path, headers=headers or {})
    answer = own.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    if connection is None:
        own.close()
    return body


def open_streams(port: int, count: int, token: str) -> list[socket.socket]:
    """Open many streams and read each one's first bytes."""
    streams = []
    request = f"GET /v1/stream HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    for _ in range(count):
        stream = socket.create_connection(("127.0.0.1", port), timeout=30)
        stream.sendall(request)
        head = b""
        while b"retry:" not in head:
            more = stream.recv(4096)
            if not more:
                raise RuntimeError(f"stream {len(streams)} was refused: {head[:200]!r}")
            head += more
        stream.setblocking(False)
        streams.append(stream)
    return streams


def deliver(port: int, streams: list[socket.socket]) -> tuple[float, float]:
    """Tell one fact; give the seconds until half and until all listeners had it."""
    ready = selectors.DefaultSelector()
    for stream in streams:
        try:
            while stream.recv(65536):
                pass
        except BlockingIOError:
            ready.register(stream, selectors.EVENT_READ)
    teller = socket.create_connection(("127.0.0.1", port))
    began, times = time.perf_counter(), []
    teller.sendall(b"POST /bench/facts HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n")
    while ready.get_map() and time.perf_counter() - began < 30:
        for key, _ in ready.select(1):
            if b"event: reported" in key.fileobj.recv(65536):
                times.append(time.perf_counter() - began)
                ready.unregister(key.fileobj)
    teller.close()
    if len(times) < len(streams):
        raise RuntimeError(f"only {len(times)} of {len(streams)} had the fact")
    return times[len(times) // 2], times[-1]


def cheap_route(port: int, token: str) -> tuple[float, float]:
    """Ask a signed-in row many times, one after the other; give p50 and p95 in milliseconds."""
    took, connection = [], http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(REQUESTS):
        began = time.perf_counter()
        ask(port, "GET", "/v1/whistles/9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091", headers, connection)
        took.append((time.perf_counter() - began) * 1000)
    cuts = statistics.quantiles(took, n=100)
    return cuts[49], cuts[94]


def measure(figures: Figures, kind: str, count: int, idle: float = IDLE_SECONDS) -> None:
    """Run one gateway with so many streams and note its figures."""
    port, threads = free_port(), count + KINDS[kind] if kind == "gthread" else 1
    environment = os.environ | {
        "PORT": str(port),
        "GATEWAY_WORKER_CLASS": kind,
        "GATEWAY_THREADS": str(threads),
        "STREAMS_MOST": "10000",
        "PYTHONPATH": str(ROOT),
    }
    more_files(count)
    command = [sys.executable, "-m", "gunicorn", "-c", "gateway/gunicorn.py", "tests.bench.streams:app()"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    streams: list[socket.socket] = []
    name = f"{kind}, {count} streams"
    try:
        for _ in range(100):
            try:
                token = ask(port, "GET", "/bench/token").decode()
                break
            except OSError:
                time.sleep(0.1)
        worker = psutil.Process(server.pid).children()[0]
        figures.add(f"{kind}, no streams: memory", "MB", worker.memory_info().rss / 1e6)
        median, slow = cheap_route(port, token)
        figures.add(f"{kind}, no streams: a cheap route", "ms", median, p95=slow)
        began = time.perf_counter()
        streams = open_streams(port, count, token)
        figures.add(f"{name}: opened within", "s", time.perf_counter() - began)
        figures.add(f"{name}: memory", "MB", worker.memory_info().rss / 1e6)
        figures.add(f"{name}: threads", "", worker.num_threads())
        worker.cpu_percent()
        time.sleep(idle)
        figures.add(f"{name}: idle with heartbeats", "% cpu", worker.cpu_percent())
        median, slow = cheap_route(port, token)
        figures.add(f"{name}: a cheap route", "ms", median, p95=slow, beside=f"{kind}, no streams: a cheap route")
        times = [deliver(port, streams) for _ in range(FACTS)]
        figures.add(f"{name}: one fact to half", "ms", *(1000 * half for half, _ in times))
        figures.add(f"{name}: one fact to all", "ms", *(1000 * whole for _, whole in times))
        began = time.perf_counter()
        server.terminate()
        server.wait(30)
        figures.add(f"{name}: stopped within", "s", time.perf_counter() - began)
    finally:
        for stream in streams:
            stream.close()
        server.kill()
        server.wait()


def more_files(count: int) -> None:
    """Let this process and those it starts have a file for each stream on both sides."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * count + 500)), hard))


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for worker_class in KINDS:
        measure(Figures(machine.facts()), worker_class, wanted)
