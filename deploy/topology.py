"""The broker's exchanges, queues, users and permissions, generated from the contracts and applied over HTTP.

Right on RabbitMQ 3.10 and 4.x: no transient queue that is not exclusive, no global QoS, every argument written down.
Services declare nothing themselves: their users may not configure anything. What departments' plug-ins have is made
by the plugins service, and in ``services/plugins/domain.py``.
"""

import re
from urllib.parse import urlsplit

from services.plugins.broker import Management
from shared.caller import DOOR, PLUGIN
from shared.contract import WAITS, Contract
from shared.contracts import CONTRACTS
from shared.contracts.plugins import CALLS as OF_PLUGINS

Pages = list[Contract]
PAGES: Pages = list(CONTRACTS.values())
GATEWAY = "gateway"
OPERATOR = "operator"
# By this login the plugins service makes the plug-ins' users and queues; nothing is said or heard by it.
KEEPER = "keeper"
TAGS = {KEEPER: "administrator"}

# A service that is away for long keeps its facts: a million, or a gigabyte; after that its tellers are told no
# (reject-publish) and keep them in their ledgers as untold. Nothing is dropped.
FACTS = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 20,  # 3.10 has none of its own, 4.x has 20: stated, so that both do the same
    "x-overflow": "reject-publish",
    "x-max-length": 1_000_000,
    "x-max-length-bytes": 1_073_741_824,
    "x-dead-letter-strategy": "at-least-once",
    "x-dead-letter-exchange": "",
}
PARKED = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 1_000,
    "x-overflow": "reject-publish",
    "x-max-length": 1_000_000,
}
# Questions live as long as their asker's patience: kept in memory, never written, refused when too many wait.
CALLS = {"x-queue-type": "classic", "x-max-length": 10_000, "x-overflow": "reject-publish", "x-message-ttl": 60_000}
# On a cluster a classic queue would be away with its node, and nobody could be asked until that comes back.
CALLS_ON_SEVERAL = CALLS | {"x-queue-type": "quorum", "x-delivery-limit": 20}


def exchanges(pages: Pages = PAGES) -> dict[str, dict]:
    """Give every exchange: calls and replies for all, events and the delay of each service."""
    found = {"calls": {"type": "topic"}, "replies": {"type": "topic"}}
    for page in pages:
        if page.facts:
            found[f"{page.service}.events"] = {"type": "topic"}
        if page.hears:
            found[f"{page.service}.wait"] = {"type": "direct"}
    return {name: each | {"durable": True, "auto_delete": False, "arguments": {}} for name, each in found.items()}


def queues(pages: Pages = PAGES, nodes: int = 1) -> dict[str, dict]:
    """Give every queue with its arguments, as they are on a broker of so many nodes."""
    found = {}
    for page in pages:
        service = page.service
        found[f"{service}.calls"] = CALLS if nodes == 1 else CALLS_ON_SEVERAL
        if page.hears:
            found[f"{service}.facts"] = FACTS | {"x-dead-letter-routing-key": f"{service}.parked"}
            found[f"{service}.parked"] = PARKED
            for wait in WAITS:
                found[f"{service}.wait.{wait}"] = FACTS | {
                    "x-message-ttl": wait,
                    "x-dead-letter-routing-key": f"{service}.facts",
                }
    return {name: {"durable": True, "auto_delete": False, "arguments": each} for name, each in found.items()}


def bindings(pages: Pages = PAGES) -> list[tuple[str, str, str]]:
    """Give every binding: (exchange, queue, routing key)."""
    found = []
    for page in pages:
        service = page.service
        found.append(("calls", f"{service}.calls", f"{service}.*"))
        for fact in page.hears:
            found.append((f"{fact.service}.events", f"{service}.facts", f"{fact.name}.#"))
        if page.hears:
            found += [
                (f"{service}.wait", f"{service}.parked", "parked"),
                (f"{service}.wait", f"{service}.facts", "again"),
            ]
            found += [(f"{service}.wait", f"{service}.wait.{wait}", str(wait)) for wait in WAITS]
    return found


def exactly(*names: str) -> str:
    """Give the regular expression for these names and no others."""
    return "^(" + "|".join(re.escape(name) for name in names) + ")$" if names else "^$"


