"""nameko's side: answers to calls, ears for facts, records narrowed to their caller (it alone knows nameko's insides).

A service class is written once; ``Half`` makes two worker pools of it, one for calls and one for facts and timers,
so that slow or retrying facts never make a call wait.
"""

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import eventlet
import pymongo
from amqp.exceptions import AMQPError
from eventlet.semaphore import Semaphore
from kombu import Connection
from kombu.exceptions import OperationalError
from nameko.containers import ServiceContainer
from nameko.extensions import DependencyProvider, Entrypoint, SharedExtension
from nameko.timer import Timer
from pymongo.errors import ConnectionFailure, ExecutionTimeout, PyMongoError, WTimeoutError

from shared.blobs import open_blobs
from shared.caller import Caller
from shared.contract import WAITS, Call, Fact
from shared.errors import Invalid, NotFound, Refusal, Unavailable
from shared.ledger import Ledger
from shared.running import clock, frames, handled, log, trace_id

WORKERS = {"calls": 16, "facts": 10}
FACT_SECONDS = 60  # a handler that takes longer is stopped: far below RabbitMQ's consumer timeout of 30 minutes
TIMER = Caller(actor="timer", roles=("timer",))
AWAY = Unavailable("数据暂时无法存取,请稍后再试 / The data cannot be reached: please try again")
PASSING = (Unavailable, ConnectionFailure, ExecutionTimeout, WTimeoutError, AMQPError, OperationalError, TimeoutError)
GONE = (OSError, AMQPError, OperationalError, AttributeError)  # what a connection that is dead may raise


def is_passing(error: BaseException) -> bool:
    """Say whether an error is the database's or the broker's absence: never the message's fault."""
    return isinstance(error, (*PASSING, ConnectionError)) or (isinstance(error, PyMongoError) and error.timeout)


class Listening(SharedExtension):
    """Consumes one durable queue for all entrypoints of a worker pool, and reconnects for ever."""

    def __init__(self):
        super().__init__()
        self.entrypoints: dict[str, Any] = {}
        self.connection = None
        self.stopping = self.broken = False
        self.writing = Semaphore()

    def setup(self) -> None:
        self.process, self.half = self.container.process, self.container.half
        self.queue = f"{self.container.service_name}.{self.half}"

    def start(self) -> None:
        if self.entrypoints:
            self.process.listening[self.queue] = False
            self.container.spawn_managed_thread(self.run)
            self.container.spawn_managed_thread(self.beat)

    def stop(self) -> None:
        self.stopping = True

    def run(self) -> None:
        pause = 0.2
        while not self.stopping:
            try:
                with Connection(self.process.config["AMQP_URI"], connect_timeout=3, heartbeat=20) as connection:
                    connection.connect()
                    channel = connection.channel()
                    channel.basic_qos(0, WORKERS[self.half], False)
                    channel.basic_consume(self.queue, callback=partial(self.on_message, channel))
                    self.connection, self.broken, pause = connection, False, 0.2
                    self.process.listening[self.queue] = True
                    log("listening", queue=self.queue)
                    while not self.stopping and not self.broken:
                        with suppress(TimeoutError):
                            connection.drain_events(timeout=1)
            except Exception as error:
                log("not listening", queue=self.queue, why=f"{type(error).__name__}: {error}"[:200])
                eventlet.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, 2)
            finally:
                self.connection, self.process.listening[self.queue] = None, False

    def beat(self) -> None:
        while not self.stopping:
            eventlet.sleep(5)
            with suppress(*GONE), self.writing:
                self.connection.heartbeat_check()

    def on_message(self, channel: Any, message: Any) -> None:
        routed = message.delivery_info["routing_key"].partition(".")[2]
        name = routed if self.half == "calls" else message.properties.get("type")
        entrypoint = self.entrypoints.get(name) or next(iter(self.entrypoints.values()))
        try:
            entrypoint.on_message(message, partial(self.acknowledge, channel, message), name)
        except Exception as error:
            # Rubbish from outside must not end the process: the broker parks it, or drops it if it was a question.
            log("rubbish", queue=self.queue, **frames(error))
            with suppress(*GONE), self.writing:
                channel.basic_reject(message.delivery_tag, requeue=False)

    def acknowledge(self, channel: Any, message: Any) -> None:
        """Tell the broker that this message is done with; where the connection is gone it will come again."""
        with suppress(*GONE), self.writing:
            channel.basic_ack(message.delivery_tag)


