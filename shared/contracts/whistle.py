"""吹哨报到: from the call to the proof that it is solved.

Beijing Street Office Regulation (2019-11-27; here "Regulation") and 接诉即办 Regulation (2021-09-24; here "Appeals").
A whistle summons: departments, each to its named specialist, or the community itself (问题不上交). Each act upon it is
a call, and leaves a fact.
"""

import re

from marshmallow import fields, validate

from shared.contract import Call, Contract, Fact
from shared.contracts import fields as own
from shared.contracts import proofs, roster, suggestions
from shared.contracts.forms import Order, View
from shared.contracts.settings import CLOCKS, ECHELONS, KINDS, MEASURE, TOLD

STAGES = ("awaiting", "blown", "dispatched", "answered", "confirmed", "settled", "withdrawn", "rejected", "merged")
SUMMONS_STAGES = (
    *("called", "signed", "contacted", "reported", "handling", "fed_back", "rated"),
    *("returned", "called_off"),
)
SOURCES = ("resident", "community", "patrol", "hotline", "department")
ERASURES = ("requested", "retention", "unlawful", "mistaken")
ROLES_OF_SUMMONS = ("lead", "assist")  # 主办 and 协办
WAYS = ("phone", "visit", "message")
RESULTS = ("solved", "partly", "unsolved")
# Why a department sends a summons back (Appeals Art. 12: objection to a dispatch).
RETURNS = ("not_our_duty", "not_our_area", "wrong_category", "needs_others", "duplicate")
# Why what was blown is closed without being solved: Appeals Art. 11, and objective obstacles.
UNSOLVED = (
    *("emergency_line", "judicial_or_other_procedure", "repeated_without_new_facts", "secret_or_private"),
    *("beyond_duty", "unlawful_or_immoral", "objective_obstacle", "reporter_unreachable"),
)
# Why it is put on account (挂账): what nobody here can remove for now.
OBSTACLES = ("funding", "planning", "ownership", "law", "season", "works_pending")
ALL_CLOCKS = (*CLOCKS, "review")  # of something put on account
GRID = re.compile("^[1-9][0-9]{14}$")  # DB11: 6 district, 3 street, 3 community, 3 grid
SCOPES = ("mine", "department", "community", "street", "district")


class Place(Order):
    """A point in WGS-84 degrees; Beijing lies inside these bounds."""

    lon = fields.Float(required=True, validate=validate.Range(115.4, 117.6, error="不在北京 / not in Beijing"))
    lat = fields.Float(required=True, validate=validate.Range(39.4, 41.1, error="不在北京 / not in Beijing"))


def place():
    return fields.Nested(Place, load_default=None, allow_none=True)


def photos():
    return fields.List(own.digest(), load_default=list, validate=validate.Length(max=9, error="最多 9 张 / 9 at most"))


def summoned(**options):
    """Whom a summons is for: a department, or ``community`` for the community itself."""
    return own.department(**options)


def note(least: int = 0, most: int = 2000):
    return own.text(most, **({"required": True} if least else {"load_default": "", "least": 0}))


# -- what is ordered ---------------------------------------------------------------------------------------------------


class Blow(Order):
    """The whistle's id comes with the order: sent twice, it is found again and never becomes a twin.

    ``departments``: the first leads. Left out, the dispatch catalogue names them; a resident's whistle, and what the
    community must first try itself, goes to the community (Appeals Art. 17).
    """

    id = own.an_id(required=True, metadata={"description": "UUID chosen by the client"})
    kind = own.one_of(KINDS, required=True)
    category = own.code(own.codes.EVENT, required=True, metadata={"description": "GB/T 30428.2 event code"})
    community = own.division(required=True)
    unit = own.anywhere(
        load_default=None, allow_none=True, metadata={"description": "compound, building or entrance in the community"}
    )
    departments = fields.List(summoned(), load_default=list, validate=[own.some(0, 16), own.distinct])
    title = own.text(60, required=True)
    text = own.text(2000, load_default="", least=0)
    address = own.text(120, load_default="", least=0)
    expected = own.text(500, load_default="", least=0, metadata={"description": "the result that is hoped for"})
    place = place()
    grid = own.code(GRID, load_default=None, allow_none=True)
    photos = photos()
    source = own.one_of(SOURCES, load_default=None, allow_none=True)
    confidential = fields.Boolean(
        load_default=False, metadata={"description": "words for those who handle it and their superiors only"}
    )
    split_from = own.an_id(load_default=None, allow_none=True, metadata={"description": "whistle that it is part of"})


