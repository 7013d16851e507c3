"""How gunicorn runs the gateway: ``gunicorn -c gateway/gunicorn.py 'gateway:create_app()'``.

The application is made in each worker after the fork, so each has its own bus; nothing of ours is loaded before it.
"""

import json
import os
import shutil
import tempfile
import threading
import time

from gunicorn import util

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("GATEWAY_WORKERS", "1"))
# Measured with 2,000 open streams (tests/bench/streams.py): a fact is with all of them in a third of the time that
# threads take, on one thread instead of 2,001 and with less memory; a cheap route beside them is as fast.
worker_class = os.environ.get("GATEWAY_WORKER_CLASS", "gevent")
threads = int(os.environ.get("GATEWAY_THREADS", "1"))
worker_connections = int(os.environ.get("STREAMS_MOST", "5000")) + 1000
backlog = 2048
keepalive = 20
timeout = 30
# A call waits five seconds at the most; streams are told to go by `end_streams`.
graceful_timeout = 6
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190
# Whom to believe about the client's address is the application's TRUSTED_PROXIES, not gunicorn's guess.
forwarded_allow_ips = ""
accesslog = None
errorlog = "-"
loglevel = "warning"
proc_name = "huying-gateway"
preload_app = False

if workers > 1:
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="huying-metrics-"))


def tell_problem(sock, status: int, reason: str, _) -> None:
    """Tell what gunicorn refuses by itself, before anybody knows whose language: a problem document in both."""
    from gateway.problems import TITLES

    title = TITLES.get(status, reason)
    body = json.dumps({"type": f"/docs#problem-{status}", "title": title, "status": status}, ensure_ascii=False)
    lines = [f"HTTP/1.1 {status} {reason}", "Connection: close", "Content-Type: application/problem+json"]
    lines += [f"Content-Length: {len(body.encode())}", "Cache-Control: no-store"]
    util.write_nonblock(sock, ("\r\n".join(lines) + "\r\n\r\n" + body).encode())


util.write_error = tell_problem


def post_worker_init(worker) -> None:
    """Have the worker's streams end as soon as it is told to stop."""

    def end_streams() -> None:
        while worker.alive:
            time.sleep(0.5)
        worker.wsgi.extensions["huying"].streams.close()

    threading.Thread(target=end_streams, daemon=True).start()


def child_exit(server, worker) -> None:
    """Take a dead worker's open streams out of the sums."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)


def on_exit(server) -> None:
    """Leave no files behind."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
