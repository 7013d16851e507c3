"""The same with nameko: ``nameko run with_nameko --config with_nameko.yaml``, the address in ``AMQP_URI``."""

from contextlib import suppress
from uuid import NAMESPACE_URL, uuid5

from shared.contracts import whistle
from shared.errors import Conflict, Forbidden
from shared.hearing import Ask, on


class Desk:
    name = "desk"
    ask = Ask()

    @on(whistle.called)
    def called(self, fact):
        for act in (whistle.sign, whistle.report):
            order = {"id": fact["subject"], "act": str(uuid5(NAMESPACE_URL, f"{fact['id']}/{act.name}"))}
            with suppress(Conflict, Forbidden):
                self.ask(act, order)
