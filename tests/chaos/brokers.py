"""Three RabbitMQ nodes on loopback as one cluster, private like the platform's own; any of them may be lost."""

import os
import time
from pathlib import Path
from urllib.parse import quote

from deploy import broker, ours
from deploy.settings import Settings, free_port
from tests.chaos.proxy import Proxy
from tests.make import eventually

NAMES = ("a", "b", "c")
VHOST = "huying"


class Brokers:
    """A cluster behind one address, as behind a load balancer; ``with`` starts it empty and ends it."""

    def __init__(self, home: Path):
        self.home = home
        self.nodes = {name: Settings(home / name) for name in NAMES}
        self.proxies: list[Proxy] = []

    def __enter__(self) -> "Brokers":
        first = self.nodes["a"].complete()
        for settings in self.nodes.values():
            # One port mapper and one cookie: so that the nodes find and trust each other.
            settings.data.setdefault("ports", {})["epmd"] = first.port("epmd")
            settings.data.setdefault("secrets", {})["erlang"] = first.secret("erlang")
            settings.data["secrets"]["amqp.admin"] = first.secret("amqp.admin")
            settings.complete().save()
        broker.see_to(first)
        try:
            ours.start(first.home, "epmd", *broker.epmd_command(first))
            for count, name in enumerate(NAMES, 1):
                self.start(name)
                eventually(lambda count=count: len(self.running()) == count, 60)
            self.amqp, self.management = free_port(), free_port()
            self.proxies = [
                Proxy(self.amqp, [each.port("amqp") for each in self.nodes.values()]),
                Proxy(self.management, [each.port("management") for each in self.nodes.values()]),
            ]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for proxy in self.proxies:
            proxy.close()
        stop(self.home)

    @property
    def given(self) -> dict[str, str]:
        """Give what a platform is told, so that it uses this cluster."""
        login = f"admin:{quote(self.nodes['a'].secret('amqp.admin'), safe='')}"
        return {
            "AMQP_URI": f"amqp://{login}@127.0.0.1:{self.amqp}/{VHOST}",
            "AMQP_MANAGEMENT": f"http://{login}@127.0.0.1:{self.management}",
        }

    def node_name(self, name: str) -> str:
        return f"huying_{self.nodes[name].mark}@localhost"

    def start(self, name: str) -> None:
        """Start a node, the first time or again."""
        settings = self.nodes[name]
        argv, env = broker.command(settings)
        members = ", ".join(f"'{self.node_name(each)}'" for each in NAMES)
        advanced = settings.home / "broker" / "advanced.config"
        advanced.write_text(f"[{{rabbit, [{{cluster_nodes, {{[{members}], disc}}}}]}}].\n")
        ours.start(settings.home, "broker", argv, env)

    def kill(self, name: str) -> None:
        """Lose a node, as when its machine loses its power."""
        pid = ours.pid(self.nodes[name].home, "broker")
        os.kill(pid, 9)
        eventually(lambda: ours.pid(self.nodes[name].home, "broker") is None, 10)
        limit = time.monotonic() + 60
        while self.running() and name in self.running() and time.monotonic() < limit:
            time.sleep(0.2)

    def running(self) -> set[str]:
        """Name the nodes of the cluster that run, by the word of one that does."""
        for settings in self.nodes.values():
            try:
                said = broker.ask(settings.management(), "GET", "/api/nodes", timeout=3)
            except (OSError, ValueError):
                continue
            up = {each["name"] for each in said if each.get("running")}
            return {name for name in NAMES if self.node_name(name) in up}
        return set()

    def members(self) -> dict[str, list[str]]:
        """Give the nodes on which each quorum queue has a copy that is up: ``{queue: [name]}``."""
        for settings in self.nodes.values():
            try:
                said = broker.ask(settings.management(), "GET", f"/api/queues/{VHOST}", timeout=5)
            except (OSError, ValueError):
                continue
            named = {self.node_name(name): name for name in NAMES}
            return {
                each["name"]: sorted(named[node] for node in each.get("online", ()))
                for each in said
                if each.get("type") == "quorum"
            }
        return {}


def stop(home: Path) -> None:
    """Stop the nodes of a cluster in this folder, the last first."""
    for name in reversed(NAMES):
        ours.stop(home / name, "broker")
    ours.stop(home / NAMES[0], "epmd")
