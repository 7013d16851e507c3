"""The plugins service's entrypoints."""

from copy import copy
from threading import Lock

from prometheus_client import Gauge

from services.entrypoints import Beside, Made, Records, Telling, on, rpc, timer
from services.plugins import broker, domain, door
from services.plugins.aside import Aside
from services.plugins.store import Departments, Names, Passwords, PlugIns, Watched
from shared.contracts import plugins as contract
from shared.contracts import roster
from shared.running import frames, log

ALONE = Lock()  # an order and the timer are not at one plug-in at once; between replicas the tag settles it
MOST = 1_000  # put aside messages that one order settles
SHOWN = 50

BACKLOG = Gauge("huying_plugin_backlog", "Facts that wait for a department's program", ["user"])
OLDEST = Gauge("huying_plugin_oldest_seconds", "How long the first of them has waited", ["user"])
PARKED = Gauge("huying_plugin_parked", "Facts that were put aside for it", ["user"])
CONNECTED = Gauge("huying_plugin_connected", "Whether it is there", ["user"])
GAUGES = {"backlog": BACKLOG, "oldest": OLDEST, "parked": PARKED, "connected": CONNECTED}


class PluginsService:
    """部门接入."""

    name = "plugins"
    plugins = Records(PlugIns)
    names = Records(Names)
    passwords = Records(Passwords)
    departments = Records(Departments)
    watched = Records(Watched)
    broker = Made(broker.Broker)
    aside = Made(Aside)
    door = Beside(door.Door, "calls")
    tell = Telling()

    @rpc(contract.plug_in)
    def plug_in(self, id, department, name, **terms):
        known = self.departments.known()
        domain.must_have(known, department)
        user = domain.user_of(self.plugins.caller.district, domain.PlugIn(department=department, name=name))
        self.names.claim(user, id)
        named = {"department": department, "name": name, "departments": known, "change": id}
        record = self.plugins.begin(id, domain.plug_in, **named, **terms)
        return self.applied(record, self.passwords.renew(user, 1) if record.state.generation == 1 else None)

    @rpc(contract.change_terms)
    def change_terms(self, id, version, **order):
        return self.applied(self.plugins.change(id, domain.change_terms, version, **order))

    @rpc(contract.switch)
    def switch(self, id, version, **order):
        return self.applied(self.plugins.change(id, domain.switch, version, **order))

    @rpc(contract.rotate)
    def rotate(self, id, change):
        record = self.plugins.change(id, domain.rotate, change=change)
        user = domain.user_of(record.district, record.state)
        return self.applied(record, self.passwords.renew(user, record.state.generation))

    @rpc(contract.unplug)
    def unplug(self, id, change):
        return self.applied(self.plugins.change(id, domain.unplug, change=change))

    @rpc(contract.replay)
    def replay(self, id, change):
        return self.settle_parked(id, change, "replay")

    @rpc(contract.drop)
    def drop(self, id, change, reason):
        return self.settle_parked(id, change, "drop", reason)

    @rpc(contract.get)
    def get(self, id):
        return self.shown(self.plugins.get(id))

    @rpc(contract.listing)
    def listing(self, department):
        return {"items": [self.shown(each) for each in self.plugins.page(department)]}

    @rpc(contract.parked)
    def parked(self, id):
        record = self.plugins.get(id)
        domain.must_be_plugged_in(record.state)
        return {"items": self.aside.walk(domain.user_of(record.district, record.state), SHOWN, "look")}

    @on(roster.opened)
    def opened(self, fact):
        self.departments.hear(fact, fact["data"]["settings"]["departments"])

    @on(roster.department_set)
    def department_set(self, fact):
        self.departments.hear(fact, [fact["data"]["code"]], fact["data"]["until"])

    @timer(interval=5)
    def look(self):
        """Have the broker follow what it does not have yet, whatever was cut off; and note how plug-ins stand there."""
        # The broker is asked first: whoever is there was in a record before.
        tags, seen = self.broker.tags(), self.broker.seen()
        records = self.plugins.everywhere()
        active = {domain.user_of(each.district, each.state): each for each in records if not each.state.revoked_at}
        for user in (tags.keys() | seen.keys()) - active.keys():
            self.broker.remove(user)
        for user, record in active.items():
            there = self.entered(record.district)
            try:
                whole = set(domain.QUEUES) <= seen.get(user, {}).keys()
                if not whole or tags.get(user) != there.tag(record, user):
                    there.follow(there.plugins.get(record.id))
                row = there.watched.note(user, self.broker.traffic(seen.get(user, {})))
            except Exception as error:
                log("plug-in not followed", actor=user, **frames(error))
                continue
            for name, value in Watched.traffic(row).items():
                GAUGES[name].labels(user).set(value)

    @timer(interval=1)
    def tell_untold(self):
        self.tell(self.plugins)

    def entered(self, district):
        """Give the same service as it is in a district that a timer enters."""
        there = copy(self)
        for name in ("plugins", "passwords", "watched"):
            setattr(there, name, getattr(self, name).enter(district))
        return there

    def tag(self, record, user):
        return broker.tag(record.version, self.passwords.hash_of(user, record.state.generation)[1])

    def follow(self, record):
        """Have the broker hold a plug-in as its record says, and say so again where it moved on meanwhile."""
        user, before = domain.user_of(record.district, record.state), None
        with ALONE:
            while before is None or before.version != record.version:
                if record.state.revoked_at:
                    self.broker.remove(user)
                    return
                hash, generation = self.passwords.hash_of(user, record.state.generation)
                self.broker.apply(user, record.state, hash, broker.tag(record.version, generation))
                before, record = record, self.plugins.get(record.id)

    def applied(self, record, password=None):
        """Show a plug-in as an order has left it; where the broker cannot have it so just now, it follows soon."""
        try:
            self.follow(record)
            is_applied = True
        except OSError as error:
            log("broker does not follow yet", actor=domain.user_of(record.district, record.state), **frames(error))
            is_applied = False
        return self.shown(record) | {"password": password, "applied": is_applied}

    def settle_parked(self, id, change, act, reason=None):
        record = self.plugins.get(id)
        domain.must_be_plugged_in(record.state)
        if not domain.was_settled(record.state, change, reason):
            count = len(self.aside.walk(domain.user_of(record.district, record.state), MOST, act))
            told = {"change": change, "count": count, "reason": reason}
            record = self.plugins.change(record, domain.settle_parked, **told)
        return self.applied(record)

    def shown(self, record):
        user = domain.user_of(record.district, record.state)
        traffic = None if record.state.revoked_at else Watched.traffic(self.watched.of(user))
        known = {"id": record.id, "version": record.version, "user": user, "traffic": traffic}
        return vars(record.state) | known
