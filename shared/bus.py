"""pika's side: ask a service, hear facts (the gateway and plain departments stand on it).

One connection is owned by one thread; others hand it work. A request is ``mandatory`` and expires with the caller's
patience, so that a service that is down, slow or away is ``Unavailable`` in time and nobody works for nobody.
"""

import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import pika
from pika.exceptions import AMQPError
from pika.spec import Basic

from shared.caller import Caller
from shared.contract import Call
from shared.contracts import CONTRACTS
from shared.errors import Refusal, Unavailable
from shared.running import frames, log, trace_id

AWAY = "服务暂时不可用,请稍后再试 / The service is not available just now: please try again"


class Fault(Exception):
    """The service had a bug; ``trace`` finds it in the log. Outside it is 500 without detail."""

    def __init__(self, kind: str, trace: str | None):
        super().__init__(kind)
        self.trace = trace


class Link:
    """A connection that lives in its own thread and comes back for ever.

    ``opened(channel)`` sets up the channel each time it is there anew; ``lost()`` clears up when it is gone.
    """

    def __init__(self, uri: str, purpose: str, opened: Callable[[Any], None], lost: Callable[[], None]):
        self.uri, self.parameters = uri, pika.URLParameters(uri)
        self.parameters.heartbeat = 10
        self.parameters.socket_timeout = self.parameters.stack_timeout = 4
        self.parameters.blocked_connection_timeout = 10
        self.user = self.parameters.credentials.username
        self.purpose, self.opened, self.lost = purpose, opened, lost
        self.connected = self.closing = False
        self.thread = threading.Thread(target=self.run, name=purpose, daemon=True)
        self.thread.start()

    def run(self) -> None:
        pause = 0.1
        while not self.closing:
            try:
                with pika.BlockingConnection(self.parameters) as connection:
                    channel = connection.channel()
                    self.opened(channel)
                    self.connected, pause = True, 0.1
                    # The broker may close a channel alone; nothing comes in by the connection that is left.
                    while channel.is_open and not self.closing:
                        connection.process_data_events(time_limit=1)
            except Exception as error:
                # Whatever it was, a bug of ours too, ends this connection and never the thread: the next is made anew.
                why = repr(error)[:200] if isinstance(error, AMQPError) else type(error).__name__
                log("bus away", purpose=self.purpose, why=why)
            self.connected = False
            try:
                self.lost()
            except Exception as error:
                log("bus lost badly", purpose=self.purpose, **frames(error))
            if not self.closing:
                time.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, 1)

    def close(self) -> None:
        """End it; safe to repeat."""
        self.closing = True
        self.thread.join(3)


class Bus(Link):
    """A client's side of the bus; safe to call from many threads.

    Questions go out and answers come in by this link, and ``patience`` is how many seconds an asker waits at the most;
    every fact of every service comes in by another, ``watching``, through a queue that ends with it.
    """

    def __init__(self, uri: str, patience: float = 5.0):
        self.patience, self.watching = patience, None
        self.waiting: dict[str, Future] = {}
        super().__init__(uri, "asking", self.on_opened, self.on_lost)

    def ask(self, call: Call, order: dict, caller: Caller, patience: float | None = None) -> Any:
        """Ask a service and wait for its answer, shaped by contract.

        Raises the service's ``Refusal``, ``Unavailable`` when it is away or late, ``Fault`` when it has a bug.
        """
        if not self.connected:
            raise Unavailable(AWAY)
        patience, asked, waiting = patience or self.patience, uuid.uuid4().hex, Future()
        channel, reply_to = self.way
        properties = pika.BasicProperties(
            content_type="application/json", user_id=self.user, reply_to=reply_to, correlation_id=asked,
            expiration=str(int(patience * 1000)), delivery_mode=1,
            headers={**caller.headers(), "deadline": f"{time.time() + patience:.3f}"},
        )  # fmt: skip
        message = "calls", f"{call.service}.{call.name}", json.dumps(order).encode(), properties
        self.waiting[asked] = waiting
        try:
            channel.connection.add_callback_threadsafe(partial(channel.basic_publish, *message, mandatory=True))
            answer = waiting.result(patience)
        except (AMQPError, OSError):  # TimeoutError is an OSError
            answer = None
        finally:
            self.waiting.pop(asked, None)
        if answer is None:
            raise Unavailable(AWAY)
        if "refused" in answer:
            raise Refusal.from_message(answer["refused"])
        if "fault" in answer:
            raise Fault(answer["fault"], trace_id(caller.trace))
        return answer["ok"]

    def on_opened(self, channel: Any) -> None:
        reply_to = f"{self.user}.{uuid.uuid4().hex}"
        channel.queue_declare(reply_to, exclusive=True, auto_delete=True)
        channel.queue_bind(reply_to, "replies", reply_to)
        channel.add_on_return_callback(self.on_answer)
        channel.basic_consume(reply_to, self.on_answer, auto_ack=True, exclusive=True)
        self.way = channel, reply_to

    def on_answer(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        # A question that came back, for nobody was there to take it, has no answer.
        self.fill(properties.correlation_id, None if isinstance(method, Basic.Return) else json.loads(body))

    def on_lost(self) -> None:
        for asked in list(self.waiting):
            self.fill(asked, None)

    def fill(self, asked: str, answer: dict | None) -> None:
        """Give an asker the answer, or None where there will be none."""
        if waiting := self.waiting.pop(asked, None):
            waiting.set_result(answer)

    def watch(self, on_fact: Callable, on_connected: Callable, on_lost: Callable = lambda: None) -> None:
        """Hear every fact of every service: ``on_fact(envelope)``.

        ``on_connected()`` runs each time before the first one comes, ``on_lost()`` each time that none comes any more.
        """

        def opened(channel: Any) -> None:
            name = f"{self.user}.{uuid.uuid4().hex}"
            channel.queue_declare(name, exclusive=True, auto_delete=True, arguments={"x-max-length": 20_000})
            for service in {fact.service for page in CONTRACTS.values() for fact in page.facts}:
                channel.queue_bind(name, f"{service}.events", "#")
            on_connected()
            channel.basic_consume(name, on_message, auto_ack=True, exclusive=True)

        def on_message(channel: Any, method: Any, properties: Any, body: bytes) -> None:
            try:
                on_fact(json.loads(body))
            except Exception as error:
                log("fact not shown", **frames(error))

        self.watching = Link(self.uri, "watching", opened, on_lost)

    def close(self) -> None:
        """End both connections; safe to repeat."""
        super().close()
        if self.watching:
            self.watching.close()