class Ear(Entrypoint):
    """An entrypoint for one call or fact; methods stay as they are written."""

    listening = Listening()

    def __init__(self, of: Call | Fact, **options: Any):
        self.of = of
        super().__init__(**options)

    def setup(self) -> None:
        self.listening.entrypoints[self.of.name] = self

    def stop(self) -> None:
        self.listening.stop()

    def work(self, args: tuple, order: dict, caller: Caller, deadline: float, after: Callable) -> None:
        """Have a worker handle it, with ``after(result, error)`` at its end."""
        context = {"caller": caller, "deadline": deadline}

        def handle_result(worker_ctx: Any, result: Any, exc_info: Any) -> tuple:
            after(result, exc_info[1] if exc_info else None)
            return None, None

        self.container.spawn_worker(self, args, order, context, handle_result)


class Answer(Ear):
    """``@rpc(call)``: loads the order and dumps the answer by contract, refuses whom the call is not for."""

    def on_message(self, message: Any, done: Callable, name: str) -> None:
        headers, began, caller = message.headers or {}, time.perf_counter(), Caller()
        deadline = float(headers.get("deadline") or time.time() + FACT_SECONDS)
        if time.time() > deadline:
            # Nobody waits any more: no work is done for someone who has left.
            done()
            handled(self.of.service, name, "left", began, trace=trace_id(headers.get("traceparent")))
            return
        try:
            caller = Caller.from_message(message.properties.get("user_id"), headers)
            if name != self.of.name:
                raise NotFound(f"没有这个办法({name}) / No such call ({name})")
            caller.must(self.of.needs)
            order = self.of.load(json.loads(message.body))
        except Exception as error:
            refused = Invalid("不是 JSON / This is not JSON") if isinstance(error, ValueError) else error
            self.reply(message, done, began, caller, None, refused)
            return
        self.work((), order, caller, deadline, partial(self.reply, message, done, began, caller))

    def reply(self, message: Any, done: Callable, began: float, caller: Caller, result: Any, error: Any) -> None:
        try:
            outcome, body = "ok", None if error else {"ok": self.of.dump(result)}
        except Exception as undumped:
            error = undumped
        if error:
            error = AWAY if is_passing(error) and not isinstance(error, Refusal) else error
            outcome = type(error).__name__
            body = {"refused": error.to_message()} if isinstance(error, Refusal) else {"fault": outcome}
            if "fault" in body:
                log("fault", service=self.of.service, method=self.of.name, **frames(error))
        if message.properties.get("reply_to"):
            self.container.process.answer(
                message.properties["reply_to"], message.properties.get("correlation_id"), body
            )
        done()
        who = {"district": caller.district or None, "actor": caller.actor or None, "trace": trace_id(caller.trace)}
        handled(self.of.service, self.of.name, outcome, began, **who)


