"""The whistle service's entrypoints."""

from contextlib import suppress
from copy import copy
from dataclasses import replace
from datetime import datetime

from services import proof
from services.entrypoints import Blobs, Records, Telling, on, rpc, timer
from services.whistle import showing
from services.whistle.domain import acts, calling, closing, working
from services.whistle.domain import answering as answers
from services.whistle.following import Following, in_turn
from services.whistle.looking import Looking
from services.whistle.store import Answering, Districts, Handovers, Open, Own, Photos, Register, Suggesting, Whistles
from services.whistle.store.answering import version_of
from shared.contracts import evaluation, identity, proofs, roster, suggestions, whistle
from shared.contracts.hears import HEARS
from shared.contracts.roster import COMMUNITY
from shared.errors import Conflict, Forbidden, Invalid, NotFound

# Facts of its own that mean more to it than that something is open, or not open any more.
MEANS_MORE = (whistle.blown, whistle.joined, whistle.merged, whistle.words_erased)


class WhistleService:
    """吹哨报到."""

    name = "whistle"
    whistles = Records(Whistles)
    photos = Records(Photos)
    districts = Records(Districts)
    answering = Records(Answering)
    open = Records(Open)
    own = Records(Own)
    register = Records(Register)
    handovers = Records(Handovers)
    suggesting = Records(Suggesting)
    blobs = Blobs()
    tell = Telling()

    @rpc(whistle.blow)
    def blow(self, id, **order):
        try:
            self.districts.must_know(order["community"])
            self.answering.must_know(order["category"])
            answers.must_stand(order["community"], self.answering.successors(order["community"]))
            self.photos.must_have(order["photos"])
            self.must_be_here(order["split_from"])
            given = self.given_for(order, order["departments"])
            return self.shown(self.whistles.begin(id, calling.blow, given=given, **order))
        except (Invalid, Conflict, Forbidden):
            # What was taken once is found again by its order, whatever the district's rules have become since.
            known = self.whistles.blown_before(id, acts.digest_of("blow", order), order)
            if known is None:
                raise
            return self.shown(known)

    @rpc(whistle.approve)
    def approve(self, id, **order):
        return self.act(id, calling.approve, order, None)

    @rpc(whistle.summon)
    def summon(self, id, **order):
        return self.act(id, calling.summon, order, order["departments"])

    @rpc(whistle.sign)
    def sign(self, id, **order):
        return self.act(id, working.sign, order)

    @rpc(whistle.contact)
    def contact(self, id, **order):
        return self.act(id, working.contact, order)

    @rpc(whistle.report)
    def report(self, id, **order):
        return self.act(id, working.report, order)

    @rpc(whistle.take_up)
    def take_up(self, id, **order):
        return self.act(id, working.take_up, order)

    @rpc(whistle.feed_back)
    def feed_back(self, id, **order):
        return self.act(id, working.feed_back, order)

    @rpc(whistle.send_back)
    def send_back(self, id, **order):
        return self.act(id, calling.send_back, order)

    @rpc(whistle.decide_return)
    def decide_return(self, id, **order):
        return self.act(id, calling.decide_return, order, [order["instead"]])

    @rpc(whistle.convene)
    def convene(self, id, **order):
        return self.act(id, calling.convene, order)

    @rpc(whistle.conclude)
    def conclude(self, id, **order):
        return self.act(id, calling.conclude, order, order["summon"])

    @rpc(whistle.ask_extension)
    def ask_extension(self, id, **order):
        return self.act(id, working.ask_extension, order)

    @rpc(whistle.decide_extension)
    def decide_extension(self, id, **order):
        return self.act(id, working.decide_extension, order)

    @rpc(whistle.put_on_account)
    def put_on_account(self, id, **order):
        return self.act(id, working.put_on_account, order)

    @rpc(whistle.take_off_account)
    def take_off_account(self, id, **order):
        return self.act(id, working.take_off_account, order)

    @rpc(whistle.supervise)
    def supervise(self, id, **order):
        return self.act(id, calling.supervise, order)

    @rpc(whistle.escalate)
    def escalate(self, id, **order):
        return self.act(id, calling.escalate, order)

    @rpc(whistle.withdraw)
    def withdraw(self, id, **order):
        return self.act(id, closing.withdraw, order)

    @rpc(whistle.reassign)
    def reassign(self, id, **order):
        return self.act(id, calling.reassign, order, [order["instead"]])

    @rpc(whistle.hand_over)
    def hand_over(self, id, **order):
        staff = frozenset(self.answering.staff(order["department"]) if order["person"] else ())
        return self.act(id, calling.hand_over, order, [order["department"]], staff=staff)

    @rpc(whistle.join)
    def join(self, id, **order):
        return self.act(id, closing.join, order)

    @rpc(whistle.part)
    def part(self, id, **order):
        return self.act(id, closing.part, order, None)

    @rpc(whistle.confirm)
    def confirm(self, id, **order):
        return self.act(id, closing.confirm, order)

    @rpc(whistle.settle)
    def settle(self, id, **order):
        return self.act(id, closing.settle, order)

    @rpc(whistle.reopen)
    def reopen(self, id, **order):
        return self.act(id, closing.reopen, order)

    @rpc(whistle.move_dues)
    def move_dues(self, id, **order):
        return self.act(id, working.move_dues, order)

    @rpc(whistle.merge)
    def merge(self, id, into, **order):
        if id == into:
            raise Invalid("不能并入自己 / It cannot be merged into itself", {"into": [into]})
        return self.act(id, closing.merge, order | {"into": into}, target=self.whistles.get(into).state)

    @rpc(whistle.erase)
    def erase(self, id, **order):
        self.act(id, closing.erase, order)
        self.forget(id, order["act"])
        return self.shown(self.whistles.get(id))

    @rpc(whistle.get)
    def get(self, id):
        record = self.whistles.get(id)
        acts.must_concern(record.state, self.whistles.caller)
        return self.shown(record)

    @rpc(whistle.own_one)
    def own_one(self, id):
        record = self.whistles.get(id)
        acts.must_be_ones_own(record.state, self.whistles.caller)
        return self.shown(record)

    @rpc(whistle.preview)
    def preview(self, id):
        state = self.whistles.get(id).state
        return {"id": id, "moves": working.preview(state, self.given(state))}

    @rpc(whistle.listing)
    def listing(self, community, **asked):
        communities = self.answering.communities(community) if community else []
        page = self.whistles.newest(communities=communities, **asked)
        mine = [record for record in page["items"] if acts.concerns(record.state, self.whistles.caller)]
        return page | {"items": [self.shown(record) for record in mine]}

    @rpc(whistle.own_listing)
    def own_listing(self, **asked):
        page = self.own.page(**asked)
        return page | {"items": [self.shown(record) for record in self.whistles.several(page["ids"])]}

    @rpc(whistle.open_work)
    def open_work(self, department, community, **asked):
        page = self.open.work(department, self.answering.communities(community), **asked)
        ids = [row["whistle"] for row in page["items"]]
        mine = [each for each in self.whistles.several(ids) if acts.concerns(each.state, self.whistles.caller)]
        return page | {"items": [self.shown(record) for record in mine]}

    @rpc(whistle.inbox)
    def inbox(self, **asked):
        return Looking(self).inbox(**asked)

    @rpc(whistle.counts)
    def counts(self, **asked):
        return Looking(self).counts(**asked)

    @rpc(whistle.near)
    def near(self, community, **asked):
        self.districts.must_know(community)
        return Looking(self).near(community=community, **asked)

    @rpc(whistle.responsible)
    def responsible(self, **asked):
        return self.answering.responsible(**asked)

    @rpc(whistle.trace)
    def trace(self, id):
        acts.must_concern(self.whistles.bare(id).state, self.whistles.caller)
        return proof.trace(self.whistles, id)

    @rpc(whistle.keep_photo)
    def keep_photo(self, **order):
        return self.photos.keep(**order)

    @rpc(whistle.photo)
    def photo(self, digest):
        return self.photos.get(digest)

    @rpc(proofs.prove)
    def prove(self, id):
        reader = self.whistles.caller
        found = proof.export(self.whistles, id, lambda state: not showing.may_read_words(state, reader))
        return found | {"photos": self.photos.types(found["words"])}

    @rpc(proofs.verify)
    def verify(self, part):
        return proof.part(self.whistles, part)

    @rpc(suggestions.suggest)
    def suggest(self, text):
        return {"items": self.suggesting.suggest(text)}

    @on(roster.opened)
    def opened(self, fact):
        self.answering.opened(fact)
        self.districts.opened(fact)

    @on(roster.settings_changed)
    def settings_changed(self, fact):
        self.districts.set(fact)

    @on(roster.unit_settings_changed)
    def unit_settings_changed(self, fact):
        self.answering.unit_settings_changed(fact)

    @on(roster.unit_founded)
    def unit_founded(self, fact):
        self.answering.unit_is(fact)
        if fact["data"]["unit"]["level"] == "community":
            self.districts.know(fact["data"]["unit"]["code"])

    @on(roster.unit_changed)
    def unit_changed(self, fact):
        self.answering.unit_is(fact)

    @on(roster.units_merged)
    def units_merged(self, fact):
        self.answering.units_merged(fact)

    @on(roster.unit_split)
    def unit_split(self, fact):
        self.answering.unit_split(fact)
        self.districts.know(fact["data"]["new"])

    @on(roster.appointed)
    @on(roster.term_ended)
    def term(self, fact):
        self.answering.term(fact)
        Following(self).plan(*(fact["data"][name] for name in ("post", "unit", "term")))

    @on(roster.leave_taken)
    def leave_taken(self, fact):
        self.answering.leave(fact)
        Following(self).plan_leave(fact["subject"], **fact["data"])

    @on(roster.leave_ended)
    def leave_ended(self, fact):
        self.answering.leave(fact)
        Following(self).plan_return(fact["data"]["absence"], fact["data"]["back"])

    @on(identity.admitted)
    def admitted(self, fact):
        self.answering.person(fact)

    @on(identity.moved)
    def moved(self, fact):
        self.answering.person(fact)

    @on(identity.suspended)
    def suspended(self, fact):
        self.answering.person(fact)
        Following(self).plan_without(fact["subject"])

    @on(identity.resumed)
    def resumed(self, fact):
        self.answering.person(fact)

    @on(identity.dismissed)
    def dismissed(self, fact):
        self.answering.person(fact)
        Following(self).plan_without(fact["subject"])

    @on(roster.category_set)
    def category_set(self, fact):
        self.answering.category_set(fact)

    @on(roster.rule_set)
    def rule_set(self, fact):
        self.answering.rule_set(fact)

    @on(roster.rule_removed)
    def rule_removed(self, fact):
        self.answering.rule_removed(fact)

    def stand(self, fact):
        """Keep what is open as a whistle's facts have left it."""
        self.open.refresh(fact["subject"], version_of(fact))

    # What means nothing else is heard for the views alone: each fact of this service's own, by its one list.
    for each in HEARS["whistle"]:
        if each.service == "whistle" and each not in MEANS_MORE:
            on(each)(stand)
    del each

    @on(whistle.blown)
    def blown(self, fact):
        self.own.add(fact["actor"], fact["subject"], fact["time"])
        Following(self).enter(fact["subject"])
        self.stand(fact)

    @on(whistle.joined)
    def joined(self, fact):
        self.own.add(fact["data"]["person"], fact["subject"], fact["time"])
        Following(self).absorb(fact["subject"])
        self.stand(fact)

    @on(whistle.merged)
    def merged(self, fact):
        Following(self).absorb(fact["subject"])
        Following(self).fall_out(fact["subject"], fact["data"]["into"], datetime.fromisoformat(fact["time"]))
        self.stand(fact)

    @on(whistle.words_erased)
    def words_erased(self, fact):
        """Finish an erasure whose call was cut off between the fact and the words."""
        self.forget(fact["subject"], fact["data"]["act"])
        self.stand(fact)

    @on(evaluation.rated)
    def rated(self, fact):
        self.score(fact)

    @on(evaluation.amended)
    def amended(self, fact):
        self.score(fact)

    @timer(interval=1)
    def ring(self):
        for district, id in self.open.due():
            with suppress(Conflict):  # where another replica was first with all of it, that is as good
                self.whistles.enter(district).change(id, working.ring)

    @timer(interval=1)
    def pass_on(self):
        for row in self.handovers.due():
            Following(self.entered(row["district"])).pass_on(row)

    @timer(interval=1)
    def tell_untold(self):
        self.tell(self.whistles)

    @timer(interval=20)
    def look_at_photos(self):
        for row in self.photos.due():
            self.photos.enter(row["district"]).look_at(self.blobs, row)

    def forget(self, id, erasure):
        """Erase what was written before an erasure, whenever it is told: what was written after it stays."""
        record = self.whistles.get(id, history=True)
        refs, reason = closing.erased_by(record.history, erasure)
        photos = [digest for ref in refs for digest in record.words.get(ref, {}).get("photos", ())]
        self.photos.look_soon(photos)
        self.whistles.forget(refs, reason)
        for digest in self.photos.drop(photos):
            self.photos.delete(self.blobs, digest)

    def entered(self, district):
        """Give the same service as it is in a district that a timer enters."""
        there = copy(self)
        for name in ("whistles", "districts", "answering", "open", "handovers"):
            setattr(there, name, getattr(self, name).enter(district))
        return there

    def score(self, fact):
        """Show how a result was rated, in the evaluation service's name: the department does not read who rated."""
        data = fact["data"]
        self.whistles.caller = replace(self.whistles.caller, actor=evaluation.SERVICE)
        told = {name: data[name] for name in ("department", "answer", "revision", "score")}
        with in_turn():
            self.whistles.change(data["whistle"], working.score, rating=fact["subject"], **told)

    # -- what an act is told of the world -----------------------------------------------------------------------------

    def act(self, id, decide, order, departments=(), **more):
        """Load, decide, record one act, with what it is told of the world and of its words before."""
        before = self.whistles.get(id)
        if order["act"] not in before.state.acts:
            self.photos.must_have(order.get("photos", ()))
        given = self.given(before.state, before.state.asked if departments is None else departments)
        given = replace(given, **more)
        return self.shown(self.whistles.change(before, decide, given=given, words=before.words, **order))

    def must_be_here(self, id):
        """Refuse a whistle that is named and is none of this district's."""
        try:
            return id and self.whistles.bare(id)
        except NotFound as error:
            raise Invalid(error.detail, {"split_from": [id]}) from error

    def given(self, state, departments=()):
        """Give what an act is told: settings at the place, the calendar, the rule, and who answers for departments."""
        return self.given_for(vars(state), departments)

    def rules_at(self, community):
        rules, _ = self.districts.rules()
        return self.answering.settings(community, rules)

    def given_for(self, of, departments):
        rules, version = self.districts.rules()
        community, day = of["community"], self.answering.today()
        rules, unit = self.answering.settings(community, rules), of["unit"] or community
        try:
            rule = self.answering.rule(of["category"], unit, day)
        except NotFound:
            rule = None
        named = [each for each in departments if each] or ([rule["lead"], *rule["assists"]] if rule else [])
        return acts.Given(
            rules=rules, policy=version, calendar=acts.calendar_of(rules), rule=rule,
            answers=self.answering.answers([*named, COMMUNITY], unit, day),
            successors=tuple(self.answering.successors(community)),
            path=tuple(self.answering.path(of["unit"])) if of["unit"] else (),
        )  # fmt: skip

    def shown(self, record):
        return showing.shown(record, self.whistles.caller)
