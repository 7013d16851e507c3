"""What was put aside for a plug-in: looked at, heard again, or dropped, by order of its district."""

from typing import Any

import amqp
from kombu import Connection

BY_THE_BROKER = {"maxlen": "超过配额的积压 / over its quota", "delivery_limit": "程序反复中断 / its program died of it"}


class Aside:
    """The queues beside the plug-ins' own."""

    def __init__(self, process: Any):
        self.uri = process.config["AMQP_URI"]

    def walk(self, user: str, most: int, act: str) -> list[dict]:
        """Go through what was put aside, the oldest first, to ``look``, ``replay`` or ``drop``; gives what it saw.

        No more than were there at first: what is replayed and put aside again comes in behind them.
        """
        found: list[dict] = []
        with Connection(self.uri, connect_timeout=3) as connection:
            channel = connection.channel()
            if act == "replay":
                channel.confirm_select()
            while most > 0 and (message := channel.basic_get(f"{user}.parked")):
                most = min(most - 1, message.delivery_info["message_count"])
                found.append(put_aside(message))
                if act == "replay":
                    channel.basic_publish_confirm(again(message), exchange=user, routing_key="again")
                if act != "look":  # what was only looked at goes back when the connection ends
                    channel.basic_ack(message.delivery_tag)
        return found


def again(message: Any) -> amqp.Message:
    """Give a message as it came first, without what was written on it when it was put aside."""
    kept = {name: message.properties[name] for name in ("message_id", "type") if name in message.properties}
    return amqp.Message(message.body, content_type="application/json", delivery_mode=2, **kept)


def put_aside(message: Any) -> dict:
    """Say which fact was put aside and why: in the plug-in's own words, or in the broker's."""
    headers, properties = message.headers or {}, message.properties
    known = {"id": properties.get("message_id"), "type": properties.get("type")}
    if headers.get("x-reason"):
        return known | {"reason": str(headers["x-reason"])[:500]}
    why = (headers.get("x-death") or [{}])[0].get("reason", "?")
    return known | {"reason": BY_THE_BROKER.get(why, f"broker: {why}")}
