"""The figures service's entrypoints."""

from datetime import date, timedelta

from services.entrypoints import Records, on, rpc
from services.figures import domain
from services.figures.store import Heard
from shared.contracts import figures, whistle
from shared.contracts.hears import HEARS
from shared.rules.days import day_of


class FiguresService:
    """统计."""

    name = "figures"
    rows = Records(Heard)

    @rpc(figures.sums)
    def sums(self, since, until):
        domain.must_be_of_our_time(since=since, until=until)
        until = until or day_of(self.rows.now())
        since = since or until - timedelta(days=30)
        domain.must_be_a_span(since, until)
        sums = self.rows.sums(since.isoformat(), (until + timedelta(days=1)).isoformat())
        return {"items": [each | {"day": date.fromisoformat(each["day"])} for each in sums]}

    @rpc(figures.heard)
    def heard(self, day, fact, limit, after):
        domain.must_be_of_our_time(day=day)
        return self.rows.rows_of(day.isoformat(), fact, limit, after)

    @on(whistle.blown)
    def blown(self, fact):
        self.rows.hear(fact)

    @on(whistle.reported)
    def reported(self, fact):
        self.rows.hear(fact)

    @on(whistle.settled)
    def settled(self, fact):
        self.rows.hear(fact)

    def witness(self, fact):
        self.rows.hear(fact)

    # What is not counted is witnessed all the same: each fact that this service hears, by its one list.
    for each in HEARS["figures"]:
        if each not in (whistle.blown, whistle.reported, whistle.settled):
            on(each)(witness)
    del each
