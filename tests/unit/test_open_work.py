"""What is open is shown and counted exactly, however facts come, whoever works beside, wherever a process dies."""

import random
import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from math import cos, radians, sin

import pytest
from greenlet import getcurrent, greenlet
from hypothesis import given
from hypothesis import strategies as st

from services.entrypoints import is_passing
from services.whistle.domain import open as domain
from services.whistle.domain import whistles
from services.whistle.following import in_turn
from services.whistle.store.open import Open, is_so
from shared.caller import Caller
from shared.errors import Conflict, Forbidden, Invalid, Unavailable
from shared.rules.days import iso
from tests.make import WANMINGYUAN
from tests.shelves import Shelf

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
DISTRICT, OTHER, STREET = "110102", "110102009038", "110102009000"
DEPARTMENTS = ("chengguan", "zhujian", "xiaofang", "community")
PEOPLE = ("ma", "li", "wang", None)
OVER = ("settled", "withdrawn", "rejected", "merged")


class Died(BaseException):
    """The process was killed between two questions."""


def an_id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128)))


def a_place(rng: random.Random) -> dict:
    return {"lon": 116.34 + rng.random() / 100, "lat": 39.93} if rng.random() < 0.8 else {}


def a_due(rng: random.Random, department: str, clock: str = "sign") -> dict:
    return {"department": department, "clock": clock, "due": iso(NOW + timedelta(minutes=rng.randrange(9999)))}


def a_summons(rng: random.Random, department: str, role: str) -> tuple[str, dict]:
    dues = [a_due(rng, department), a_due(rng, department, "feed_back")]
    return "called", {"department": department, "role": role, "person": rng.choice(PEOPLE), "dues": dues}


def next_act(rng: random.Random, whistle: whistles.Whistle) -> list[tuple[str, dict]]:
    """Give the facts of some act that may happen to a whistle now."""
    active, acts = whistle.active, []
    if whistle.stage is None:
        called = rng.sample(DEPARTMENTS, rng.randrange(1, 4))
        awaiting = rng.random() < 0.2
        what = {"kind": "综合执法", "category": "0101", "community": rng.choice([WANMINGYUAN, OTHER])}
        blown = ("blown", what | {"called": called, "awaiting": awaiting, "unit": None} | a_place(rng))
        first = [a_summons(rng, each, "assist" if n else "lead") for n, each in enumerate(called)]
        return [blown] if awaiting else [blown, *first]
    if whistle.number is None:
        acts.append([("numbered", {"number": f"展览路街道〔2026〕{rng.randrange(9999):04}号"})])
    acts.append([("joined", {"person": an_id(rng)})])
    off = [("called_off", {"department": each}) for each in active]
    if whistle.stage == "awaiting":
        calls = [a_summons(rng, each, "assist" if n else "lead") for n, each in enumerate(whistle.asked)]
        acts += [[("approved", {}), *calls], [("rejected", {})], [("withdrawn", {})]]
    if whistle.stage in ("blown", "dispatched", "answered"):
        acts += [[("merged", {"into": an_id(rng)}), *off]]
        acts += [[a_summons(rng, each, "assist")] for each in DEPARTMENTS if each not in active]
    if whistle.stage in ("blown", "dispatched"):
        acts += [[("withdrawn", {}), *off], [("supervised", {"echelon": "street"})]]
    if whistle.stage == "dispatched":
        for department, summons in active.items():
            named = {"department": department}
            person = rng.choice(PEOPLE)
            steps = {
                "signed": {"person": person}, "contacted": {},
                "sent_back": {"reason": "needs_others", "meeting": False},
                "reported": {"person": person, "act": an_id(rng)}, "taken_up": {}, "called_off": {},
                "fed_back": {"result": "solved", "outcomes": []},
                "extension_asked": {"until": iso(NOW)}, "handed_over": {"person": person, "seat": f"{department}@1"},
            }  # fmt: skip
            if summons["stage"] == "returned":
                steps = {"return_decided": {"upheld": False}, "called_off": {}, "handed_over": steps["handed_over"]}
            elif summons["stage"] in ("fed_back", "rated"):
                steps = {"scored": {"score": rng.random(), "rating": an_id(rng), "revision": 1}}
            acts += [[(fact, named | data)] for fact, data in steps.items()]
        rest = {"obstacle": "season", "review": "2027-03-15", "dues": [a_due(rng, "", "review")]}
        acts += [[("taken_off", {})] if whistle.account else [("put_on", rest)]]
    if whistle.stage == "answered":
        acts += [[("confirmed", {"solved": solved, "act": an_id(rng)})] for solved in (True, True, not whistle.lead)]
    if whistle.stage == "confirmed":
        acts += [[("settled", {"result": "solved"})]] * 5
    if whistle.stage == "settled" and whistle.lead:
        acts += [[("reopened", {})]] * 3
    if whistle.stage == "merged":
        acts += [[("parted", {}), *(a_summons(rng, each, "lead") for each in whistle.asked[:1])]]
    return rng.choice(acts)


