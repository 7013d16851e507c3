"""The house that is measured: a platform, the floor's service beside ours, and one gateway that serves both."""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pymongo
from bson import encode

from deploy import database, topology
from deploy.local import ROOT, Platform, memory
from deploy.settings import free_port
from shared.contracts import CONTRACTS
from tests.bench.floor import app
from tests.bench.floor.contract import FLOOR
from tests.fault.harm import depth, quietly, tree
from tests.make import Client, a_blow, eventually

THREE = ["chengguan", "zhujian", "shichang"]
STAYS = 600  # seconds after which somebody signs in anew: a token is good for fifteen minutes
DRAINS = 120.0  # seconds that facts may take to be heard before the next figure is measured


def processor(process: psutil.Process) -> float:
    """Give the seconds of processor that a process has had by now."""
    with suppress(psutil.NoSuchProcess):
        spent = process.cpu_times()
        return spent.user + spent.system
    return 0.0


class House:
    """A platform on which floor and house are asked by the same gateway; ``with`` starts it empty and ends it."""

    def __init__(self, home: Path, listeners: bool = True):
        self.home, self.listeners = home, listeners
        self.started: list[subprocess.Popen] = []
        self.people: dict[str, Client] = {}

    def __enter__(self) -> "House":
        Platform(self.home).down()  # what a run that was interrupted has left
        shutil.rmtree(self.home, ignore_errors=True)
        self.platform = Platform(self.home, port=free_port(), mode="test", environ={"RATE_LIMITS": "off"})
        try:
            self.up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for process in self.started:
            process.terminate()
        for process in self.started:
            process.wait(20)
        self.platform.down()

    def up(self) -> None:
        """Start all, once and again, and see what an idle platform takes."""
        print("  启动平台 / starting a platform …", flush=True)
        with quietly(self.home.with_suffix(".log")):
            began = time.perf_counter()
            self.platform.up()
            self.first = time.perf_counter() - began
            began = time.perf_counter()
            self.platform.up()
            self.again = time.perf_counter() - began
        time.sleep(5)
        self.idle = self.memory()
        self.settings = self.platform.settings
        self.client = pymongo.MongoClient(database.admin_uri(self.settings), tz_aware=True)
        self.beside()
        if not self.listeners:
            self.without_listeners()

    def beside(self) -> None:
        """Start the floor's service, and a gateway with the floor's rows instead of the platform's own."""
        settings, password = self.settings, f"floor-{uuid.uuid4().hex}"
        topology.apply(
            settings.management(), settings.vhost, settings.passwords() | {"floor": password},
            [*CONTRACTS.values(), FLOOR],
        )  # fmt: skip
        env = {**os.environ, **settings.environment("whistle"), "MONGO_DB": "huying_floor", "PYTHONPATH": str(ROOT)}
        env |= {"MONGO_URI": database.admin_uri(settings), "HEALTH_PORT": str(free_port()), "MALLOC_ARENA_MAX": "2"}
        env["AMQP_URI"] = (
            settings.amqp_uri("whistle").replace("whistle", "floor").replace(settings.secret("amqp.whistle"), password)
        )
        self.port = free_port()
        door = {**os.environ, **settings.environment("gateway"), "PORT": str(self.port), "RATE_LIMITS": "off"}
        gateway = ["-m", "gunicorn", "-c", "gateway/gunicorn.py", f"{app.__name__}:create({self.listeners})"]
        with (self.home / "floor.log").open("w") as log:
            # In sessions of their own: an interrupt ends them through here, in order.
            own = {"cwd": ROOT, "stdout": log, "stderr": log, "start_new_session": True}
            self.started = [
                subprocess.Popen([sys.executable, "-m", "tests.bench.floor"], env=env, **own),
                subprocess.Popen([sys.executable, *gateway], env=door | {"PYTHONPATH": str(ROOT)}, **own),
            ]
        eventually(lambda: ready(self.url), 30)
        self.platform.stop_one("gateway")

    def without_listeners(self) -> None:
        """Have no service hear what whistles tell: what others do with it, and its own views, is their rate."""
        api = topology.Management(self.settings.management())
        vhost = self.settings.vhost
        for name, contract in CONTRACTS.items():
            queue = f"{name}.facts"
            for each in api.ask("GET", "queues", vhost, queue, "bindings") if contract.hears else ():
                if each["source"].startswith("whistle."):
                    api.ask("DELETE", "bindings", vhost, "e", each["source"], "q", queue, each["properties_key"])
        self.platform.stop_one("figures")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # -- people and whistles --------------------------------------------------------------------------------------

    def who(self, login: str) -> Client:
        """Give somebody whose token holds for one more measurement."""
        client = self.people.get(login) or Client(self.url, login)
        if time.monotonic() - client.since > STAYS:
            client.sign_in()
        return self.people.setdefault(login, client)

    def whistles(self, number: int, login: str = "wmy", **order) -> list[str]:
        """Blow so many whistles, to be reported in on."""
        token = self.who(login).signed["token"]

        def blow(_: int) -> str:
            client = Client(self.url)
            client.session.headers["Authorization"] = f"Bearer {token}"
            return client.blow(**{"departments": THREE} | order)["id"]

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(blow, range(number)))

    def with_history(self, entries: int) -> str:
        """Give a whistle whose history has at least so many entries."""
        head, street = self.who("wmy"), self.who("zll")
        id = head.blow(departments=THREE)["id"]
        while head.get(f"/v1/whistles/{id}").json()["version"] < entries:
            assert street.act("supervisions", id, {"note": "请今日反馈进展。"}).status_code == 201
        return id

    def size_of_a_whistle(self) -> int:
        """Give how long a text makes the floor's document as large as a whistle that was blown, with its words."""
        kept, id = self.client["huying_whistle"], self.who("wmy").blow(departments=["chengguan"])["id"]
        record = kept["whistles"].find_one({"_id": f"110102/{id}"})
        words = kept["whistles_words"].find_one({"_id": record["refs"][0]})
        # Its number comes a moment later, and is not what the blow has written.
        record["history"] = [each for each in record["history"] if each["fact"] in ("blown", "called")]
        bare = {"_id": str(uuid.uuid4()), "text": "", "at": record["state"]["blown_at"]}
        return len(encode(record)) + len(encode(words)) - len(encode(bare))

    # -- measuring ------------------------------------------------------------------------------------------------

    def load(
        self, login: str, kind: str, clients: int, seconds: float, things: Iterable[str] = (), size: int = 0
    ) -> dict:
        """Have so many clients ask in a closed loop, in a process of their own; gives what they saw."""
        token = self.who(login).signed["token"]
        argv = [sys.executable, str(Path(__file__).with_name("load.py")), str(self.port), token, kind]
        argv += [str(clients), str(seconds), str(size)]
        given = {"input": json.dumps(list(things)), "capture_output": True, "text": True, "check": True}
        return json.loads(subprocess.run(argv, timeout=seconds + 120, **given).stdout)

    def inserts(self, size: int, seconds: float = 3) -> float:
        """Give raw inserts a second, one client, no bus and no HTTP."""
        rows, count, until = self.client["huying_floor"]["raw"], 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            rows.insert_one({"_id": str(uuid.uuid4()), "text": "x" * size})
            count += 1
        return count / seconds

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Give the processes that take part, by name, their children with them."""
        pids = {name: pid for name, pid in self.platform.pids().items() if name != "epmd"}
        pids |= {"floor": self.started[0].pid, "gateway": self.started[1].pid}
        return {name: tree(pid) for name, pid in pids.items()}

    def processors(self) -> dict[str, float]:
        """Give the seconds of processor that each process has had by now."""
        return {name: sum(map(processor, each)) for name, each in self.processes().items()}

    def memory(self) -> dict[str, int]:
        """Give the memory of each process in MB, shared pages counted once."""
        rows = {row["name"]: round(row["memory"]) for row in self.platform.status() if row["pid"]}
        return rows | ({"gateway": round(memory(self.started[1].pid))} if self.started else {})

    def waiting(self) -> int:
        """Count the facts that nobody has heard yet."""
        return sum(depth(self.platform, f"{name}.facts") for name, page in CONTRACTS.items() if page.hears)

    def drain(self) -> float:
        """Wait until all facts are heard; gives the seconds, or raises when that takes too long."""
        began = time.monotonic()
        while self.waiting():
            if time.monotonic() - began > DRAINS:
                raise TimeoutError(f"{self.waiting()} facts are still to be heard after {DRAINS:.0f} s")
            time.sleep(0.1)
        return time.monotonic() - began


def ready(url: str) -> bool:
    """Say whether a gateway says that it is ready."""
    with suppress(OSError):
        return Client(url).get("/readyz").ok
    return False


def an_order(**changes) -> dict:
    """Give an order that calls three departments."""
    return a_blow(departments=THREE, **changes)
