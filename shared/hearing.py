"""nameko's side of a department's own program: facts for its methods, and a way to ask; it stands on ``shared.bus``.

For ``nameko run`` with ``AMQP_URI`` in its configuration; core services have entrypoints of their own.
"""

from collections.abc import Callable
from threading import Event
from typing import Any

from nameko.extensions import DependencyProvider, Entrypoint, SharedExtension

from shared.bus import Bus
from shared.contract import Fact


class Wire(SharedExtension):
    """The one bus of a container."""

    def setup(self) -> None:
        self.bus = Bus(self.container.config["AMQP_URI"])

    def start(self) -> None:
        self.container.spawn_managed_thread(self.bus.run)

    def stop(self) -> None:
        self.bus.close()


class Hear(Entrypoint):
    """``@on(fact)``: one fact after the other, each in a worker; what becomes of a failure is the bus's to say."""

    wire = Wire()

    def __init__(self, fact: Fact, **options: Any):
        self.fact = fact
        super().__init__(**options)

    def start(self) -> None:
        self.wire.bus.on(self.fact)(self.handle)

    def handle(self, fact: dict) -> None:
        """Have a worker handle a fact, and wait for it: the next comes when this one is done."""
        done, failed = Event(), []

        def handle_result(worker_ctx: Any, result: Any, exc_info: Any) -> tuple:
            failed.extend(exc_info[1:2] if exc_info else ())
            done.set()
            return result, exc_info

        self.container.spawn_worker(self, (fact,), {}, handle_result=handle_result)
        done.wait()
        if failed:
            raise failed[0]


class Ask(DependencyProvider):
    """``ask = Ask()`` in a service class; ``self.ask(whistle.sign, {...})`` in its methods."""

    wire = Wire()

    def get_dependency(self, worker_ctx: Any) -> Callable[..., Any]:
        return self.wire.bus.ask


on = Hear.decorator
