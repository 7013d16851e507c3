"""pika's side: ask a service, hear facts (the gateway and departments' own programs stand on it).

One connection is owned by one thread; others hand it work. A request is ``mandatory`` and expires with the caller's
patience, so that a service that is down, slow or away is ``Unavailable`` in time and nobody works for nobody.

A department's program declares nothing: its queues and its exchange are there under its own name. It hears one fact
after the other, each until it was handled::

    bus = Bus(os.environ["AMQP_URI"])

    @bus.on(whistle.called)
    def called(fact): ...

    bus.run()
"""

import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any

import pika
from pika.exceptions import AMQPError
from pika.spec import Basic

from shared.caller import Caller
from shared.contract import Call, Fact
from shared.contracts import CONTRACTS
from shared.errors import Forbidden, Refusal, Unavailable
from shared.running import frames, log, trace_id

AWAY = "服务暂时不可用,请稍后再试 / The service is not available just now: please try again"
NOT_YOURS = "没有获准这样调用 / This call is not among those that you were given"
PASSING = (Unavailable, ConnectionError, TimeoutError)  # what waiting mends: never the fact's fault
LONGEST_PAUSE = 30.0


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
        self.is_plugin = Caller.of_plugin(self.user) is not None
        self.purpose, self.opened, self.lost = purpose, opened, lost
        self.connected = self.closing = False
        self.thread = threading.Thread(target=self.keep_open, name=purpose, daemon=True)
        self.thread.start()

    def keep_open(self) -> None:
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

    Questions go out and answers come in by this link, and ``patience`` is how many seconds an asker waits at the most.
    A department's facts come in by it, too; for the gateway every fact of every service comes in by another,
    ``watching``, through a queue that ends with it.
    """

    def __init__(self, uri: str, patience: float = 5.0):
        self.patience, self.watching = patience, None
        self.ears: dict[tuple[str, str], Callable] = {}
        self.heard: SimpleQueue = SimpleQueue()
        self.is_hearing, self.trace = False, ""
        self.waiting: dict[str, Future] = {}
        super().__init__(uri, "asking", self.on_opened, self.on_lost)

    def ask(self, call: Call, order: dict, caller: Caller | None = None, patience: float | None = None) -> Any:
        """Ask a service and wait for its answer, shaped by contract; a department asks in its own name.

        Raises the service's ``Refusal``, ``Unavailable`` when it is away or late, ``Fault`` when it has a bug.
        """
        caller = caller or Caller(trace=self.trace)
        if not self.connected:
            raise Unavailable(AWAY)
        patience, asked, waiting = patience or self.patience, uuid.uuid4().hex, Future()
        channel, reply_to = self.way
        properties = pika.BasicProperties(
            content_type="application/json", user_id=self.user, reply_to=reply_to, correlation_id=asked,
            expiration=str(int(patience * 1000)), delivery_mode=1,
            headers={**caller.headers(), "deadline": f"{time.time() + patience:.3f}"},
        )  # fmt: skip
        exchange = self.user if self.is_plugin else "calls"
        message = exchange, f"{call.service}.{call.name}", json.dumps(order).encode(), properties
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
        if self.is_plugin:
            reply_to = f"{self.user}.replies"
        else:
            reply_to = f"{self.user}.{uuid.uuid4().hex}"
            channel.queue_declare(reply_to, exclusive=True, auto_delete=True)
            channel.queue_bind(reply_to, "replies", reply_to)
        channel.add_on_return_callback(self.on_answer)
        # A second program of the same name waits here until the first is gone, and then does both.
        channel.basic_consume(reply_to, self.on_answer, auto_ack=True, exclusive=True)
        self.way = channel, reply_to
        if self.is_hearing:
            self.take(channel)

    def on_answer(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        answer = None  # a question that came back, for nobody was there to take it, has no answer
        if not isinstance(method, Basic.Return):
            answer = json.loads(body)
        elif self.is_plugin:
            answer = {"refused": Forbidden(NOT_YOURS).to_message()}
        self.fill(properties.correlation_id, answer)

    def on_lost(self) -> None:
        for asked in list(self.waiting):
            self.fill(asked, None)

    def fill(self, asked: str, answer: dict | None) -> None:
        """Give an asker the answer, or None where there will be none."""
        if waiting := self.waiting.pop(asked, None):
            waiting.set_result(answer)

    def on(self, fact: Fact) -> Callable[[Callable], Callable]:
        """Hear a fact: ``@bus.on(whistle.called)`` before ``run()``; the function is given its envelope.

        What fails for a passing reason (``Unavailable``, no connection) is tried again in its place; what fails for its
        own reason is put aside with that reason, and an administrator may have it heard again.
        """

        def ear(handle: Callable) -> Callable:
            self.ears[fact.service, fact.name] = handle
            return handle

        return ear

    def run(self) -> None:
        """Hear one fact after the other, in their order, for ever (until ``close()``)."""
        while not self.connected:
            if self.closing:
                return
            time.sleep(0.05)
        self.is_hearing = True
        channel, _ = self.way
        with suppress(AMQPError):  # where it was lost just now, the next is opened hearing
            channel.connection.add_callback_threadsafe(partial(self.take, channel))
        while (came := self.heard.get()) is not None:
            self.hear(*came)

    def take(self, channel: Any) -> None:
        """Have facts come in by a channel, one at a time; in the thread that owns it, once."""
        if not getattr(channel, "is_taking", False):
            channel.is_taking = True
            channel.basic_qos(prefetch_count=1)
            channel.basic_consume(f"{self.user}.facts", lambda *came: self.heard.put(came))

    def hear(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        """Handle one fact until that is done; without its connection it comes again by the next."""
        pause = 0.5
        while channel.is_open and not self.closing:
            try:
                self.handle(json.loads(body))
            except PASSING as error:
                log("waiting", id=properties.message_id, why=f"{type(error).__name__}: {error}"[:200])
                time.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            except Exception as error:
                log("parked", id=properties.message_id, **frames(error))
                if not self.park(properties, body, f"{type(error).__name__}: {error}"):
                    continue
            with suppress(AMQPError):
                channel.connection.add_callback_threadsafe(partial(channel.basic_ack, method.delivery_tag))
            return

    def handle(self, fact: dict) -> None:
        known = str(fact["source"]).strip("/"), fact["type"]
        if known not in self.ears:
            raise ValueError(f"nobody here hears {known[1]} of {known[0]}")
        self.trace = str(fact.get("traceparent") or "")
        self.ears[known](fact)

    def park(self, properties: Any, body: bytes, reason: str) -> bool:
        """Put a fact aside with its reason, on a connection that confirms it; says whether that was done."""
        kept = pika.BasicProperties(
            content_type="application/json", user_id=self.user, message_id=properties.message_id, type=properties.type,
            delivery_mode=2, headers={"x-reason": reason[:500]},
        )  # fmt: skip
        try:
            with pika.BlockingConnection(self.parameters) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                channel.basic_publish(self.user, "parked", body, kept, mandatory=True)
        except (AMQPError, OSError) as error:
            log("not parked", why=type(error).__name__)
            time.sleep(1)
            return False
        return True

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
        self.closing = True
        self.heard.put(None)
        super().close()
        if self.watching:
            self.watching.close()
