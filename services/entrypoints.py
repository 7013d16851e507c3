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

from services.ledger import Ledger
from shared.blobs import open_blobs
from shared.caller import Caller
from shared.contract import WAITS, Call, Fact
from shared.errors import Invalid, NotFound, Refusal, Unavailable
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
        self.stopping = self.broken = False
        self.writing = Semaphore()

    def start(self) -> None:
        self.process, self.half = self.container.process, self.container.half
        self.queue = f"{self.container.service_name}.{self.half}"
        if self.entrypoints:
            self.process.set_listening(self.queue, False)
            self.container.spawn_managed_thread(self.run)

    def run(self) -> None:
        pause = 0.2
        while not self.stopping:
            connection = Connection(self.process.config["AMQP_URI"], connect_timeout=3, heartbeat=10)
            try:
                connection.connect()
                channel = connection.channel()
                channel.basic_qos(0, WORKERS[self.half], False)
                channel.basic_consume(self.queue, callback=partial(self.on_message, channel))
                self.broken, pause = False, 0.2
                self.process.set_listening(self.queue, True)
                while not self.stopping and not self.broken:
                    with suppress(TimeoutError):
                        connection.drain_events(timeout=1)
                    # Raises when the broker has been silent for two heartbeats, though the connection seems open.
                    with self.writing:
                        connection.heartbeat_check()
            except Exception as error:
                log("not listening", queue=self.queue, why=f"{type(error).__name__}: {error}"[:200])
                eventlet.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, 2)
            finally:
                self.process.set_listening(self.queue, False)
                with suppress(*GONE):
                    connection.collect()  # a parting word would wait for ever on a broker that hangs

    def on_message(self, channel: Any, message: Any) -> None:
        routed = message.delivery_info["routing_key"].partition(".")[2]
        name = routed if self.half == "calls" else message.properties.get("type")
        entrypoint = self.entrypoints.get(name) or next(iter(self.entrypoints.values()))
        try:
            entrypoint.on_message(Came(message, name, partial(self.settle, channel.basic_ack, message.delivery_tag)))
        except Exception as error:
            # Rubbish from outside must not end the process: the broker parks it, or drops it if it was a question.
            log("rubbish", queue=self.queue, **frames(error))
            self.settle(channel.basic_reject, message.delivery_tag, requeue=False)

    def settle(self, act: Callable, tag: int, **options: Any) -> None:
        """Tell the broker what became of a message; where the connection is gone it will come again."""
        with suppress(*GONE), self.writing:
            act(tag, **options)


class Came:
    """A message on its way through a worker pool, with what has been read of it so far."""

    def __init__(self, message: Any, name: str, done: Callable[[], None]):
        self.message, self.name, self.done, self.began = message, name, done, time.perf_counter()
        self.headers, self.properties = message.headers or {}, message.properties
        self.deadline, self.caller, self.fact = time.time() + FACT_SECONDS, Caller(), {}


class Ear(Entrypoint):
    """An entrypoint for one call or fact; methods stay as they are written.

    A subclass says how to ``read`` what came, as ``(args, order)`` of the method, and how to ``finish`` it.
    """

    listening = Listening()

    def __init__(self, of: Call | Fact, **options: Any):
        self.of = of
        super().__init__(**options)

    def setup(self) -> None:
        self.listening.entrypoints[self.of.name] = self

    def stop(self) -> None:
        self.listening.stopping = True

    def on_message(self, came: Came) -> None:
        """Have a worker handle what came; what comes of it, or of reading it, ends in ``finish``."""
        try:
            args, order = self.read(came)
        except Exception as error:
            self.finish(came, None, error)
        else:
            context = {"caller": came.caller, "deadline": came.deadline}
            self.container.spawn_worker(self, args, order, context, partial(self.handle_result, came))

    def handle_result(self, came: Came, worker_ctx: Any, result: Any, exc_info: Any) -> tuple:
        self.finish(came, result, exc_info[1] if exc_info else None)
        return None, None


class Answer(Ear):
    """``@rpc(call)``: loads the order and dumps the answer by contract, refuses whom the call is not for."""

    def on_message(self, came: Came) -> None:
        came.deadline = float(came.headers.get("deadline") or came.deadline)
        if time.time() < came.deadline:
            super().on_message(came)
            return
        # Nobody waits any more: no work is done for someone who has left.
        came.done()
        handled(self.of.service, came.name, "left", came.began, trace=trace_id(came.headers.get("traceparent")))

    def read(self, came: Came) -> tuple[tuple, dict]:
        came.caller = Caller.from_message(came.properties.get("user_id"), came.headers)
        if came.name != self.of.name:
            raise NotFound(f"没有这个办法({came.name}) / No such call ({came.name})")
        came.caller.must(self.of.needs)
        try:
            order = json.loads(came.message.body)
        except ValueError:
            raise Invalid("不是 JSON / This is not JSON") from None
        return (), self.of.load(order)

    def finish(self, came: Came, result: Any, error: Any) -> None:
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
        if reply_to := came.properties.get("reply_to"):
            self.container.process.answer(reply_to, came.properties.get("correlation_id"), body)
        came.done()
        who = {"district": came.caller.district, "actor": came.caller.actor, "trace": trace_id(came.caller.trace)}
        handled(self.of.service, self.of.name, outcome, came.began, **who)


