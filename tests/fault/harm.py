"""How a test harms the platform: clients with a book, what is killed, how long until all is well, what is parked."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pika
import psutil

from tests.make import eventually

HERE = Path(__file__).parent
PATIENCE, MARGIN = 5.0, 2.0  # the gateway's deadline, and what two busy cores may add to it
CATCH_UP = 10.0


class Writers:
    """The program ``book.py`` in a process of its own, and the book that it writes."""

    def __init__(self, url: str, path: Path, *words: str):
        self.url, self.path = url, path
        argv = [sys.executable, str(HERE / "book.py"), url, str(path), *words]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=plain())

    def count(self) -> int:
        """Count the 201s in the book by now."""
        return self.path.read_bytes().count(b'"status": 201') if self.path.exists() else 0

    def wait_for(self, writes: int, seconds: float) -> None:
        """Wait until the book has so many 201s."""
        limit = time.monotonic() + seconds
        while self.count() < writes:
            assert self.process.poll() is None, f"the clients ended early: {self.process.communicate()[0]}"
            assert time.monotonic() < limit, f"{self.count()} of {writes} writes in {seconds} s"
            time.sleep(0.05)

    def finish(self, seconds: float = 60) -> dict:
        """Have the clients stop after their last answers, and give what they saw."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=seconds)
        return json.loads(said)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def plain() -> dict[str, str]:
    """Give an environment in which nothing of ours can be found."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR")}


def recount(url: str, path: Path, *words: str, seconds: float = 300) -> dict:
    """Have the program ``recount.py`` compare the API with a book; its exit status is the verdict's ``ok``."""
    argv = [sys.executable, str(HERE / "recount.py"), url, str(path), *words]
    done = subprocess.run(argv, capture_output=True, text=True, env=plain(), timeout=seconds)
    assert done.stdout, done.stderr
    return json.loads(done.stdout) | {"ok": done.returncode == 0}


@contextlib.contextmanager
def quietly(log: Path):
    """Have what is printed here, by programs that are started too, go to a file: where starting is no news."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    kept = os.dup(1)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def kill_and_wait(platform, name: str, seconds: float = 60) -> float:
    """Kill a process as a crash would and wait until its successor is ready; gives the moment of that."""
    old = platform.kill(name)
    eventually(lambda: platform.pids().get(name, old) != old and platform.is_ready(name), seconds)
    if name == "broker":
        eventually(lambda: speaks(platform), 10)  # its management answers a moment before its queues do
    return time.time()


@contextlib.contextmanager
def stopped(platform, name: str):
    """Have a process be away, at once, and started again at the end."""
    platform.kill(name)
    platform.stop_one(name)
    eventually(lambda: name not in platform.pids())
    try:
        yield
    finally:
        platform.start_one(name)


@contextlib.contextmanager
def frozen(platform, name: str):
    """Have a process hang: it is there, takes connections and never answers."""
    processes = tree(platform.pids()[name])
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)  # a thread in the middle of a write to the disk stops a moment later than the rest
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


def speaks(platform) -> bool:
    """Say whether the broker lets somebody look at a queue."""
    try:
        return depth(platform, "figures.facts") >= 0
    except pika.exceptions.AMQPError:
        return False


def all_ready(platform) -> bool:
    """Say whether every process says that it is ready."""
    return all(platform.is_ready(name) for name in platform.names() if name != "epmd")


def is_well(platform, seconds: float = 60) -> None:
    """Wait until every process is ready again."""
    eventually(lambda: all_ready(platform), seconds)


def depth(platform, queue: str) -> int:
    """Count the messages that are ready in a queue, exactly and now."""
    with pika.BlockingConnection(pika.URLParameters(platform.settings.amqp_admin_uri())) as connection:
        return connection.channel().queue_declare(queue, passive=True).method.message_count


def parked(platform, services=("identity", "whistle", "evaluation", "figures")) -> dict[str, int]:
    """Count what is parked, of each service that hears anything: ``{service: count}`` without zeros."""
    found = {service: depth(platform, f"{service}.parked") for service in services}
    return {service: count for service, count in found.items() if count}


def tree(pid: int) -> list[psutil.Process]:
    """Give a process of ours and its children."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