class Hear(Ear):
    """``@on(fact)``: acknowledged when handled; retried through the broker's delay, or parked with its reason."""

    def on_message(self, message: Any, done: Callable, name: str) -> None:
        began, fact, told_by = time.perf_counter(), {}, message.properties.get("user_id")
        try:
            fact = json.loads(message.body)
            source = str(fact["source"]).strip("/")
            if not name == fact["type"] == self.of.name or source != self.of.service:
                raise ValueError(f"nobody here hears {name} of {source}")
            # Told by its own service; put back by ourselves when it comes again; or replayed by an operator.
            if told_by not in (source, self.container.service_name, "operator"):
                raise ValueError(f"{told_by} does not tell this")
            if errors := self.of.carries.validate(fact["data"]):
                raise ValueError(f"does not fit its contract: {errors}")
            caller = Caller(fact["district"], fact["actor"], trace=fact["traceparent"])
        except Exception as error:
            self.finish(message, done, began, fact if isinstance(fact, dict) else {}, None, error)
            return
        self.work((fact,), {}, caller, time.time() + FACT_SECONDS, partial(self.finish, message, done, began, fact))

    def finish(self, message: Any, done: Callable, began: float, fact: dict, result: Any, error: Any) -> None:
        service, headers = self.container.service_name, message.headers or {}
        outcome = "ok" if error is None else "again" if is_passing(error) else "parked"
        try:
            if error is not None:
                attempt = int(headers.get("x-attempt") or 0)
                wait = WAITS[min(attempt, len(WAITS) - 1)]
                why = {"x-reason": f"{type(error).__name__}: {error}"[:500], "x-parked-at": time.time()}
                kept = {name: message.properties.get(name) for name in ("message_id", "type")}
                kept |= {"delivery_mode": 2, "application_headers": {"x-attempt": attempt + 1, **why}}
                if outcome == "again":
                    kept["expiration"] = str(int(wait * random.uniform(0.5, 1)))
                else:
                    log("parked", service=service, id=fact.get("id"), **frames(error))
                key = str(wait) if outcome == "again" else "parked"
                self.container.process.teller.say([(f"{service}.wait", key, message.body, kept)])
            done()
        except Exception as failed:
            # It could not be put aside, so all that is unacknowledged shall come again, by a connection made anew.
            outcome, self.listening.broken = f"{outcome}, {type(failed).__name__}", True
        trace = trace_id(str(fact.get("traceparent")))
        handled(service, f"on {self.of.name}", outcome, began, trace=trace, id=fact.get("id"))


rpc, on, timer = Answer.decorator, Hear.decorator, Timer.decorator


class Records(DependencyProvider):
    """A store for each worker, narrowed to the caller's district and to what is left of the caller's patience."""

    def __init__(self, kind: type):
        super().__init__()
        self.kind = kind

    def get_dependency(self, worker_ctx: Any) -> Any:
        process = self.container.process
        return self.kind(process.database, worker_ctx.data.get("caller") or TIMER, clock.now, process.tell)

    def worker_setup(self, worker_ctx: Any) -> None:
        left = max((worker_ctx.data.get("deadline") or time.time() + FACT_SECONDS) - time.time(), 0.05)
        # pymongo's own time-out is a context variable of the worker's green thread and ends with it.
        pymongo.timeout(left).__enter__()
        worker_ctx.limits = [*getattr(worker_ctx, "limits", ()), eventlet.Timeout(left + 1, AWAY)]

    def worker_result(self, worker_ctx: Any, result: Any = None, exc_info: Any = None) -> None:
        for limit in worker_ctx.limits:
            limit.cancel()


class Blobs(DependencyProvider):
    """Where photos' bytes lie, by setting."""

    def get_dependency(self, worker_ctx: Any) -> Any:
        return open_blobs(self.container.process.config["BLOBS"])


class Telling(DependencyProvider):
    """Gives a service its ``tell_untold``."""

    def get_dependency(self, worker_ctx: Any) -> Callable[[Ledger], int]:
        return self.container.process.tell_untold


class Half(ServiceContainer):
    """One worker pool of a service: ``calls``, or ``facts`` with the timers."""

    def __init__(self, service_cls: type, process: Any, half: str):
        self.process, self.half = process, half
        super().__init__(service_cls, {"max_workers": WORKERS[half] + 8})  # room for timers beside the prefetch
        for entrypoint in list(self.entrypoints):
            if isinstance(entrypoint, Answer) != (half == "calls"):
                self.entrypoints.discard(entrypoint)
