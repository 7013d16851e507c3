"""pika's side: ask a service, hear facts (the gateway and plain departments stand on it).

One connection is owned by one thread; others hand it work. A request is ``mandatory`` and expires with the caller's
patience, so that a service that is down, slow or away is ``Unavailable`` in time and nobody works for nobody.
"""

import json
import queue
import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pika
from pika.exceptions import AMQPError

from shared.caller import Caller
from shared.contract import Call
from shared.contracts import CONTRACTS
from shared.errors import Refusal, Unavailable
from shared.running import log, trace_id

AWAY = "服务暂时不可用,请稍后再试 / The service is not available just now: please try again"


class Fault(Exception):
    """The service had a bug; ``trace`` finds it in the log. Outside it is 500 without detail."""

    def __init__(self, kind: str, trace: str | None):
        super().__init__(kind)
        self.trace = trace


class Link:
    """A connection that lives in its own thread and comes back for ever; a subclass says what it does with it."""

    def __init__(self, uri: str, purpose: str):
        self.parameters = pika.URLParameters(uri)
        self.parameters.heartbeat = 20
        self.parameters.socket_timeout = self.parameters.stack_timeout = 4
        self.parameters.blocked_connection_timeout = 10
        self.user = self.parameters.credentials.username
        self.connected, self.closing, self.purpose = False, False, purpose
        self.connection: pika.BlockingConnection | None = None
        self.thread = threading.Thread(target=self.run, name=purpose, daemon=True)
        self.thread.start()

    def run(self) -> None:
        pause = 0.1
        while not self.closing:
            try:
                self.connection = pika.BlockingConnection(self.parameters)
                channel = self.connection.channel()
                self.opened(channel)
                self.connected, pause = True, 0.1
                while not self.closing:
                    self.work(channel)
            except (AMQPError, OSError, AssertionError) as error:
                log("bus away", purpose=self.purpose, why=f"{type(error).__name__}: {error}"[:200])
            finally:
                self.connected = False
                self.lost()
                self.drop()
            if not self.closing:
                time.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, 1)

    def drop(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except (AMQPError, OSError):
                log("bus closed badly", purpose=self.purpose)

    def opened(self, channel: Any) -> None:
        """Set up the channel each time it is there anew."""

    def work(self, channel: Any) -> None:
        """Let things come in."""
        channel.connection.process_data_events(time_limit=1)

    def lost(self) -> None:
        """Clear up when the connection is gone."""

    def wake(self, act: Callable[[], None]) -> None:
        """Have the owning thread do something soon."""
        connection = self.connection
        if connection is None or not self.connected:
            raise Unavailable(AWAY)
        try:
            connection.add_callback_threadsafe(act)
        except (AMQPError, OSError):
            raise Unavailable(AWAY) from None

    def close(self) -> None:
        """End it; safe to repeat."""
        self.closing = True
        self.thread.join(3)


class Asking(Link):
    """The connection that questions go out by and answers come in by."""

    def __init__(self, uri: str):
        self.waiting: dict[str, Future] = {}
        self.outbox: queue.SimpleQueue = queue.SimpleQueue()
        super().__init__(uri, "asking")

    def opened(self, channel: Any) -> None:
        self.channel = channel
        self.reply_to = f"{self.user}.{uuid.uuid4().hex}"
        channel.queue_declare(self.reply_to, exclusive=True, auto_delete=True)
        channel.queue_bind(self.reply_to, "replies", self.reply_to)
        channel.add_on_return_callback(self.on_return)
        channel.basic_consume(self.reply_to, self.on_answer, auto_ack=True, exclusive=True)

    def on_answer(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self.fill(properties.correlation_id, json.loads(body))

    def on_return(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self.fill(properties.correlation_id, None)

    def fill(self, asked: str, answer: dict | None) -> None:
        """Give an asker the answer, or None where there will be none."""
        if waiting := self.waiting.pop(asked, None):
            waiting.set_result(answer)

    def lost(self) -> None:
        for key in list(self.waiting):
            self.fill(key, None)

    def send(self) -> None:
        while not self.outbox.empty():
            key, body, properties = self.outbox.get()
            self.channel.basic_publish("calls", key, body, properties, mandatory=True)


class Watching(Link):
    """The connection that every fact of every service comes in by, through a queue that ends with it."""

    def __init__(
        self, uri: str, exchanges: list[str], on_fact: Callable[[dict], None], on_connected: Callable[[], None]
    ):
        self.exchanges, self.on_fact, self.on_connected = exchanges, on_fact, on_connected
        super().__init__(uri, "watching")

    def opened(self, channel: Any) -> None:
        name = f"{self.user}.{uuid.uuid4().hex}"
        channel.queue_declare(name, exclusive=True, auto_delete=True, arguments={"x-max-length": 20_000})
        for exchange in self.exchanges:
            channel.queue_bind(name, exchange, "#")
        self.on_connected()
        channel.basic_consume(name, self.on_message, auto_ack=True, exclusive=True)

    def on_message(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        try:
            self.on_fact(json.loads(body))
        except Exception as error:
            log("fact not shown", why=f"{type(error).__name__}: {error}"[:200])


class Bus:
    """A client's side of the bus; safe to call from many threads.

    ``patience`` is how many seconds an asker waits at the most.
    """

    def __init__(self, uri: str, name: str = "gateway", patience: float = 5.0):
        self.uri, self.name, self.patience = uri, name, patience
        self.asking = Asking(uri)
        self.watching: Watching | None = None

    @property
    def connected(self) -> bool:
        """Say whether the bus is there just now."""
        return self.asking.connected

    def ask(self, call: Call, order: dict, caller: Caller, patience: float | None = None) -> Any:
        """Ask a service and wait for its answer, shaped by contract.

        Raises the service's ``Refusal``, ``Unavailable`` when it is away or late, ``Fault`` when it has a bug.
        """
        patience, asked, waiting, asking = patience or self.patience, uuid.uuid4().hex, Future(), self.asking
        if not asking.connected:
            raise Unavailable(AWAY)
        properties = pika.BasicProperties(
            content_type="application/json", user_id=asking.user, reply_to=asking.reply_to, correlation_id=asked,
            expiration=str(int(patience * 1000)), delivery_mode=1,
            headers={**caller.headers(), "deadline": f"{time.time() + patience:.3f}"},
        )  # fmt: skip
        asking.waiting[asked] = waiting
        asking.outbox.put((f"{call.service}.{call.name}", json.dumps(order).encode(), properties))
        try:
            asking.wake(asking.send)
            answer = waiting.result(patience)
        except TimeoutError:
            answer = None
        finally:
            asking.waiting.pop(asked, None)
        if answer is None:
            raise Unavailable(AWAY)
        if "refused" in answer:
            raise Refusal.from_message(answer["refused"])
        if "fault" in answer:
            raise Fault(answer["fault"], trace_id(caller.trace))
        return answer["ok"]

    def watch(self, on_fact: Callable[[dict], None], on_connected: Callable[[], None]) -> None:
        """Hear every fact of every service; ``on_connected`` runs each time before the first one comes."""
        exchanges = [f"{page.service}.events" for page in CONTRACTS.values() if page.facts]
        self.watching = Watching(self.uri, exchanges, on_fact, on_connected)

    def close(self) -> None:
        """End both connections; safe to repeat."""
        self.asking.close()
        if self.watching:
            self.watching.close()
