"""The bell's entrypoints, and how each manner of stroke is handled."""

import time

from services.entrypoints import Records, Telling, on, rpc, timer
from shared.errors import Unavailable
from tests.fault.bell import contract, domain
from tests.fault.bell.store import Deadlines, Strokes


class BellService:
    name = "bell"
    deadlines = Records(Deadlines)
    strokes = Records(Strokes)
    tell = Telling()
    rung = 0

    @rpc(contract.ring)
    def ring(self, seconds):
        BellService.rung += 1
        time.sleep(seconds)
        return {"count": BellService.rung}

    @on(contract.struck)
    def struck(self, fact):
        manner = fact["data"]["manner"]
        times = self.strokes.count(fact)
        if manner == "slow":
            time.sleep(3)
        if manner == "poison":
            raise KeyError("this stroke cannot be handled")
        if manner == "passing" and times < 3:
            raise Unavailable("away for a moment")

    @on(contract.fired)
    def fired(self, fact):
        self.strokes.count(fact)

    @timer(interval=1)
    def fire(self):
        for id in self.deadlines.due():
            time.sleep(0.02)
            self.deadlines.enter("110102").change(id, domain.fire)

    @timer(interval=2)
    def tell_untold(self):
        self.tell(self.deadlines)