class Act(Order):
    """One act upon a whistle: the client names it, so that the same order again finds what it did."""

    id = own.an_id(required=True, metadata={"description": "the whistle"})
    act = own.an_id(required=True, metadata={"description": "UUID of this act, chosen by the client"})
    version = fields.Integer(load_default=None, allow_none=True, metadata={"description": "refuse if it has moved on"})


class Approve(Act):
    approved = fields.Boolean(required=True)
    note = note()


class Summon(Act):
    departments = fields.List(summoned(), required=True, validate=[own.some(1, 16), own.distinct])
    note = note()


class Sign(Act):
    """签收: the department, or the community where it is called itself, is the caller's."""


class Contact(Act):
    way = own.one_of(WAYS, load_default="phone")
    note = note()


class Report(Act):
    """报到: the department and the person are the caller's; several people may come, each once."""

    place = place()
    photos = photos()
    note = note()


class TakeUp(Act):
    note = note()


def each_measure_once(outcomes: list[dict]) -> None:
    """What is counted under one measure is one row: two would be added up."""
    own.distinct([each["measure"] for each in outcomes])


class Outcome(Order):
    """What came of it, in a measure of the district's list: so many places, and an amount where it has a unit."""

    measure = own.code(MEASURE, required=True)
    count = fields.Integer(required=True, validate=validate.Range(0, 100_000, error="0–100000"))
    amount = fields.Float(
        load_default=None, allow_none=True, validate=validate.Range(0, 100_000_000, error="0–100000000")
    )


class FeedBack(Act):
    result = own.one_of(RESULTS, required=True)
    text = own.text(2000, required=True)
    photos = photos()
    outcomes = fields.List(fields.Nested(Outcome), load_default=list, validate=[own.some(0, 20), each_measure_once])


class SendBack(Act):
    reason = own.one_of(RETURNS, required=True)
    proposes = own.department(load_default=None, allow_none=True)
    note = note(1)


class DecideReturn(Act):
    """Upheld, the department is released, and ``instead`` is called where one is named; refused, it goes on."""

    department = summoned(required=True)
    upheld = fields.Boolean(required=True)
    instead = fields.String(load_default=None, allow_none=True, validate=own.Whole(own.codes.DEPARTMENT))
    note = note()


class Convene(Act):
    """会商: who is invited, when and where."""

    departments = fields.List(summoned(), required=True, validate=[own.some(1, 16), own.distinct])
    at = own.moment(required=True)
    where = own.text(120, required=True)
    note = note()


class Conclude(Act):
    """What the meeting decided: who is released, who is called, who leads; minutes for everybody."""

    minutes = own.text(5000, required=True)
    release = fields.List(summoned(), load_default=list, validate=[own.some(0, 16), own.distinct])
    summon = fields.List(summoned(), load_default=list, validate=[own.some(0, 16), own.distinct])
    lead = fields.String(load_default=None, allow_none=True, validate=own.Whole(own.codes.DEPARTMENT))


class AskExtension(Act):
    until = own.moment(required=True)
    note = note(1)


class DecideExtension(Act):
    department = summoned(required=True)
    granted = fields.Boolean(required=True)
    note = note()


class PutOnAccount(Act):
    obstacle = own.one_of(OBSTACLES, required=True)
    review = own.day(required=True, metadata={"description": "the day on which it is looked at again"})
    note = note(1)


class TakeOffAccount(Act):
    note = note()


class Supervise(Act):
    department = fields.String(load_default=None, allow_none=True, validate=own.Whole(own.codes.DEPARTMENT))
    note = note(1)


class Escalate(Act):
    note = note(1)


class Withdraw(Act):
    note = note(1)


class Reassign(Act):
    """改派: one department is released and another called in its place."""

    department = summoned(required=True)
    instead = own.department(required=True)
    note = note(1)


class HandSummonsOver(Act):
    """``person`` left out: to whoever holds the seat now."""

    department = summoned(required=True)
    person = own.code(re.compile("^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$"), load_default=None, allow_none=True)
    note = note()


class Join(Act):
    """A further reporter of the same matter."""

    place = place()
    photos = photos()
    note = note()


class MergeWhistle(Act):
    into = own.an_id(required=True)
    note = note()


class Part(Act):
    """Takes what was merged out again."""

    note = note(1)


class Confirm(Act):
    """On the spot, by the community or the reporter: is it solved?"""

    solved = fields.Boolean(required=True)
    place = place()
    photos = photos()
    note = note()


class Settle(Act):
    result = own.one_of(("solved", "unsolved"), load_default="solved")
    reason = own.one_of(UNSOLVED, load_default=None, allow_none=True)
    note = note()
    photos = photos()


class Reopen(Act):
    photos = photos()
    note = note(1)


