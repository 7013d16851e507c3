"""The roster's entrypoints."""

from services import proof
from services.entrypoints import Records, Telling, on, rpc, timer
from services.roster.domain import departments as department_rules
from services.roster.domain import districts as district_rules
from services.roster.domain import holders as holder_rules
from services.roster.domain import seats as seat_rules
from services.roster.domain import units as unit_rules
from services.roster.domain.periods import NEVER
from services.roster.restructuring import Restructuring
from services.roster.stations import Stations
from services.roster.store import (
    Cards,
    Categories,
    Claims,
    Departments,
    Districts,
    Holders,
    PlaceTables,
    Rules,
    RuleTables,
    Seats,
    SeatTables,
    Staff,
    Teams,
    Tree,
    Units,
)
from services.roster.store.districts import EDITION
from shared.contracts import events, identity, roster
from shared.running import clock


class RosterService:
    """区与社区."""

    name = "roster"
    open = Records(Districts)
    own_categories = Records(Categories)
    dispatch = Records(Rules)
    place_tables = Records(PlaceTables)
    seat_tables = Records(SeatTables)
    rule_tables = Records(RuleTables)
    changed = Records(Units)
    claims = Records(Claims)
    tree = Records(Tree)
    offices = Records(Departments)
    stationed = Records(Teams)
    filled = Records(Seats)
    away = Records(Holders)
    cards = Records(Cards)
    staff = Records(Staff)
    tell = Telling()

    @property
    def shows(self) -> Stations:
        return Stations(self)

    # -- districts ----------------------------------------------------------------------------------------------------

    @rpc(roster.open_district)
    def open_district(self, code):
        units, district = self.open.tree(code), self.open.enter(code)
        opened = district.change(code, district_rules.open_district, code=code, units=units, edition=EDITION)
        # So that it is usable at once; whoever is cut off here hears of it in `opened`.
        tree = self.tree.enter(code)
        if tree.find(code) is None:
            tree.ships(units)
        return district.shown(opened)

    @rpc(roster.districts)
    def districts(self):
        return {"items": self.open.all_open()}

    @rpc(roster.change_settings)
    def change_settings(self, **order):
        known = self.offices.known()
        return self.open.shown(
            self.open.change(self.open.caller.district, district_rules.change_settings, known=known, **order)
        )

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

    # -- the tree -----------------------------------------------------------------------------------------------------

    @rpc(roster.units)
    def units(self, under, at, **asked):
        return self.tree.page(under or self.tree.caller.district, self.shows.day(at), **asked)

    @rpc(roster.unit)
    def unit(self, code):
        return self.tree.row(code)

    @rpc(roster.unit_trace)
    def unit_trace(self, code):
        if self.tree.row(code)["version"]:
            return proof.trace(self.changed, code)
        return {"id": code, "version": 0, "whole": True, "broken": None, "steps": []}  # as it ships

    @rpc(roster.found)
    def found(self, code, parent, **order):
        with self.claims.of(code, parent):
            known = {"above": self.tree.find(parent), "taken": self.tree.find(code)}
            return self.change_one(code, unit_rules.found, code=code, parent=parent, **known, **order)

    @rpc(roster.change_unit)
    def change_unit(self, code, parent, **order):
        with self.claims.of(*[code, parent] if parent else []):
            known = {"row": self.tree.row(code), "above": self.tree.find(parent) if parent else None}
            return self.change_one(code, unit_rules.change_unit, parent=parent, **known, **order)

    @rpc(roster.mark)
    def mark(self, code, **order):
        return self.change_one(code, unit_rules.mark, row=self.tree.row(code), **order)

    @rpc(roster.close)
    def close(self, code, until, **order):
        with self.claims.of(code):
            row, after = self.tree.row(code), str(until)
            hanging = [each["code"] for each in self.tree.children(code) if (each["until"] or NEVER) > after]
            for seat in self.filled.of([code]):
                hanging += [seat.id for term in seat.state.terms if (term["until"] or NEVER) > after]
            return self.change_one(code, unit_rules.close, row=row, hanging=hanging, until=until, **order)

    @rpc(roster.merge)
    def merge(self, code, communities, **order):
        with self.claims.of(code, *communities):
            known = {"row": self.tree.row(code), "others": [self.tree.row(each) for each in communities]}
            known["gone"] = self.changed.gone([code, *communities])
            return self.change_one(code, unit_rules.merge, **known, **order)

    @rpc(roster.split)
    def split(self, code, new, places, **order):
        with self.claims.of(code, new):
            row = self.tree.row(code)
            known = {"row": row, "above": self.tree.row(row["parent"] or code), "taken": self.tree.find(new)}
            known |= {"places": [self.tree.row(each) for each in places], "gone": self.changed.gone([code])}
            return self.change_one(code, unit_rules.split, new=new, **known, **order)

    @rpc(roster.drop_plan)
    def drop_plan(self, code, **order):
        return self.change_one(code, unit_rules.drop_plan, row=self.tree.row(code), **order)

    @rpc(roster.settings)
    def settings(self, code):
        return {"items": self.shows.settings(code)}

    @rpc(roster.set_settings)
    def set_settings(self, code, pilot, version, **order):
        order["known"] = self.offices.known()
        if code == self.open.caller.district and not pilot:
            # What a whole district sets is its own record's, as ever.
            self.open.change(code, district_rules.change_settings, version=version, **order)
        else:
            order |= {"row": self.tree.row(code), "pilot": pilot}
            self.change_one(code, unit_rules.set_settings, version=version, **order)
        return {"items": self.shows.settings(code)}

    def change_one(self, id, decide, **order):
        """Change a unit's record, and the tree as it is now."""
        return self.tree.put(self.changed.change(id, decide, **order))

    # -- departments --------------------------------------------------------------------------------------------------

    @rpc(roster.departments)
    def departments(self):
        return {"items": self.offices.all()}

    @rpc(roster.set_department)
    def set_department(self, code, **order):
        return self.offices.shown(self.offices.change(code, department_rules.set_department, code=code, **order))

    @rpc(roster.teams)
    def teams(self, **asked):
        return self.stationed.page(**asked)

    @rpc(roster.set_team)
    def set_team(self, id, unit, **order):
        known = {"known": self.offices.known(), "street": self.tree.row(unit)}
        return self.stationed.shown(self.stationed.change(id, department_rules.set_team, unit=unit, **known, **order))

    # -- seats --------------------------------------------------------------------------------------------------------

    @rpc(roster.seats)
    def seats(self, **asked):
        return self.shows.page_of_seats(**asked)

    @rpc(roster.seat)
    def seat(self, id):
        self.tree.row(seat_rules.post_and_unit(id)[1])
        return self.shows.seat(self.filled.get(id))

    @rpc(roster.seat_trace)
    def seat_trace(self, id):
        return proof.trace(self.filled, id)

    @rpc(roster.appoint)
    def appoint(self, id, **order):
        with self.held_for(id, **order):
            return self.shows.seat(self.filled.change(id, seat_rules.appoint, **self.appointment(id, **order)))

    @rpc(roster.end_term)
    def end_term(self, id, **order):
        unit = self.tree.row(seat_rules.post_and_unit(id)[1])
        return self.shows.seat(self.filled.change(id, seat_rules.end_term, unit=unit, **order))

    @rpc(roster.hand_over)
    def hand_over(self, id, **order):
        with self.held_for(id, **order):
            return self.shows.seat(self.filled.change(id, seat_rules.hand_over, **self.appointment(id, **order)))

    def held_for(self, id, substitute, **rest):
        """Hold the unit, which must not close just now, and the substitute, who must not go away."""
        return self.claims.of(seat_rules.post_and_unit(id)[1], substitute)

    def appointment(self, id, person, substitute, **order):
        """Give an order to appoint with all that its rules look at."""
        post, unit = seat_rules.post_and_unit(id)
        known = {"post": post, "unit": self.tree.row(unit), "known": self.offices.known()}
        known |= {"who": self.staff.find(person), "other": self.staff.find(substitute)}
        known["leaves"] = self.leaves_of(substitute)
        return {"person": person, "substitute": substitute, **known, **order}

    def leaves_of(self, person):
        return self.away.leaves({person}).get(person, []) if person else []

    # -- people -------------------------------------------------------------------------------------------------------

    @rpc(roster.take_leave)
    def take_leave(self, person, substitute, **order):
        with self.claims.of(person, substitute):
            terms = self.filled.naming(person)
            leaves = [each for found in self.away.leaves({term["person"] for term in terms}).values() for each in found]
            known = self.about(person) | {"other": self.staff.find(substitute), "leaves": self.leaves_of(substitute)}
            known["covered"] = holder_rules.stands_in(person, self.away.naming(person) + leaves, terms)
            order |= {"person": person, "substitute": substitute}
            self.away.change(person, holder_rules.take_leave, **known, **order)
        return self.shows.holder(person)

    @rpc(roster.end_leave)
    def end_leave(self, person, **order):
        self.away.change(person, holder_rules.end_leave, person=person, **self.about(person), **order)
        return self.shows.holder(person)

    @rpc(roster.holder)
    def holder(self, person):
        return self.shows.holder(person)

    @rpc(roster.publish_card)
    def publish_card(self, person, change, **order):
        order |= {"person": person, "change": change, "said": self.cards.said(person, change)}
        card = self.cards.change(person, holder_rules.publish_card, **self.about(person), **order)
        return self.cards.shown(card)

    @rpc(roster.withdraw_card)
    def withdraw_card(self, person, change):
        about = self.about(person)
        self.cards.change(person, holder_rules.withdraw_card, person=person, change=change, **about)
        self.cards.erase(person, change)
        return self.cards.shown(self.cards.get(person))

    def about(self, person):
        """Give who somebody is, and the way to the unit where they work."""
        who = self.staff.find(person)
        unit = self.tree.find(who["unit"]) if who and who["unit"] else None
        return {"who": who, "path": unit["path"] if unit else []}

    # -- stations -----------------------------------------------------------------------------------------------------

    @rpc(roster.station)
    def station(self, community, at):
        return self.shows.station(community, at)

    @rpc(roster.gaps)
    def gaps(self, **asked):
        return self.shows.gaps(**asked)

    # -- what is heard ------------------------------------------------------------------------------------------------

    @on(roster.opened)
    def opened(self, fact):
        """Copy the tree as it ships, should opening the district have been cut off before."""
        self.tree.ships(fact["data"].get("units") or self.open.tree(fact["subject"]))

    @on(roster.unit_founded)
    def unit_founded(self, fact):
        # As a rule whoever founded it has copied it by now: a table has thousands of them.
        if not self.tree.has(fact["data"]["unit"], int(fact["id"].rpartition("/")[2])):
            self.tree.put(self.changed.get(fact["subject"]))

    @on(roster.unit_changed)
    def unit_changed(self, fact):
        self.tree.put(self.changed.get(fact["subject"]))

    @on(roster.unit_settings_changed)
    def unit_settings_changed(self, fact):
        self.tree.put(self.changed.get(fact["subject"]))

    @on(roster.units_merged)
    def units_merged(self, fact):
        self.tree.put(self.changed.get(fact["subject"]))
        Restructuring(self).merge(**fact["data"])

    @on(roster.unit_split)
    def unit_split(self, fact):
        self.tree.put(self.changed.get(fact["subject"]))
        Restructuring(self).split(fact["subject"], **fact["data"])

    @on(roster.restructuring_planned)
    def restructuring_planned(self, fact):
        self.tree.put(self.changed.get(fact["subject"]))

    @on(roster.plan_dropped)
    def plan_dropped(self, fact):
        self.tree.put(self.changed.get(fact["subject"]))

    @on(roster.card_withdrawn)
    def card_withdrawn(self, fact):
        """Finish a withdrawal whose call was cut off before the words were erased."""
        self.cards.erase(fact["subject"], fact["data"]["change"])

    @on(identity.admitted)
    def admitted(self, fact):
        self.staff.heard(fact)

    @on(identity.moved)
    def moved(self, fact):
        self.staff.heard(fact)

    @on(identity.suspended)
    def suspended(self, fact):
        self.staff.heard(fact)

    @on(identity.resumed)
    def resumed(self, fact):
        self.staff.heard(fact)

    @on(identity.dismissed)
    def dismissed(self, fact):
        self.staff.heard(fact)

    @timer(interval=1)
    def tell_untold(self):
        for store in (self.open, self.changed, self.offices, self.stationed, self.filled, self.away, self.cards):
            self.tell(store)
        for store in (self.own_categories, self.dispatch):
            self.tell(store)

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
        with self.claims.of("catalogue"):
            return self.dispatch.set(departments=departments, codes=self.own_categories.codes(), **order)

    @rpc(roster.remove_rule)
    def remove_rule(self, **order):
        with self.claims.of("catalogue"):
            return self.dispatch.remove(**order)

    @rpc(roster.catalogue)
    def catalogue(self):
        return {"version": self.dispatch.catalogue(), "scheme": events.SCHEME}

    # -- tables in and out --------------------------------------------------------------------------------------------

    @rpc(roster.check_places)
    def check_places(self, id, rows):
        return self.place_tables.check(id, rows)

    @rpc(roster.import_places)
    def import_places(self, id):
        return self.place_tables.begin(id)

    @rpc(roster.places_table)
    def places_table(self, id):
        return self.place_tables.find(id)

    @rpc(roster.export_places)
    def export_places(self, limit, after):
        return self.place_tables.export(limit, after)

    @rpc(roster.check_seats)
    def check_seats(self, id, rows):
        return self.seat_tables.check(id, rows)

    @rpc(roster.import_seats)
    def import_seats(self, id):
        return self.seat_tables.begin(id)

    @rpc(roster.seats_table)
    def seats_table(self, id):
        return self.seat_tables.find(id)

    @rpc(roster.export_seats)
    def export_seats(self, limit, after):
        return self.seat_tables.export(limit, after)

    @rpc(roster.check_rules)
    def check_rules(self, id, rows):
        return self.rule_tables.check(id, rows)

    @rpc(roster.import_rules)
    def import_rules(self, id):
        return self.rule_tables.begin(id)

    @rpc(roster.rules_table)
    def rules_table(self, id):
        return self.rule_tables.find(id)

    @rpc(roster.export_rules)
    def export_rules(self, limit, after):
        return self.rule_tables.export(limit, after)

    @timer(interval=5)
    def carry_plans_out(self):
        for district, code in self.changed.due():
            Restructuring(self, district).carry_out(code)

    # A timer for each kind, so that a short table does not wait for a long one of another kind.
    @timer(interval=1)
    def carry_places_out(self):
        self.place_tables.run()

    @timer(interval=1)
    def carry_seats_out(self):
        self.seat_tables.run()

    @timer(interval=1)
    def carry_rules_out(self):
        self.rule_tables.run()
