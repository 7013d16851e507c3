"""How many open streams one gateway process bears: gevent beside threads, on loopback, with the bus left out.

``python -m tests.bench.streams [streams]`` prints for each worker class: memory, CPU while idle, how a cheap route
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

from gateway.asking import declare
from tests.make_gateway import FakeBus, a_fact, a_gateway, a_token, a_whistle

ROOT = Path(__file__).parents[2]
PORT = 8139
REQUESTS = 400
FACTS = 5
IDLE_SECONDS = 20
KINDS = {"gevent": 1, "gthread": 100}


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


def ask(method: str, path: str, headers: dict | None = None, connection=None) -> bytes:
    """Ask the gateway once, on a connection of its own unless one is given."""
    own = connection or http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    own.request(method, path, headers=headers or {})
    answer = own.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    if connection is None:
        own.close()
    return body


def open_streams(count: int, token: str) -> list[socket.socket]:
    """Open many streams and read each one's first bytes."""
    streams = []
    request = f"GET /v1/stream HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    for _ in range(count):
        stream = socket.create_connection(("127.0.0.1", PORT), timeout=30)
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


def deliver(streams: list[socket.socket]) -> tuple[float, float]:
    """Tell one fact; give the seconds until half and until all listeners had it."""
    ready = selectors.DefaultSelector()
    for stream in streams:
        try:
            while stream.recv(65536):
                pass
        except BlockingIOError:
            ready.register(stream, selectors.EVENT_READ)
    teller = socket.create_connection(("127.0.0.1", PORT))
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


def cheap_route(token: str) -> str:
    """Ask a signed-in row many times, one after the other; give p50 and p95."""
    took, connection = [], http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(REQUESTS):
        began = time.perf_counter()
        ask("GET", "/v1/whistles/9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091", headers, connection)
        took.append((time.perf_counter() - began) * 1000)
    cuts = statistics.quantiles(took, n=100)
    return f"p50 {cuts[49]:.1f} ms, p95 {cuts[94]:.1f} ms"


def measure(kind: str, threads: int, count: int) -> None:
    """Run one gateway and print its figures."""
    environment = os.environ | {
        "PORT": str(PORT),
        "GATEWAY_WORKER_CLASS": kind,
        "GATEWAY_THREADS": str(threads),
        "STREAMS_MOST": "10000",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "gateway/gunicorn.py", "tests.bench.streams:app()"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                token = ask("GET", "/bench/token").decode()
                break
            except OSError:
                time.sleep(0.1)
        worker = psutil.Process(server.pid).children()[0]
        alone = worker.memory_info().rss / 1e6
        print(f"{kind}: alone {alone:.0f} MB, cheap route {cheap_route(token)}", flush=True)
        began = time.perf_counter()
        streams = open_streams(count, token)
        took = time.perf_counter() - began
        with_all = worker.memory_info().rss / 1e6
        print(f"{kind}: {count} streams opened in {took:.1f} s: {with_all:.0f} MB, {worker.num_threads()} threads")
        worker.cpu_percent()
        time.sleep(IDLE_SECONDS)
        print(f"{kind}: idle with heartbeats {worker.cpu_percent():.1f} % of a core, cheap route {cheap_route(token)}")
        times = [deliver(streams) for _ in range(FACTS)]
        half, all_of_them = (statistics.median(each) * 1000 for each in zip(*times, strict=True))
        print(f"{kind}: one fact to half {half:.0f} ms, to all {all_of_them:.0f} ms", flush=True)
        began = time.perf_counter()
        server.terminate()
        server.wait(30)
        print(f"{kind}: stopped in {time.perf_counter() - began:.1f} s", flush=True)
        for stream in streams:
            stream.close()
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * wanted + 500)), hard))
    for worker_class, extra in KINDS.items():
        measure(worker_class, wanted + extra if worker_class == "gthread" else 1, wanted)