class Erase(Act):
    """Which words go, and by which right: PIPL Art. 47 (``requested``, ``unlawful``) and Art. 19 (``retention``)."""

    reason = own.one_of(ERASURES, required=True)


class MoveDues(Act):
    """Recomputes what was promised by today's limits and calendar; look at the preview first."""

    note = note(1)


class Get(Order):
    id = own.an_id(required=True)


class ListWhistles(Order):
    stage = own.one_of(STAGES, load_default=None, allow_none=True)
    community = own.division(load_default=None, allow_none=True)
    limit = own.limit()
    after = own.cursor()


class ListOwn(Order):
    limit = own.limit()
    after = own.cursor()


class Inbox(Order):
    """Open work, what is due first at the top; ``unit`` or ``department`` where the caller may look further."""

    scope = own.one_of(SCOPES, load_default="mine")
    unit = own.anywhere(load_default=None, allow_none=True)
    department = own.department(load_default=None, allow_none=True)
    stage = own.one_of(sorted({*STAGES, *SUMMONS_STAGES}), load_default=None, allow_none=True)
    kind = own.one_of(KINDS, load_default=None, allow_none=True)
    category = own.code(own.codes.EVENT, load_default=None, allow_none=True)
    due_before = own.moment(load_default=None, allow_none=True)
    text = own.text(40, least=0, load_default=None, allow_none=True)
    limit = own.limit(100)
    after = own.cursor()


class Count(Order):
    scope = own.one_of(SCOPES, load_default="mine")
    unit = own.anywhere(load_default=None, allow_none=True)
    department = own.department(load_default=None, allow_none=True)


class FindNear(Order):
    """Open ones of the same category around a point or at a unit, else all of the community, the nearest first.

    They are to be looked at before one blows again; around is four times what the district counts as the same place.
    """

    category = own.code(own.codes.EVENT, required=True)
    community = own.division(required=True)
    unit = own.anywhere(load_default=None, allow_none=True)
    lon = fields.Float(load_default=None, allow_none=True, validate=validate.Range(115.4, 117.6, error="不在北京"))
    lat = fields.Float(load_default=None, allow_none=True, validate=validate.Range(39.4, 41.1, error="不在北京"))


class OpenWork(Order):
    """What a department has still to do in a community, and in those merged into it: the list of a handover."""

    department = own.department(required=True)
    community = own.division(required=True)
    limit = own.limit()
    after = own.cursor()


class AskResponsible(Order):
    """Who answers for a category of events at a unit of any level: today, or on another day."""

    category = own.code(own.codes.EVENT, required=True, metadata={"description": "GB/T 30428.2 event code, or local"})
    unit = own.anywhere(required=True)
    at = own.day(load_default=None, allow_none=True)


class KeepPhoto(Order):
    """What the gateway read from the bytes themselves; it has stored them under their digest already."""

    digest = own.digest(required=True)
    type = own.one_of(("image/jpeg", "image/png", "image/webp"), required=True)
    size = fields.Integer(required=True, validate=validate.Range(1, 20_000_000))
    width = fields.Integer(required=True, validate=validate.Range(1, 20_000))
    height = fields.Integer(required=True, validate=validate.Range(1, 20_000))


class GetPhoto(Order):
    digest = own.digest(required=True)


# -- what is given -----------------------------------------------------------------------------------------------------


class Erased(View):
    """Why words are gone."""

    at = own.moment()
    reason = own.one_of(ERASURES)


class Words(View):
    """What people wrote; ``erased`` where it was erased by right, ``withheld`` where it is not this reader's."""

    title = fields.String()
    text = fields.String()
    address = fields.String()
    expected = fields.String()
    note = fields.String()
    minutes = fields.String()
    where = fields.String()
    photos = fields.List(own.digest())
    erased = fields.Nested(Erased, allow_none=True)
    withheld = fields.Boolean()


class RunningClock(View):
    """A limit: ``met`` null while it runs; ``due`` null where it cannot be known (``unknown``: the year's holidays)."""

    clock = own.one_of(ALL_CLOCKS)
    due = own.moment(allow_none=True)
    met = own.moment(allow_none=True)
    late = fields.Boolean()
    unknown = fields.Integer(allow_none=True)


class Made(View):
    """An outcome as it was fed back, with the measure's unit at that time."""

    measure = fields.String(required=True)
    count = fields.Integer(required=True)
    amount = fields.Float(allow_none=True)
    unit = fields.String()


class Attendance(View):
    """One person on the spot: ``distance`` metres from the whistle's place, ``far`` beyond what the district allows."""

    act = own.an_id()
    department = fields.String()
    person = fields.String()
    at = own.moment()
    place = fields.Nested(Place, allow_none=True)
    distance = fields.Integer(allow_none=True)
    far = fields.Boolean()
    words = fields.Nested(Words, allow_none=True)


