"""The evaluation service's entrypoints."""

from services.entrypoints import Records, Telling, on, rpc, timer
from services.evaluation import domain
from services.evaluation.store import Answers, Mergers, Ratings, rating_id
from shared.contracts import evaluation, roster, whistle
from shared.errors import Conflict
from shared.rules.days import day_of


class EvaluationService:
    """评价."""

    name = "evaluation"
    ratings = Records(Ratings)
    answers = Records(Answers)
    mergers = Records(Mergers)
    tell = Telling()

    @rpc(evaluation.rate)
    def rate(self, id, department, **order):
        known = self.ratings.of_whistle(id)
        if twin := domain.rated_before(known, caller=self.ratings.caller, department=department, **order):
            return self.shown(twin)
        answer = domain.answer_of(self.answers.of(id), department)
        told = {"whistle": id, "answer": answer, "absorbed": self.mergers.absorbed(), "known": known}
        rating = rating_id(id, department, answer["act"])
        try:
            return self.shown(self.ratings.begin(rating, domain.rate, **told, **order))
        except Conflict:
            # Where somebody else was first by a moment, that is said, and not that an id is taken.
            domain.must_be_unrated(self.ratings.of_whistle(id), answer)
            raise

    @rpc(evaluation.amend)
    def amend(self, id, **order):
        words = self.ratings.get(id).words
        return self.shown(self.ratings.change(id, domain.amend, words=words, **order))

    @rpc(evaluation.of_whistle)
    def of_whistle(self, id):
        known, absorbed = self.ratings.of_whistle(id), self.mergers.absorbed()
        domain.must_be_there(known, self.answers.of(id))
        mine = [each for each in known if domain.may_read(each.state, self.ratings.caller, absorbed)]
        return {"items": [self.shown(each) for each in mine]}

    @rpc(evaluation.listing)
    def listing(self, since, until, **asked):
        span = domain.span(since, until, day_of(self.ratings.now()))
        page = self.ratings.newest(span=span, absorbed=self.mergers.absorbed(), **asked)
        return page | {"items": [self.shown(each) for each in page["items"]]}

    @on(whistle.fed_back)
    def fed_back(self, fact):
        self.answers.hear(fact)

    @on(whistle.called_off)
    def called_off(self, fact):
        self.answers.hear(fact)

    @on(whistle.words_erased)
    def words_erased(self, fact):
        """With a whistle's words goes what was written beside its ratings; heard again, it ends what was cut off."""
        act, reason = fact["data"]["act"], fact["data"]["reason"]
        for rating in self.ratings.of_whistle(fact["subject"]):
            self.ratings.change(rating.id, domain.erase, act=act, reason=reason)
            history = self.ratings.get(rating.id, history=True).history
            self.ratings.forget(domain.erased_by(history, act), reason)

    @on(roster.units_merged)
    def units_merged(self, fact):
        self.mergers.hear(fact)

    @timer(interval=1)
    def tell_untold(self):
        self.tell(self.ratings)

    def shown(self, record):
        return domain.shown(record, self.ratings.caller)
