"""A department's own program, with pika: what it is called to, it signs for, and reports in on."""

import os
from contextlib import suppress
from uuid import NAMESPACE_URL, uuid5

from shared.bus import Bus
from shared.contracts import whistle
from shared.errors import Conflict, Forbidden

bus = Bus(os.environ["AMQP_URI"])


@bus.on(whistle.called)
def called(fact):
    for act in (whistle.sign, whistle.report):
        # The act's id comes of the fact's: heard again, it is the same act, and finds what it did.
        order = {"id": fact["subject"], "act": str(uuid5(NAMESPACE_URL, f"{fact['id']}/{act.name}"))}
        with suppress(Conflict, Forbidden):  # people were first, or act themselves now
            bus.ask(act, order)


bus.run()