def permissions(pages: Pages = PAGES) -> dict[str, dict]:
    """Give each user's permissions: ``{configure, write, read, topics: {exchange: {write, read}}}``."""
    events = [f"{page.service}.events" for page in pages if page.facts]
    found = {
        GATEWAY: {
            "configure": r"^gateway\.[0-9a-f]{32}$",
            "write": r"^(calls|gateway\.[0-9a-f]{32})$",
            "read": r"^(replies|gateway\.[0-9a-f]{32}|" + "|".join(re.escape(each) for each in events) + ")$",
            "topics": {
                "calls": {"write": exactly_calls(pages), "read": "^$"},
                "replies": {"write": "^$", "read": r"^gateway\.[0-9a-f]{32}$"},
                **{each: {"write": "^$", "read": "^#$"} for each in events},
            },
        },
        # An operator's hand: looks at what is parked, puts it back or drops it.
        OPERATOR: {
            "configure": "^$",
            "write": exactly(*(f"{page.service}.wait" for page in pages if page.hears)),
            "read": exactly(*(f"{page.service}.parked" for page in pages if page.hears)),
            "topics": {},
        },
        KEEPER: {
            "configure": f"^{PLUGIN}-",
            "write": f"^{PLUGIN}-",
            "read": rf"^({PLUGIN}-.*|replies|[a-z]+\.events)$",
            "topics": {},
        },
    }
    for page in pages:
        service = page.service
        writes = (
            ["replies"] + ([f"{service}.events"] if page.facts else []) + ([f"{service}.wait"] if page.hears else [])
        )
        topics = {"replies": {"write": r"^[a-z0-9-]+\.([0-9a-f]{32}|replies)$", "read": "^$"}}
        if page.facts:
            names = "|".join(fact.name for fact in page.facts)
            topics[f"{service}.events"] = {"write": rf"^({names})\.([1-9]\d{{5}}|all)\.[a-z0-9]+$", "read": "^$"}
        reads = [f"{service}.calls"] + ([f"{service}.facts"] if page.hears else [])
        found[service] = {"configure": "^$", "write": exactly(*writes), "read": exactly(*reads), "topics": topics}
        if service == DOOR:
            # It asks in plug-ins' places what a plug-in may ask, takes what they ask, and what they put aside.
            topics["calls"] = {"write": exactly(*OF_PLUGINS), "read": "^$"}
            found[service]["write"] = exactly(*writes, "calls")[:-2] + rf"|{PLUGIN}-[a-z0-9-]+)$"
            found[service]["read"] = exactly(*reads)[:-2] + rf"|{PLUGIN}-[a-z0-9-]+\.(calls|parked))$"
    return found


def exactly_calls(pages: Pages) -> str:
    """Give the routing keys of all calls."""
    return exactly(*(f"{call.service}.{call.name}" for page in pages for call in page.calls))


def definitions(vhost: str, passwords: dict[str, str], pages: Pages = PAGES, nodes: int = 1) -> dict:
    """Give the whole topology as one document of RabbitMQ's definitions format."""
    users = permissions(pages)
    return {
        "vhosts": [{"name": vhost}],
        "users": [{"name": user, "password": passwords[user], "tags": TAGS.get(user, "")} for user in users],
        "permissions": [
            {"user": user, "vhost": vhost, **{key: each[key] for key in ("configure", "write", "read")}}
            for user, each in users.items()
        ],
        "topic_permissions": [
            {"user": user, "vhost": vhost, "exchange": exchange, **topic}
            for user, each in users.items()
            for exchange, topic in each["topics"].items()
        ],
        "exchanges": [
            {"name": name, "vhost": vhost, "internal": False, **each} for name, each in exchanges(pages).items()
        ],
        "queues": [{"name": name, "vhost": vhost, **each} for name, each in queues(pages, nodes).items()],
        "bindings": [
            {"source": source, "vhost": vhost, "destination": queue, "destination_type": "queue",
             "routing_key": key, "arguments": {}}
            for source, queue, key in bindings(pages)
        ],
    }  # fmt: skip


def apply(management: str, vhost: str, passwords: dict[str, str], pages: Pages = PAGES) -> None:
    """Declare everything, idempotently; ``passwords`` has one for each user of ``permissions()``.

    ``management`` is the management API with an administrator's login, ``http://user:password@host:port``.
    """
    api = Management(management)
    nodes = len(api.ask("GET", "nodes"))
    document = definitions(vhost, passwords, pages, nodes)
    api.ask("PUT", "vhosts", vhost, body={})
    drop_other_calls(api, vhost, queues(pages, nodes))
    administrator = urlsplit(management).username or "guest"
    api.ask("PUT", "permissions", vhost, administrator, body={"configure": ".*", "write": ".*", "read": ".*"})
    api.ask("POST", "definitions", body=document)


def drop_other_calls(api: Management, vhost: str, wanted: dict[str, dict]) -> None:
    """Let go of queues of calls from when the broker had fewer nodes, or more: what waits there is seconds old."""
    for each in api.ask("GET", "queues", vhost):
        kind = wanted.get(each["name"], {}).get("arguments", {}).get("x-queue-type")
        if each["name"].endswith(".calls") and kind and each.get("type", kind) != kind:
            api.ask("DELETE", "queues", vhost, each["name"])
