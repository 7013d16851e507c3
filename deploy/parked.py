"""Shows, replays and drops the facts that a service could not handle for a reason of their own.

``make parked``, ``make replay s=whistle id=…``, ``make drop s=whistle id=… because="…"``.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pika

from deploy.settings import Settings
from deploy.topology import OPERATOR
from shared.contracts import CONTRACTS
from shared.running import log

SERVICES = [page.service for page in CONTRACTS.values() if page.hears]


def reason(properties: Any) -> tuple[str, float | None]:
    """Give why a message was parked, and when."""
    headers = properties.headers or {}
    if headers.get("x-reason"):
        return headers["x-reason"], headers.get("x-parked-at")
    deaths = headers.get("x-death") or [{}]
    return f"broker: {deaths[0].get('reason', 'unknown')}", None


def waiting(channel: Any, service: str, most: int = 10_000) -> Iterator[tuple[Any, Any, bytes]]:
    """Take what is parked, one after another, unacknowledged: what is not settled goes back when the channel closes.

    No more than were there at first: what is replayed and parked again comes in behind them.
    """
    while most > 0:
        method, properties, body = channel.basic_get(f"{service}.parked")
        if method is None:
            return
        most = min(most - 1, method.message_count)
        yield method, properties, body


def put_back(channel: Any, service: str, properties: Any, body: bytes) -> None:
    """Have the service hear it again, under the operator's verified name and with a fresh count of attempts."""
    kept = {key: value for key, value in (properties.headers or {}).items() if not key.startswith("x-")}
    again = pika.BasicProperties(
        content_type="application/json", user_id=OPERATOR, delivery_mode=2, type=properties.type,
        message_id=properties.message_id, headers=kept,
    )  # fmt: skip
    channel.basic_publish(f"{service}.wait", "again", body, again, mandatory=True)


def settle(uri: str, verb: str, service: str, id: str | None, because: str | None) -> int:
    """Replay or drop what is parked for one service, one message by its id or all; gives how many."""
    count = 0
    with pika.BlockingConnection(pika.URLParameters(uri)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for method, properties, body in waiting(channel, service):
            if id and properties.message_id != id:
                continue
            if verb == "replay":
                put_back(channel, service, properties, body)
            why, _ = reason(properties)
            channel.basic_ack(method.delivery_tag)
            log(verb, service=service, id=properties.message_id, parked_for=why, because=because)
            count += 1
    return count


def show(uri: str) -> int:
    """Print what is parked, service by service, and leave it there; gives how many."""
    count = 0
    for service in SERVICES:
        with pika.BlockingConnection(pika.URLParameters(uri)) as connection:
            for _, properties, body in waiting(connection.channel(), service, 1_000):
                why, when = reason(properties)
                age = f"{(time.time() - when) / 60:.0f} 分钟前 / min ago" if when else ""
                try:
                    about = json.loads(body).get("subject", "?")
                except ValueError:
                    about = "?"
                print(f"{service:<10} {properties.message_id}  {properties.type}  {about}  {age}\n{'':<10} {why}")
                count += 1
    print("没有搁置的消息 / nothing is parked" if not count else f"共 {count} 条 / {count} in all")
    return count


def main() -> None:
    """Do what was asked."""
    parser = argparse.ArgumentParser(prog="make parked | replay | drop")
    parser.add_argument("verb", choices=["list", "replay", "drop"])
    parser.add_argument("service", nargs="?", choices=SERVICES)
    parser.add_argument("id", nargs="?")
    parser.add_argument("--because")
    asked = parser.parse_args()
    # In production the operator's own login is given; here it is one of this home's.
    uri = os.environ.get("OPERATOR_AMQP_URI") or Settings(os.environ.get("HUYING_HOME")).amqp_uri(OPERATOR)
    if asked.verb == "list":
        show(uri)
        return
    if asked.verb == "drop" and not (asked.because and asked.service and asked.id):
        raise SystemExit('丢弃须说明理由 / dropping needs a reason: make drop s=whistle id=… because="…"')
    count = sum(
        settle(uri, asked.verb, service, asked.id, asked.because)
        for service in ([asked.service] if asked.service else SERVICES)
    )
    print(f"{'已重放 / replayed' if asked.verb == 'replay' else '已丢弃 / dropped'}: {count}")


if __name__ == "__main__":
    main()