class Asked(View):
    """A return or an extension that waits for a decision."""

    reason = fields.String(allow_none=True)
    proposes = fields.String(allow_none=True)
    until = own.moment(allow_none=True)
    at = own.moment()
    by = fields.String()
    words = fields.Nested(Words, allow_none=True)


class Extended(View):
    """An extension that was decided: the reporter reads why it was asked for, and what became of it."""

    granted = fields.Boolean()
    until = own.moment(allow_none=True)
    at = own.moment()
    reason = fields.Nested(Words, allow_none=True)
    words = fields.Nested(Words, allow_none=True)


class Answered(View):
    """What a department gave back."""

    result = own.one_of(RESULTS)
    outcomes = fields.List(fields.Nested(Made))
    at = own.moment()
    by = fields.String()
    words = fields.Nested(Words, allow_none=True)


class Summons(View):
    department = fields.String(metadata={"description": "a department, or `community`"})
    role = own.one_of(ROLES_OF_SUMMONS)
    stage = own.one_of(SUMMONS_STAGES)
    person = fields.String(allow_none=True)
    seat = fields.String(allow_none=True)
    instead_of = fields.String(allow_none=True)
    why = fields.String(allow_none=True)
    called_at = own.moment()
    clocks = fields.List(fields.Nested(RunningClock))
    returned = fields.Nested(Asked, allow_none=True)
    extension = fields.Nested(Asked, allow_none=True)
    extended = fields.Nested(Extended, allow_none=True)
    answer = fields.Nested(Answered, allow_none=True)
    score = fields.Float(allow_none=True)
    rating = own.an_id(allow_none=True)


class Meeting(View):
    """会商: ``due`` until it is convened, then until it is concluded."""

    due = fields.Boolean()
    departments = fields.List(fields.String())
    at = own.moment(allow_none=True)
    words = fields.Nested(Words, allow_none=True)
    concluded_at = own.moment(allow_none=True)
    minutes = fields.Nested(Words, allow_none=True)


class Account(View):
    obstacle = own.one_of(OBSTACLES)
    review = own.Day(allow_none=True)
    since = own.moment()
    words = fields.Nested(Words, allow_none=True)


class Confirmation(View):
    act = own.an_id()
    solved = fields.Boolean()
    at = own.moment()
    by = fields.String()
    distance = fields.Integer(allow_none=True)
    far = fields.Boolean()
    words = fields.Nested(Words, allow_none=True)


class Reporter(View):
    person = fields.String()
    at = own.moment()
    from_whistle = own.an_id(allow_none=True)
    words = fields.Nested(Words, allow_none=True)


class Whistle(View):
    id = own.an_id()
    version = fields.Integer()
    number = fields.String(allow_none=True, metadata={"description": "given a moment after it was blown"})
    stage = own.one_of(STAGES)
    echelon = own.one_of(ECHELONS)
    kind = own.one_of(KINDS)
    category = fields.String()
    community = own.division()
    unit = fields.String(allow_none=True)
    grid = fields.String(allow_none=True)
    source = fields.String()
    confidential = fields.Boolean()
    called = fields.List(fields.String(), metadata={"description": "whom it calls now; the first leads"})
    summonses = fields.List(fields.Nested(Summons))
    reports = fields.List(fields.Nested(Attendance))
    place = fields.Nested(Place, allow_none=True)
    blown_at = own.moment()
    blown_by = fields.String()
    answered_at = own.moment(allow_none=True)
    settled_at = own.moment(allow_none=True)
    settled_by = fields.String(allow_none=True)
    result = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)
    reopen_until = own.moment(allow_none=True)
    reopened = fields.Integer()
    returns = fields.Integer()
    supervised = fields.Integer()
    clocks = fields.List(fields.Nested(RunningClock))
    meeting = fields.Nested(Meeting, allow_none=True)
    account = fields.Nested(Account, allow_none=True)
    confirmations = fields.List(fields.Nested(Confirmation))
    reporters = fields.List(fields.Nested(Reporter))
    merged_into = fields.String(allow_none=True)
    split_from = fields.String(allow_none=True)
    recurrence_of = fields.String(allow_none=True)
    due = own.moment(allow_none=True, metadata={"description": "the next limit that runs out"})
    words = fields.Nested(Words, allow_none=True)
    settlement = fields.Nested(Words, allow_none=True)


