"""The whistle service's entrypoints."""

from services import proof
from services.whistle.domain import answering as answers
from services.whistle.domain import whistles as domain
from services.whistle.store import Answering, Districts, Photos, Suggesting, Whistles, shown
from shared.contracts import proofs, roster, suggestions, whistle
from shared.errors import Invalid
from shared.service import Blobs, Records, Telling, on, rpc, timer


class WhistleService:
    """吹哨报到."""

    name = "whistle"
    whistles = Records(Whistles)
    photos = Records(Photos)
    districts = Records(Districts)
    answering = Records(Answering)
    suggesting = Records(Suggesting)
    blobs = Blobs()
    tell = Telling()

    @rpc(whistle.blow)
    def blow(self, id, **order):
        try:
            self.districts.must_know(order["community"])
            answers.must_stand(order["community"], self.answering.successors(order["community"]))
            self.photos.must_have(order["photos"])
            rules = self.answering.settings(order["community"], self.districts.rules())
            return shown(self.whistles.begin(id, domain.blow, rules=rules, **order))
        except Invalid:
            # What was taken once is found again by its order, whatever the district's rules have become since.
            if not self.whistles.has(id):
                raise
            return shown(self.whistles.begin(id, domain.blow, rules={"departments": order["departments"]}, **order))

    @rpc(whistle.report)
    def report(self, id, **order):
        before = self.whistles.get(id)
        if order["report"] not in before.state.reports:
            self.photos.must_have(order["photos"])
        return shown(self.whistles.change(id, domain.report, words=before.words, **order))

    @rpc(whistle.settle)
    def settle(self, id, **order):
        before = self.whistles.get(id)
        if order["settlement"] != before.state.settlement:
            self.photos.must_have(order["photos"])
        order["successors"] = tuple(self.answering.successors(before.state.community))
        return shown(self.whistles.change(id, domain.settle, words=before.words, **order))

    @rpc(whistle.erase)
    def erase(self, id, **order):
        self.whistles.change(id, domain.erase, **order)
        self.forget(id, order["erasure"])
        return shown(self.whistles.get(id))

    @rpc(whistle.get)
    def get(self, id):
        return shown(self.whistles.get(id))

    @rpc(whistle.listing)
    def listing(self, community, **asked):
        communities = self.answering.communities(community) if community else []
        page = self.whistles.newest(communities=communities, **asked)
        return page | {"items": [shown(record) for record in page["items"]]}

    @rpc(whistle.open_work)
    def open_work(self, community, **asked):
        page = self.whistles.open_work(communities=self.answering.communities(community), **asked)
        return page | {"items": [shown(record) for record in page["items"]]}

    @rpc(whistle.responsible)
    def responsible(self, **asked):
        return self.answering.responsible(**asked)

    @rpc(whistle.trace)
    def trace(self, id):
        return proof.trace(self.whistles, id)

    @rpc(whistle.keep_photo)
    def keep_photo(self, **order):
        return self.photos.keep(**order)

    @rpc(whistle.photo)
    def photo(self, digest):
        return self.photos.get(digest)

    @rpc(proofs.prove)
    def prove(self, id):
        found = proof.export(self.whistles, id)
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
    def appointed(self, fact):
        self.answering.term(fact)

    @on(roster.term_ended)
    def term_ended(self, fact):
        self.answering.term(fact)

    @on(roster.leave_taken)
    def leave_taken(self, fact):
        self.answering.leave(fact)

    @on(roster.leave_ended)
    def leave_ended(self, fact):
        self.answering.leave(fact)

    @on(roster.category_set)
    def category_set(self, fact):
        self.answering.category_set(fact)

    @on(roster.rule_set)
    def rule_set(self, fact):
        self.answering.rule_set(fact)

    @on(roster.rule_removed)
    def rule_removed(self, fact):
        self.answering.rule_removed(fact)

    @on(whistle.words_erased)
    def words_erased(self, fact):
        """Finish an erasure whose call was cut off between the fact and the words."""
        self.forget(fact["subject"], fact["data"]["erasure"])

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
        refs, reason = domain.erased_by(record.history, erasure)
        photos = [digest for ref in refs for digest in record.words.get(ref, {}).get("photos", ())]
        self.photos.look_soon(photos)
        self.whistles.forget(refs, reason)
        for digest in self.photos.drop(photos):
            self.photos.delete(self.blobs, digest)