class Hear(Ear):
    """``@on(fact)``: acknowledged when handled; retried through the broker's delay, or parked with its reason."""

    def read(self, came: Came) -> tuple[tuple, dict]:
        fact, told_by = came.fact, came.properties.get("user_id")
        fact.update(json.loads(came.message.body))
        source = str(fact["source"]).strip("/")
        if not came.name == fact["type"] == self.of.name or source != self.of.service:
            raise ValueError(f"nobody here hears {came.name} of {source}")
        # Told by its own service; put back by ourselves when it comes again; or replayed by an operator.
        if told_by not in (source, self.container.service_name, "operator"):
            raise ValueError(f"{told_by} does not tell this")
        if errors := self.of.carries.validate(fact["data"]):
            raise ValueError(f"does not fit its contract: {errors}")
        came.caller = Caller(fact["district"], fact["actor"], trace=fact["traceparent"])
        return (fact,), {}

    def finish(self, came: Came, result: Any, error: Any) -> None:
        outcome = "ok" if error is None else "again" if is_passing(error) else "parked"
        try:
            if error is not None:
                self.put_aside(came, error, outcome)
            came.done()
        except Exception as failed:
            # It could not be put aside, so all that is unacknowledged shall come again, by a connection made anew.
            outcome, self.listening.broken = f"{outcome}, {type(failed).__name__}", True
        known = {"id": came.fact.get("id"), "trace": trace_id(str(came.fact.get("traceparent")))}
        handled(self.container.service_name, f"on {self.of.name}", outcome, came.began, **known)

    def put_aside(self, came: Came, error: Exception, outcome: str) -> None:
        service, attempt = self.container.service_name, int(came.headers.get("x-attempt") or 0)
        why = {"x-reason": f"{type(error).__name__}: {error}"[:500], "x-parked-at": time.time()}
        kept = {name: came.properties.get(name) for name in ("message_id", "type")}
        kept |= {"delivery_mode": 2, "application_headers": {"x-attempt": attempt + 1, **why}}
        key = outcome
        if outcome == "again":
            wait = WAITS[min(attempt, len(WAITS) - 1)]
            key, kept["expiration"] = str(wait), str(int(wait * random.uniform(0.5, 1)))
        else:
            log("parked", service=service, id=came.fact.get("id"), **frames(error))
        self.container.process.teller.say([(f"{service}.wait", key, came.message.body, kept)])


rpc, on, timer = Answer.decorator, Hear.decorator, Timer.decorator


class Records(DependencyProvider):
    """A store for each worker, narrowed to the caller's district."""

    def __init__(self, kind: type):
        super().__init__()
        self.kind = kind

    def get_dependency(self, worker_ctx: Any) -> Any:
        process = self.container.process
        return self.kind(process.database, worker_ctx.data.get("caller") or TIMER, clock.now, process)


class Blobs(DependencyProvider):
    """Where photos' bytes lie, by setting."""

    def setup(self) -> None:
        self.blobs = open_blobs(self.container.process.config["BLOBS"])

    def get_dependency(self, worker_ctx: Any) -> Any:
        return self.blobs


class Telling(DependencyProvider):
    """Gives a service its ``tell_untold``."""

    def get_dependency(self, worker_ctx: Any) -> Callable[[Ledger], int]:
        return self.container.process.tell_untold


class Made(DependencyProvider):
    """One thing for all workers, made of the process: ``kind(process)``."""

    def __init__(self, kind: Callable[[Any], Any]):
        super().__init__()
        self.kind = kind

    def setup(self) -> None:
        self.made = self.kind(self.container.process)

    def get_dependency(self, worker_ctx: Any) -> Any:
        return self.made


class Beside(Made):
    """The same, and in one half it runs beside the workers: ``run()`` until ``stop()``."""

    def __init__(self, kind: Callable[[Any], Any], half: str):
        super().__init__(kind)
        self.half = half

    def start(self) -> None:
        if self.container.half == self.half:
            self.container.spawn_managed_thread(self.made.run)

    def stop(self) -> None:
        self.made.stop()


class Half(ServiceContainer):
    """One worker pool of a service: ``calls``, or ``facts`` with the timers."""

    def __init__(self, service_cls: type, process: Any, half: str):
        self.process, self.half = process, half
        super().__init__(service_cls, {"max_workers": WORKERS[half] + 8})  # room for timers beside the prefetch
        self.entrypoints -= {each for each in self.entrypoints if isinstance(each, Answer) != (half == "calls")}

    def _run_worker(self, worker_ctx: Any, handle_result: Callable) -> None:
        """Give a worker what is left of its caller's patience: the database gives up first, then the method ends."""
        left = max(worker_ctx.data.get("deadline", time.time() + FACT_SECONDS) - time.time(), 0.05)

        def finish(*outcome: Any) -> tuple:
            limit.cancel()  # only the method is cut short, never the answer or the parking that follows
            return handle_result(*outcome)

        with pymongo.timeout(left), eventlet.Timeout(left + 1, AWAY) as limit:
            super()._run_worker(worker_ctx, finish)