class Item(View):
    """One line of an inbox."""

    whistle = own.an_id()
    number = fields.String(allow_none=True)
    title = fields.String(allow_none=True)
    stage = fields.String(metadata={"description": "of the summons in `mine` and `department`, else of the whistle"})
    kind = own.one_of(KINDS)
    category = fields.String()
    community = own.division()
    echelon = own.one_of(ECHELONS)
    department = fields.String(allow_none=True)
    person = fields.String(allow_none=True)
    due = own.moment(allow_none=True)
    late = fields.Boolean()
    blown_at = own.moment()
    marks = fields.List(fields.String(), metadata={"description": "account, meeting, extension, return, supervised"})


class Counts(View):
    stages = fields.Dict(fields.String(), fields.Integer())
    total = fields.Integer()


class Near(View):
    whistle = own.an_id()
    title = fields.String(allow_none=True)
    stage = own.one_of(STAGES)
    blown_at = own.moment()
    distance = fields.Integer(allow_none=True)


class MovedDue(View):
    """One limit as it was promised and as it would be by today's data."""

    department = fields.String()
    clock = own.one_of(ALL_CLOCKS)
    due = own.moment(allow_none=True)
    would_be = own.moment(allow_none=True)


class Preview(View):
    id = own.an_id()
    moves = fields.List(fields.Nested(MovedDue))


class Answer(View):
    """Who answers for a department: the holder of the nearest seat, or who stands in; ``person`` null where nobody."""

    department = fields.String(metadata={"description": "a department, or `community` for the community itself"})
    person = fields.String(allow_none=True)
    instead_of = fields.String(allow_none=True, metadata={"description": "whose seat it is, where another answers"})
    seat = fields.String(allow_none=True)
    why = fields.String()


class Responsible(View):
    """The rule that decides, at its version, and who answers by it."""

    category = fields.String()
    unit = own.anywhere()
    rule = fields.String(metadata={"description": "`<category or class or *>@<unit>`"})
    rule_version = fields.Integer()
    why = fields.String()
    community_first = fields.Boolean()
    never_community = fields.Boolean()
    lead = fields.Nested(Answer)
    assists = fields.List(fields.Nested(Answer))


class Photo(View):
    digest = own.digest()
    type = fields.String()
    size = fields.Integer()
    width = fields.Integer()
    height = fields.Integer()
    kept_at = own.moment()


# -- what is told ------------------------------------------------------------------------------------------------------


class Due(View):
    """A limit as it is promised: ``due`` null where the year's holidays are ``unknown``."""

    department = fields.String(required=True)
    clock = own.one_of(ALL_CLOCKS, required=True)
    due = own.moment(required=True, allow_none=True)
    remind = own.moment()
    working = fields.Boolean()
    unknown = fields.Integer()
    moved = fields.Boolean(metadata={"description": "by an extension or a rest, so not as the limits alone have it"})


class LadderRung(View):
    after = fields.Integer(required=True)
    to = own.one_of(TOLD, required=True)


class Confirming(View):
    amount = fields.Integer(required=True)
    unit = fields.String(required=True)
    remind = fields.Integer(required=True)


class Done(View):
    """What every act tells: its own id, and a digest of the order without its words, so that a twin is known."""

    act = own.an_id(required=True)
    order = fields.String(required=True)
    community = own.division(required=True)
    dues = fields.List(fields.Nested(Due))


class Blown(View):
    order = fields.String()
    kind = own.one_of(KINDS, required=True)
    category = fields.String(required=True)
    community = own.division(required=True)
    unit = fields.String(allow_none=True)
    grid = fields.String(allow_none=True)
    called = fields.List(fields.String(), required=True)
    source = own.one_of(SOURCES)
    echelon = own.one_of(ECHELONS)
    awaiting = fields.Boolean()
    confidential = fields.Boolean()
    split_from = own.an_id(allow_none=True)
    ladder = fields.List(fields.Nested(LadderRung))
    confirm = fields.Nested(Confirming, allow_none=True)
    policy = fields.Integer(metadata={"description": "version of the district's settings that it lives by"})
    lon = fields.Float()
    lat = fields.Float()


class Approved(Done):
    pass


class Rejected(Done):
    pass


class Called(View):
    department = fields.String(required=True)
    role = own.one_of(ROLES_OF_SUMMONS)
    kind = own.one_of(KINDS, required=True)
    category = fields.String(required=True)
    community = own.division(required=True)
    person = fields.String(allow_none=True)
    seat = fields.String(allow_none=True)
    instead_of = fields.String(allow_none=True)
    why = fields.String(allow_none=True)
    rule = fields.String(allow_none=True)
    dues = fields.List(fields.Nested(Due))
    act = own.an_id(allow_none=True)
    order = fields.String(allow_none=True)
    lon = fields.Float()
    lat = fields.Float()


class CalledOff(View):
    department = fields.String(required=True)
    community = own.division(required=True)
    dues = fields.List(fields.Nested(Due))
    act = own.an_id(allow_none=True)


