"""Has the broker follow the plug-ins' records, over RabbitMQ's management API; every step may be repeated."""

import base64
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from services.plugins import domain
from shared.caller import PLUGIN

ABSENT = 404
# Traffic to a broker of ours does not go by the environment's proxy.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Management:
    """RabbitMQ's management API, asked with the standard library alone."""

    def __init__(self, address: str, patience: float = 20):
        parts = urlsplit(address)
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
        self.address, self.patience = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/api", patience
        self.headers = {
            "Authorization": "Basic " + base64.b64encode(login).decode(),
            "Content-Type": "application/json",
        }

    def ask(self, method: str, *path: str, body: Any = None, query: str = "") -> Any:
        """Ask; gives the JSON answer or None, raises ``urllib.error.HTTPError`` for a refusal."""
        where = "/".join([self.address, *(quote(part, safe="") for part in path)]) + query
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(where, data, self.headers, method=method)
        with OPENER.open(request, timeout=self.patience) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def find(self, *path: str, query: str = "") -> Any:
        """Get something, None where it is not there."""
        try:
            return self.ask("GET", *path, query=query)
        except urllib.error.HTTPError as error:
            if error.code != ABSENT:
                raise
            return None

    def delete(self, *path: str) -> None:
        """Delete something; absent is fine."""
        try:
            self.ask("DELETE", *path)
        except urllib.error.HTTPError as error:
            if error.code != ABSENT:
                raise


class Broker:
    """What of the broker is the plug-ins'; a user's tag says which version of its record the broker has."""

    def __init__(self, process: Any):
        config = process.config
        self.api = Management(config["AMQP_MANAGEMENT"], patience=3)
        self.vhost = unquote(urlsplit(config["AMQP_URI"]).path.lstrip("/")) or "/"

    def apply(self, user: str, plugin: domain.PlugIn, hash: str, tag: str) -> None:
        """Have the broker hold a plug-in as its record says; last of all the tag, that this is done."""
        ask, vhost = self.api.ask, self.vhost
        ask("PUT", "exchanges", vhost, user, body={"type": "direct", "durable": True})
        for queue, arguments in domain.queues(user).items():
            ask("PUT", "queues", vhost, queue, body={"durable": True, "arguments": arguments})
        ask("PUT", "policies", vhost, user, body=domain.policy(user, plugin))
        self.lead(user, domain.bindings(user, plugin))
        if self.generation(user) not in (None, tag.partition("g")[2]):
            # Whoever came in by another password goes at once: the broker closes what a deleted user has open.
            self.api.delete("users", user)
        known = {"password_hash": hash, "hashing_algorithm": "rabbit_password_hashing_sha256"}
        ask("PUT", "users", user, body=known | {"tags": ""})
        ask("PUT", "permissions", vhost, user, body=domain.permissions(user))
        for name, most in domain.LIMITS.items():
            ask("PUT", "user-limits", user, name, body={"value": most})
        ask("PUT", "users", user, body=known | {"tags": tag})

    def generation(self, user: str) -> str | None:
        """Give the generation of the password that the broker knows, None where it knows no such user."""
        known = self.api.find("users", user)
        return tag_of(known).partition("g")[2] if known else None

    def lead(self, user: str, wanted: set[tuple[str, str, str]]) -> None:
        """Lead into its queues what is wanted, and nothing else."""
        for queue in domain.queues(user):
            for each in self.api.ask("GET", "queues", self.vhost, queue, "bindings"):
                binding = each["source"], queue, each["routing_key"]
                if each["source"] and binding not in wanted:
                    self.api.delete("bindings", self.vhost, "e", each["source"], "q", queue, each["properties_key"])
                wanted = wanted - {binding}
        for exchange, queue, key in sorted(wanted):
            self.api.ask("POST", "bindings", self.vhost, "e", exchange, "q", queue, body={"routing_key": key})

    def remove(self, user: str) -> None:
        """Take a plug-in off: first the user, whose connections the broker closes then, and all that was its own."""
        self.api.delete("users", user)
        for queue in domain.QUEUES:
            self.api.delete("queues", self.vhost, f"{user}.{queue}")
        self.api.delete("exchanges", self.vhost, user)
        self.api.delete("policies", self.vhost, user)

    def tags(self) -> dict[str, str]:
        """Give the plug-ins' users that the broker knows, each with its tag."""
        users = self.api.ask("GET", "users", query="?columns=name,tags")
        return {each["name"]: tag_of(each) for each in users if each["name"].startswith(f"{PLUGIN}-")}

    def seen(self) -> dict[str, dict]:
        """Give how each plug-in stands: its queues by their names, what waits in them and who reads."""
        columns = "?columns=name,messages,consumers,message_stats.publish"
        found: dict[str, dict] = {}
        for each in self.api.ask("GET", "queues", self.vhost, query=columns):
            user, _, queue = each["name"].partition(".")
            if user.startswith(f"{PLUGIN}-"):
                found.setdefault(user, {})[queue] = each
        return found

    @staticmethod
    def traffic(queues: dict[str, dict]) -> dict:
        """Give what of it is watched: how much waits, how much came in all, how much was put aside."""
        facts, parked, replies = (queues.get(name, {}) for name in ("facts", "parked", "replies"))
        return {
            "backlog": facts.get("messages", 0),
            "total": facts.get("message_stats", {}).get("publish", 0),
            "parked": parked.get("messages", 0),
            "connected": bool(replies.get("consumers")),
        }


def tag_of(user: dict) -> str:
    """Give a user's tag: 3.10 gives a list, and what came before it one text."""
    tags = user.get("tags") or ""
    return tags if isinstance(tags, str) else ",".join(tags)


def tag(version: int, generation: int) -> str:
    return f"v{version}g{generation}"
