"""Where bells hang: starts and kills replicas of the bell beside a running platform, and speaks to them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from datetime import datetime
from pathlib import Path

import pika
import pymongo

from deploy import database, topology
from deploy.settings import ROOT, free_port
from shared.bus import Bus
from shared.caller import Caller
from shared.contracts import CONTRACTS
from shared.running import new_trace
from tests.fault.bell.contract import BELL, ring
from tests.make import eventually

PAGES = [*CONTRACTS.values(), BELL]
SOMEBODY = "00000000-0000-4000-8000-000000000001"
DISTRICT = "110102"


class Belfry:
    """The bell's place on a platform: its queues and users, its database, its replicas."""

    def __init__(self, platform, folder: Path):
        self.platform, self.settings, self.folder = platform, platform.settings, folder
        self.replicas: list[subprocess.Popen] = []
        self.ports: dict[int, int] = {}
        self.declare()
        database.grant(self.settings, ["bell"])
        self.client = pymongo.MongoClient(database.service_uri(self.settings, "bell"), tz_aware=True)
        self.database = self.client["huying_bell"]
        self.bus = Bus(self.settings.amqp_uri("gateway"))
        eventually(lambda: self.bus.connected)

    def declare(self) -> None:
        """Declare what the bell needs, beside what the platform has."""
        passwords = self.settings.passwords() | {"bell": self.settings.secret("amqp.bell")}
        topology.apply(self.settings.management(), self.settings.vhost, passwords, PAGES)

    # -- replicas -------------------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """Give the environment of one replica, as a service of the platform has it."""
        own = self.settings.environment("figures")
        own |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HEALTH_PORT": str(free_port())}
        own |= {"AMQP_URI": self.settings.amqp_uri("bell"), "MONGO_DB": "huying_bell"}
        return own | {"MONGO_URI": database.service_uri(self.settings, "bell")}

    def start(self, count: int = 1) -> list[subprocess.Popen]:
        """Start replicas and wait until they are ready."""
        fresh = []
        for _ in range(count):
            environment = self.environment()
            with open(self.folder / f"bell.{len(self.replicas)}.log", "wb") as log:
                argv = [sys.executable, "-m", "tests.fault.bell"]
                replica = subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
            self.ports[replica.pid] = int(environment["HEALTH_PORT"])
            self.replicas.append(replica)
            fresh.append(replica)
        for replica in fresh:
            eventually(lambda replica=replica: self.is_ready(replica), 30)
        return fresh

    def is_ready(self, replica: subprocess.Popen) -> bool:
        assert replica.poll() is None, self.log()[-5:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[replica.pid]}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self, sign: int = signal.SIGKILL) -> None:
        """End every replica that still runs."""
        for replica in self.replicas:
            if replica.poll() is None:
                replica.send_signal(sign)
        for replica in self.replicas:
            replica.wait(20)

    def log(self) -> list[dict]:
        """Give the canonical lines of all replicas, in the order of time."""
        lines = [line for file in self.folder.glob("bell.*.log") for line in file.read_text().splitlines()]
        known = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]  # the last is half
        return sorted(known, key=lambda line: line["at"])

    # -- speaking -------------------------------------------------------------------------------------------------

    def caller(self) -> Caller:
        return Caller(DISTRICT, SOMEBODY, ("secretary",), trace=new_trace())

    def ring(self, seconds: float = 0, patience: float | None = None) -> int:
        """Ask the bell to ring; gives how often it has rung."""
        return self.bus.ask(ring, {"seconds": seconds}, self.caller(), patience)["count"]

    def strike(self, *manners: str, key: str | None = None) -> list[str]:
        """Tell strokes in the bell's name and wait until the broker has them; gives the facts' ids."""
        return tell(
            self.settings,
            "bell",
            [a_fact("bell", "struck", {"manner": each, "number": n}, key) for n, each in enumerate(manners)],
        )

    def strokes(self, ids: list[str]) -> dict[str, int]:
        """Give how often each of these facts was handled: ``{id: times}``."""
        return {row["_id"]: row["times"] for row in self.database["strokes"].find() if row["_id"] in set(ids)}

    def outcomes(self, id: str) -> list[tuple[float, str]]:
        """Give when and how each handling of a fact ended."""
        lines = [line for line in self.log() if line.get("id") == id]
        return [(datetime.fromisoformat(line["at"]).timestamp(), line["outcome"]) for line in lines]

    def close(self) -> None:
        """Leave the platform as it was."""
        self.stop()
        self.bus.close()
        self.client.close()
        api, vhost = topology.Management(self.settings.management()), self.settings.vhost
        for queue in set(topology.queues(PAGES)) - set(topology.queues()):
            api.ask("DELETE", "queues", vhost, queue)
        for exchange in set(topology.exchanges(PAGES)) - set(topology.exchanges()):
            api.ask("DELETE", "exchanges", vhost, exchange)
        api.ask("DELETE", "users", "bell")
        topology.apply(self.settings.management(), vhost, self.settings.passwords())


def a_fact(
    service: str, type: str, data: dict, key: str | None = None, version: int = 1, district: str = DISTRICT
) -> dict:
    """Give a fact as it travels."""
    subject = key or str(uuid.uuid4())
    return {
        "specversion": "1.0", "id": f"{service}/{district}/{subject}/{version}", "source": f"/{service}", "type": type,
        "subject": subject, "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}.000Z",
        "datacontenttype": "application/json", "district": district, "to": "all", "actor": SOMEBODY,
        "traceparent": new_trace(), "hash": uuid.uuid4().hex * 2, "data": data,
    }  # fmt: skip


def tell(settings, user: str, facts: list[dict | tuple[dict, bytes]], uri: str | None = None) -> list[str]:
    """Publish facts in a user's name; a pair gives the body that goes instead of the fact's own."""
    with pika.BlockingConnection(pika.URLParameters(uri or settings.amqp_uri(user))) as connection:
        channel, ids = connection.channel(), []
        channel.confirm_delivery()  # what was not confirmed may be lost when the channel closes, and the tests count
        for each in facts:
            fact, body = each if isinstance(each, tuple) else (each, json.dumps(each).encode())
            properties = pika.BasicProperties(
                user_id=user, message_id=fact["id"], type=fact["type"], delivery_mode=2, content_type="application/json"
            )
            key = f"{fact['type']}.{fact['district']}.all"
            channel.basic_publish(f"{fact['source'].strip('/')}.events", key, body, properties)
            ids.append(fact["id"])
    return ids