class OfDepartment(Done):
    department = fields.String(required=True)


class Signed(OfDepartment):
    person = fields.String(required=True)


class Contacted(OfDepartment):
    way = own.one_of(WAYS, required=True)


class Reported(OfDepartment):
    person = fields.String(required=True)
    distance = fields.Integer(allow_none=True)
    far = fields.Boolean()
    lon = fields.Float()
    lat = fields.Float()


class TakenUp(OfDepartment):
    pass


class FedBack(OfDepartment):
    result = own.one_of(RESULTS, required=True)
    outcomes = fields.List(fields.Nested(Made), required=True)


class SentBack(OfDepartment):
    reason = own.one_of(RETURNS, required=True)
    proposes = fields.String(allow_none=True)
    meeting = fields.Boolean(required=True)


class ReturnDecided(OfDepartment):
    upheld = fields.Boolean(required=True)


class Reassigned(OfDepartment):
    instead = own.department(required=True)


class Convened(Done):
    departments = fields.List(fields.String(), required=True)
    at = own.moment(required=True)


class Concluded(Done):
    release = fields.List(fields.String(), required=True)
    lead = fields.String(allow_none=True)


class ExtensionAsked(OfDepartment):
    until = own.moment(required=True)


class ExtensionDecided(OfDepartment):
    granted = fields.Boolean(required=True)


class OnAccount(Done):
    obstacle = own.one_of(OBSTACLES, required=True)
    review = fields.String(required=True)


class OffAccount(Done):
    pass


class Supervised(Done):
    echelon = own.one_of(ECHELONS, required=True)
    department = fields.String(allow_none=True)


class Escalated(Done):
    echelon = own.one_of(ECHELONS, required=True)


class Withdrawn(Done):
    pass


class HandedOver(View):
    """The open work of somebody goes to somebody else; by itself (``act`` null) when their term ended."""

    department = fields.String(required=True)
    community = own.division(required=True)
    person = fields.String(allow_none=True)
    seat = fields.String(allow_none=True)
    instead_of = fields.String(allow_none=True)
    why = fields.String(allow_none=True)
    act = own.an_id(allow_none=True)
    order = fields.String(allow_none=True)


class Joined(View):
    """A further reporter, by their own act or because their whistle was merged into this one."""

    person = fields.String(required=True)
    community = own.division(required=True)
    from_whistle = own.an_id(allow_none=True)
    act = own.an_id(allow_none=True)
    order = fields.String(allow_none=True)


class Merged(Done):
    into = own.an_id(required=True)


class Parted(View):
    """By an act, or by itself where what it was merged into had ended meanwhile."""

    into = own.an_id(required=True)
    act = own.an_id(allow_none=True)
    order = fields.String(allow_none=True)
    community = own.division(required=True)


class Confirmed(Done):
    solved = fields.Boolean(required=True)
    distance = fields.Integer(allow_none=True)
    far = fields.Boolean()
    lon = fields.Float()
    lat = fields.Float()


class Settled(Done):
    result = own.one_of(("solved", "unsolved"), required=True)
    reason = own.one_of(UNSOLVED, allow_none=True)
    reopen_until = own.moment(allow_none=True)


class Reopened(Done):
    pass


class DuesMoved(Done):
    pass


class Reminded(View):
    department = fields.String(required=True)
    clock = own.one_of(ALL_CLOCKS, required=True)
    due = own.moment(required=True)
    person = fields.String(allow_none=True)
    community = own.division(required=True)


class Overdue(View):
    department = fields.String(required=True)
    clock = own.one_of(ALL_CLOCKS, required=True)
    due = own.moment(required=True)
    step = fields.Integer(required=True)
    told = own.one_of(TOLD, required=True)
    person = fields.String(allow_none=True)
    community = own.division(required=True)


class Numbered(View):
    number = fields.String(required=True)
    community = own.division(required=True)


class Recurred(View):
    of = own.an_id(required=True)
    community = own.division(required=True)


class Scored(View):
    """A summons was rated; the rating itself is the evaluation service's."""

    department = fields.String(required=True)
    rating = own.an_id(required=True)
    revision = fields.Integer(required=True, metadata={"description": "of the rating: the last one holds"})
    score = fields.Float(required=True)
    community = own.division(required=True)


class WordsErased(Done):
    reason = own.one_of(ERASURES, required=True)


SERVICE = "whistle"


def acts(name: str, order: Order, needs: str, doc: str) -> Call:
    """An act gives the whistle as it is after it."""
    return Call(SERVICE, name, order, Whistle(), f"whistle.{needs}", doc=doc)