class World:
    """Whistles that live on while their facts are heard by several at once, some of whom die in the middle."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.deaths, self.twice = self.rng.choice([(0, 0), (0, 0.2), (0.15, 0)])
        self.shelves: dict[str, dict] = defaultdict(dict)
        self.states = {an_id(self.rng): whistles.Whistle() for _ in range(self.rng.choice([1, 2]))}
        self.pending: list[tuple[str, int]] = []
        self.working: dict[greenlet, tuple[str, int]] = {}
        self.open = Open(None, Caller(DISTRICT), lambda: NOW)
        self.open.rows = lambda collection: Shelf(self.shelves[collection], DISTRICT, self.meanwhile)

    def meanwhile(self) -> None:
        """Before each question and each write, somebody else may be next."""
        if getcurrent() in self.working:
            getcurrent().parent.switch()

    def live(self) -> None:
        """Let something happen to some whistle: one act, each of its facts told to be heard, some of them twice."""
        id = self.rng.choice(list(self.states))
        state, key = self.states[id], f"{DISTRICT}/{id}"
        version = self.shelves["whistles"].get(key, {"version": 0})["version"]
        for fact, data in next_act(self.rng, state):
            version += 1
            at = NOW + timedelta(minutes=version)
            state = whistles.evolve(state, fact, {"act": an_id(self.rng), "order": "x"} | data, at, "zheng")
            self.pending += [(id, version)] * (1 + (self.rng.random() < self.twice))
        self.states[id] = state
        row = {"_id": key, "id": id, "district": DISTRICT, "version": version, "state": vars(state)}
        self.shelves["whistles"][key] = row

    def run(self, acts: int) -> None:
        """Let so many acts happen, and go on until all that was told is heard."""
        while acts or self.pending or self.working:
            may = ["act"] * bool(acts) + ["begin"] * bool(self.pending) + ["go on"] * len(self.working)
            what = self.rng.choice(may)
            if what == "act":
                acts -= 1
                self.live()
            elif what == "begin":
                fact = self.pending.pop(self.rng.randrange(len(self.pending)))
                worker = greenlet(self.open.refresh)
                self.working[worker] = fact
                self.go_on(worker, fact)
            else:
                self.go_on(self.rng.choice(list(self.working)))
            for row in self.shelves["tallies"].values():
                assert domain.sums_in(row) == domain.recounted(row["rows"].values())

    def go_on(self, worker: greenlet, fact: tuple = ()) -> None:
        """Have a worker ask or write once more; one who dies had not acknowledged its fact, which comes again."""
        try:
            if not fact and self.rng.random() < self.deaths:
                worker.throw(Died)
            worker.switch(*fact)
        except Died:
            self.pending.append(self.working[worker])
        if worker.dead:
            del self.working[worker]

    # -- a plain recount, of the records alone --------------------------------------------------------------------

    def counted(self) -> Counter:
        found: Counter = Counter()
        for state in self.states.values():
            if state.stage and state.stage not in OVER:
                found[f"whistles.{state.community}.{state.stage}"] += 1
                for department, summons in state.summonses.items():
                    if summons["stage"] != "called_off":
                        found[f"summonses.{department}.{summons['person'] or '-'}.{summons['stage']}"] += 1
        return found

    def expected(self) -> dict[str, set[str]]:
        still = {id: state for id, state in self.states.items() if state.stage and state.stage not in OVER}
        settled = {id for id, state in self.states.items() if state.stage == "settled"}
        return {
            "open_whistles": {f"{DISTRICT}/{id}" for id in still},
            "open_summonses": {
                f"{DISTRICT}/{id}/{department}"
                for id, state in still.items()
                for department, summons in state.summonses.items()
                if summons["stage"] != "called_off"
            },
            "settled_whistles": {f"{DISTRICT}/{id}" for id in settled},
        }


def check(world: World) -> None:
    assert {name: set(world.shelves[name]) for name in world.expected()} == world.expected()
    tallies = world.shelves["tallies"].values()
    assert sum((domain.sums_in(row) for row in tallies), Counter()) == world.counted()
    for id, state in world.states.items():
        key = f"{DISTRICT}/{id}"
        version = world.shelves["whistles"].get(key, {"version": 0})["version"]
        for name, wanted in domain.flat(key, domain.rows_of(id, version, state)).items():
            collection, _, own = name.partition("/")
            if collection != "tallies":
                assert is_so(world.shelves[collection][own], wanted), name
    assert [fault for id in world.states if world.states[id].stage for fault in world.open.wrong(id)] == []


@pytest.mark.parametrize("seed", range(40))
def test_rows_and_counts_are_those_of_the_records_however_facts_come_and_whoever_dies(seed):
    world = World(seed)
    for _ in range(25):
        world.run(acts=5)
        check(world)


def test_facts_heard_in_their_order_need_five_round_trips_for_an_act():
    world = World(7)
    id = next(iter(world.states))
    state = whistles.Whistle()
    asked: list[int] = []
    what = {"kind": "综合执法", "category": "0101", "community": WANMINGYUAN, "called": ["chengguan"], "unit": None}
    facts = [("blown", what), ("called", {"department": "chengguan", "role": "lead", "person": "ma"})]
    facts += [("signed", {"department": "chengguan", "person": "ma"}), ("contacted", {"department": "chengguan"})]
    for version, (fact, data) in enumerate(facts, 1):
        state = whistles.evolve(state, fact, data, NOW, "zheng")
        row = {"_id": f"{DISTRICT}/{id}", "id": id, "district": DISTRICT, "version": version, "state": vars(state)}
        world.shelves["whistles"][row["_id"]] = row
        questions = []
        world.meanwhile = lambda questions=questions: questions.append(1)
        world.open.refresh(id, version)
        asked.append(len(questions))
    assert asked[2:] == [5, 5]


# -- where, again, and who may look -----------------------------------------------------------------------------------


def a_settled(**changes) -> dict:
    return {
        "whistle": "one",
        "settled_at": NOW - timedelta(days=3),
        "lon": 116.34,
        "lat": 39.93,
        "unit": None,
    } | changes


def a_place_of(**changes) -> whistles.Whistle:
    return whistles.Whistle(**{"lon": 116.34, "lat": 39.93, "blown_at": NOW, "community": WANMINGYUAN} | changes)


@pytest.mark.parametrize(
    ("settled", "whistle", "again"),
    [
        ({}, {}, True),
        ({"lon": 116.3405}, {}, True),  # 43 m
        ({"lon": 116.3407}, {}, False),  # 60 m
        ({"settled_at": NOW - timedelta(days=90)}, {}, True),
        ({"settled_at": NOW - timedelta(days=90, seconds=1)}, {}, False),
        ({"settled_at": NOW + timedelta(seconds=1)}, {}, False),  # it was not over when this one was blown
        ({"lon": None, "lat": None}, {}, False),
        ({"lon": None, "lat": None, "unit": f"{WANMINGYUAN}.03"}, {"unit": f"{WANMINGYUAN}.03"}, True),
        ({"lon": 116.4, "unit": f"{WANMINGYUAN}.03"}, {"unit": f"{WANMINGYUAN}.03"}, True),
        ({"lon": 116.4, "unit": f"{WANMINGYUAN}.03"}, {"unit": f"{WANMINGYUAN}.04"}, False),
        ({"lon": 116.4}, {}, False),  # the same community alone is not the same place
    ],
)
def test_the_same_place_in_the_districts_days_and_metres_is_a_recurrence(settled, whistle, again):
    rules = {"recurs_days": 90, "recurs_metres": 50}
    found = domain.recurrence_of(a_place_of(**whistle), [a_settled(**settled)], rules)
    assert found == ("one" if again else None)


def test_of_several_the_one_that_was_settled_last_is_named():
    rows = [a_settled(whistle=str(n), settled_at=NOW - timedelta(days=n)) for n in (5, 2, 9)]
    assert domain.recurrence_of(a_place_of(), rows, {"recurs_days": 90, "recurs_metres": 50}) == "2"


@given(
    st.floats(115.4, 117.6), st.floats(39.4, 41.1), st.floats(0, 360), st.floats(0, 1), st.sampled_from([10, 50, 2000])
)
def test_whatever_is_that_near_lies_in_a_cell_that_is_asked_for(lon, lat, direction, share, metres):
    away = share * metres * 0.995  # the sphere of the distance, and a plane here
    other = {
        "lon": lon + away * sin(radians(direction)) / (111_195 * cos(radians(lat))),
        "lat": lat + away * cos(radians(direction)) / 111_195,
    }
    if domain.metres_between({"lon": lon, "lat": lat}, other) <= metres:
        assert domain.cell_of(**other) in domain.cells_around(lon, lat, metres)


def test_few_cells_are_asked_for():
    assert len(domain.cells_around(116.34, 39.93, 50)) <= 4
    assert len(domain.cells_around(116.34, 39.93, domain.FURTHEST)) <= 100


def test_what_is_due_first_comes_first_and_what_is_never_due_comes_last():
    dues = [NOW + timedelta(milliseconds=n) for n in (0, 1, 999, 60_000)]
    turns = [*(domain.turn(due, "b") for due in dues), domain.turn(None, "a")]
    assert turns == sorted(turns)


def test_a_number_is_written_as_an_office_writes_it():
    assert domain.number_of("展览路街道", 2026, 1) == "展览路街道〔2026〕0001号"
    assert domain.number_of("展览路街道", 2026, 12345) == "展览路街道〔2026〕12345号"


SPECIALIST = Caller(DISTRICT, "ma", ("specialist",), DISTRICT, "chengguan")
HEAD, STREET_LEAD = Caller(DISTRICT, "z", ("secretary",), WANMINGYUAN), Caller(DISTRICT, "f", ("street",), STREET)
STEWARD = Caller(DISTRICT, "g", ("steward",), f"{WANMINGYUAN}.03")
OBSERVER, NEXT_DOOR = Caller(DISTRICT, "y", ("observer",), DISTRICT), Caller(DISTRICT, "q", ("secretary",), OTHER)
PLUGIN = Caller(DISTRICT, "plugin-110102-chengguan", ("plugin",), DISTRICT, "chengguan")


@pytest.mark.parametrize(
    ("who", "scope", "unit", "department", "look"),
    [
        (SPECIALIST, "mine", None, None, domain.Look(person="ma", department="chengguan")),
        (HEAD, "mine", None, None, domain.Look(person="z", department="community")),
        (SPECIALIST, "department", None, "chengguan", domain.Look(department="chengguan")),
        (PLUGIN, "department", None, None, domain.Look(department="chengguan")),
        (OBSERVER, "department", None, "zhujian", domain.Look(department="zhujian")),
        (HEAD, "community", None, None, domain.Look(community=WANMINGYUAN)),
        (STEWARD, "community", None, None, domain.Look(community=WANMINGYUAN)),
        (STREET_LEAD, "community", OTHER, None, domain.Look(community=OTHER)),
        (STREET_LEAD, "street", None, None, domain.Look(street=STREET)),
        (OBSERVER, "street", STREET, None, domain.Look(street=STREET)),
        (OBSERVER, "district", None, None, domain.Look(district=DISTRICT)),
        (OBSERVER, "district", DISTRICT, None, domain.Look(district=DISTRICT)),
    ],
)
def test_each_looks_at_what_they_act_for(who, scope, unit, department, look):
    assert domain.look_at(who, scope, unit, department, ()) == look


def test_who_acts_for_a_community_sees_what_was_merged_into_it():
    assert domain.look_at(HEAD, "community", OTHER, None, (OTHER, WANMINGYUAN)) == domain.Look(community=OTHER)
    with pytest.raises(Forbidden):
        domain.look_at(HEAD, "community", OTHER, None, (OTHER,))


@pytest.mark.parametrize(
    ("who", "scope", "unit", "department", "refusal"),
    [
        (SPECIALIST, "department", None, "zhujian", Forbidden),
        (PLUGIN, "department", None, "zhujian", Forbidden),
        (HEAD, "department", None, "chengguan", Forbidden),
        (SPECIALIST, "community", WANMINGYUAN, None, Forbidden),
        (SPECIALIST, "district", None, None, Forbidden),
        (HEAD, "community", OTHER, None, Forbidden),
        (HEAD, "street", STREET, None, Forbidden),
        (HEAD, "district", None, None, Forbidden),
        (STREET_LEAD, "street", "110102010000", None, Forbidden),
        (OBSERVER, "street", "110107001000", None, Forbidden),
        (HEAD, "street", None, None, Invalid),
        (STREET_LEAD, "community", None, None, Invalid),
        (HEAD, "department", None, None, Invalid),
        (HEAD, "mine", WANMINGYUAN, None, Invalid),
        (OBSERVER, "community", WANMINGYUAN, "chengguan", Invalid),
        (OBSERVER, "district", "110107", None, Invalid),
    ],
)
def test_nobody_looks_further(who, scope, unit, department, refusal):
    with pytest.raises(refusal):
        domain.look_at(who, scope, unit, department, ())


def test_a_fact_whose_whistle_others_are_at_comes_again_and_is_not_parked():
    with pytest.raises(Unavailable) as raised, in_turn():
        raise Conflict("多人同时办理 / Several people were at it at once")
    assert is_passing(raised.value)
