"""The roster's entrypoints."""

from services.roster.domain import districts as domain
from services.roster.store import Categories, Districts, Rules
from shared.contracts import roster
from shared.running import clock
from shared.service import Records, Telling, rpc, timer


class RosterService:
    """区与社区."""

    name = "roster"
    open = Records(Districts)
    own_categories = Records(Categories)
    dispatch = Records(Rules)
    tell = Telling()

    @rpc(roster.open_district)
    def open_district(self, code):
        communities = self.open.communities(code)
        district = self.open.enter(code)
        return district.shown(district.begin(code, domain.open_district, code=code, communities=communities))

    @rpc(roster.districts)
    def districts(self):
        return {"items": self.open.all_open()}

    @rpc(roster.change_settings)
    def change_settings(self, **order):
        return self.open.shown(self.open.change(self.open.caller.district, domain.change_settings, **order))

    @rpc(roster.divisions)
    def divisions(self, under, limit, after):
        return self.open.under(under, limit, after)

    @rpc(roster.clock)
    def clock(self):
        return {"now": clock.now(), "speed": clock.read()[2], "movable": clock.path is not None}

    @rpc(roster.move_clock)
    def move_clock(self, forward, speed):
        clock.move(forward, speed)
        return self.clock()

    @timer(interval=1)
    def tell_untold(self):
        self.tell(self.open)
        self.tell(self.own_categories)
        self.tell(self.dispatch)

    # -- the dispatch catalogue ---------------------------------------------------------------------------------------

    @rpc(roster.categories)
    def categories(self, **asked):
        return self.own_categories.listing(**asked)

    @rpc(roster.set_category)
    def set_category(self, **order):
        return self.own_categories.set(**order)

    @rpc(roster.rules)
    def rules(self, **asked):
        return self.dispatch.listing(**asked)

    @rpc(roster.set_rule)
    def set_rule(self, **order):
        departments = self.open.get(self.open.caller.district).state.settings["departments"]
        return self.dispatch.set(departments=departments, codes=self.own_categories.codes(), **order)

    @rpc(roster.remove_rule)
    def remove_rule(self, **order):
        return self.dispatch.remove(**order)