blow = acts("blow", Blow(), "blow", "吹哨 / Blow a whistle")
approve = acts("approve", Approve(), "approve", "审核 / Approve a whistle or reject it")
summon = acts("summon", Summon(), "summon", "召集 / Call further departments, or call up what was at home")
sign = acts("sign", Sign(), "report", "签收 / Sign for one's summons")
contact = acts("contact", Contact(), "report", "联系 / Note that the reporter was contacted")
report = acts("report", Report(), "report", "报到 / Report in on the spot")
take_up = acts("take_up", TakeUp(), "report", "处置 / Begin to handle it")
feed_back = acts("feed_back", FeedBack(), "report", "反馈 / Give the result back")
send_back = acts("send_back", SendBack(), "report", "退单 / Send one's summons back")
decide_return = acts("decide_return", DecideReturn(), "decide", "退单审核 / Decide on a return")
convene = acts("convene", Convene(), "decide", "会商 / Convene a joint meeting")
conclude = acts("conclude", Conclude(), "decide", "会商结论 / Conclude the joint meeting")
ask_extension = acts("ask_extension", AskExtension(), "report", "申请延期 / Ask for more time")
decide_extension = acts("decide_extension", DecideExtension(), "decide", "延期审批 / Decide on an extension")
put_on_account = acts("put_on_account", PutOnAccount(), "decide", "挂账 / Put it on account until a day of review")
take_off_account = acts("take_off_account", TakeOffAccount(), "decide", "销账 / Go on with it")
supervise = acts("supervise", Supervise(), "decide", "督办 / Press for it")
escalate = acts("escalate", Escalate(), "escalate", "提级 / Pass it to the echelon above")
withdraw = acts("withdraw", Withdraw(), "withdraw", "撤回 / Withdraw one's whistle before anybody has come")
reassign = acts("reassign", Reassign(), "decide", "改派 / Call another department in a department's place")
hand_over = acts("hand_over", HandSummonsOver(), "hand_over", "交接 / Hand a summons to another person")
join = acts("join", Join(), "join", "共同反映 / Join as a further reporter")
merge = acts("merge", MergeWhistle(), "merge", "并案 / Merge it into another")
part = acts("part", Part(), "merge", "拆案 / Take it out again")
confirm = acts("confirm", Confirm(), "confirm", "现场确认 / Confirm on the spot")
settle = acts("settle", Settle(), "settle", "销哨 / Settle it")
reopen = acts("reopen", Reopen(), "reopen", "重新办理 / Reopen what was settled")
move_dues = acts("move_dues", MoveDues(), "decide", "重算时限 / Recompute what was promised")
erase = acts("erase", Erase(), "erase", "删除文字 / Erase what people wrote, by right")

get = acts("get", Get(), "read", "一件哨 / One whistle")
listing = Call(SERVICE, "listing", ListWhistles(), Whistle(), "whistle.read", True, "哨单 / Newest first")
own_one = acts("own_one", Get(), "own", "我的一件 / One of my own")
own_listing = Call(SERVICE, "own_listing", ListOwn(), Whistle(), "whistle.own", True, "我的哨 / What I reported")
inbox = Call(SERVICE, "inbox", Inbox(), Item(), "whistle.read", True, "待办 / Open work, what is due first")
counts = Call(SERVICE, "counts", Count(), Counts(), "whistle.read", doc="各阶段件数 / How many are at which stage")
near = Call(SERVICE, "near", FindNear(), Near(), "catalogue.read", True, "附近同类 / Open ones of the same nearby")
preview = Call(SERVICE, "preview", Get(), Preview(), "whistle.decide", doc="重算预览 / What recomputing would change")
open_work = Call(
    SERVICE, "open_work", OpenWork(), Whistle(), "whistle.read", True, "未办结 / What a department has open somewhere"
)
responsible = Call(
    SERVICE, "responsible", AskResponsible(), Responsible(), "catalogue.read", doc="谁负责 / Who answers for it there"
)
trace = Call(SERVICE, "trace", Get(), roster.Trace(), "whistle.read", doc="全程留痕 / Each step, and whether it holds")
keep_photo = Call(SERVICE, "keep_photo", KeepPhoto(), Photo(), "photo.add", doc="存照片 / Keep a photo")
photo = Call(SERVICE, "photo", GetPhoto(), Photo(), "photo.read", doc="照片 / Where a photo may be read")

blown = Fact(SERVICE, "blown", Blown(), "已发哨 / A whistle was blown")
approved = Fact(SERVICE, "approved", Approved(), "审核通过 / It was approved")
rejected = Fact(SERVICE, "rejected", Rejected(), "审核不通过 / It was rejected")
called = Fact(SERVICE, "called", Called(), "已派单 / One department was called; told to it alone", True)
called_off = Fact(SERVICE, "called_off", CalledOff(), "已撤单 / A department is not called any more", True)
signed = Fact(SERVICE, "signed", Signed(), "已签收 / A department signed", True)
contacted = Fact(SERVICE, "contacted", Contacted(), "已联系 / A department contacted the reporter", True)
reported = Fact(SERVICE, "reported", Reported(), "已报到 / Somebody reported in")
taken_up = Fact(SERVICE, "taken_up", TakenUp(), "处置中 / It is being handled", True)
fed_back = Fact(SERVICE, "fed_back", FedBack(), "已反馈 / A department gave its result back")
sent_back = Fact(SERVICE, "sent_back", SentBack(), "已退单 / A department sent its summons back", True)
return_decided = Fact(SERVICE, "return_decided", ReturnDecided(), "退单已审 / A return was decided", True)
reassigned = Fact(SERVICE, "reassigned", Reassigned(), "已改派 / Another department is called in its place", True)
convened = Fact(SERVICE, "convened", Convened(), "会商已召集 / A joint meeting was convened")
concluded = Fact(SERVICE, "concluded", Concluded(), "会商已决定 / A joint meeting decided")
extension_asked = Fact(SERVICE, "extension_asked", ExtensionAsked(), "申请延期 / More time was asked for")
extension_decided = Fact(SERVICE, "extension_decided", ExtensionDecided(), "延期已审 / More time was granted or not")
put_on = Fact(SERVICE, "put_on", OnAccount(), "已挂账 / It was put on account; its limits rest")
taken_off = Fact(SERVICE, "taken_off", OffAccount(), "已销账 / It goes on; its limits run again")
supervised = Fact(SERVICE, "supervised", Supervised(), "督办中 / It is pressed for", True)
escalated = Fact(SERVICE, "escalated", Escalated(), "已提级 / It was passed to the echelon above")
withdrawn = Fact(SERVICE, "withdrawn", Withdrawn(), "已撤回 / It was withdrawn")
handed_over = Fact(SERVICE, "handed_over", HandedOver(), "已交接 / A summons went to another person", True)
joined = Fact(SERVICE, "joined", Joined(), "共同反映 / A further reporter joined")
merged = Fact(SERVICE, "merged", Merged(), "已并案 / It was merged into another")
parted = Fact(SERVICE, "parted", Parted(), "已拆案 / It was taken out again")
confirmed = Fact(SERVICE, "confirmed", Confirmed(), "已确认 / It was looked at on the spot")
settled = Fact(SERVICE, "settled", Settled(), "已销哨 / The whistle was settled")
reopened = Fact(SERVICE, "reopened", Reopened(), "已重办 / It was reopened")
dues_moved = Fact(SERVICE, "dues_moved", DuesMoved(), "时限已重算 / What was promised was recomputed")
reminded = Fact(SERVICE, "reminded", Reminded(), "临期提醒 / A limit is about to run out", True)
overdue = Fact(SERVICE, "overdue", Overdue(), "已超时 / A limit ran out, and this is whom it is told", True)
numbered = Fact(SERVICE, "numbered", Numbered(), "已编号 / It has its number")
recurred = Fact(SERVICE, "recurred", Recurred(), "重复发生 / The same was settled here not long ago")
scored = Fact(SERVICE, "scored", Scored(), "已评价 / A summons was rated", True)
words_erased = Fact(SERVICE, "words_erased", WordsErased(), "已删除 / Words were erased; the chain still holds")

CONTRACT = Contract(
    SERVICE,
    "吹哨报到: from the call to the proof that it is solved",
    (
        *(blow, approve, summon, sign, contact, report, take_up, feed_back, send_back, decide_return, convene),
        *(conclude, ask_extension, decide_extension, put_on_account, take_off_account, supervise, escalate),
        *(withdraw, reassign, hand_over, join, merge, part, confirm, settle, reopen, move_dues, erase),
        *(get, listing, own_one, own_listing, inbox, counts, near, preview, open_work, responsible, trace),
        *(keep_photo, photo, proofs.prove, proofs.verify, suggestions.suggest),
    ),
    (
        *(blown, approved, rejected, called, called_off, signed, contacted, reported, taken_up, fed_back, sent_back),
        *(
            return_decided,
            reassigned,
            convened,
            concluded,
            extension_asked,
            extension_decided,
            put_on,
            taken_off,
            supervised,
        ),
        *(escalated, withdrawn, handed_over, joined, merged, parted, confirmed, settled, reopened, dues_moved),
        *(reminded, overdue, numbered, recurred, scored, words_erased),
    ),
)
