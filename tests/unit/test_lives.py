"""Whoever orders whatever in whatever order: a whistle stays legal, its history proves itself, its clocks are plain."""

import random
import uuid
from datetime import UTC, timedelta

from bson import CodecOptions, decode, encode
from hypothesis import given as whatever
from hypothesis import settings
from hypothesis import strategies as some

from services import proof
from services.ledger import Record
from services.whistle.domain import whistles
from services.whistle.domain.clocks import ENDED, MEETS, OPEN_SUMMONS, alarms, moment
from services.whistle.showing import shown
from services.whistle.store import Whistles
from shared.caller import Caller
from shared.contracts import whistle as contract
from shared.errors import Conflict, Refusal
from tests.make_whistle import (
    COMMUNITY,
    DEPARTMENTS,
    DISTRICT,
    ID,
    NEXT_DOOR,
    NOW,
    ORDERS,
    PLACE,
    RULE_OF,
    STREET,
    Life,
    a_life,
    of,
)  # fmt: skip

ANYBODY = (*DEPARTMENTS, "community")
ACTS = [f"00000000-0000-4000-8000-0000000000{n:02}" for n in range(40)]
OTHER = a_life(departments=["chengguan"]).state

callers = some.builds(
    lambda role, actor, unit, department: Caller(DISTRICT, actor, (role,), unit, department if "s" in role else ""),
    some.sampled_from(["resident", "steward", "worker", "secretary", "street", "district", "specialist", "lead"]),
    some.sampled_from(["zheng", "ma", "lin", "han"]),
    some.sampled_from([COMMUNITY, NEXT_DOOR, STREET, DISTRICT]),
    some.sampled_from(["", *DEPARTMENTS]),
)
departments = some.sampled_from(ANYBODY)
lists = some.lists(departments, max_size=3, unique=True)
places = some.sampled_from([None, PLACE, {"lon": 116.4, "lat": 40.0}])
photos = some.lists(some.sampled_from(["a" * 64, "b" * 64]), max_size=2)
moments = some.integers(-5, 100).map(lambda days: NOW + timedelta(days=days))
FIELDS = {
    "approved": some.booleans(), "upheld": some.booleans(), "granted": some.booleans(), "solved": some.booleans(),
    "departments": lists.filter(bool), "release": lists, "summon": lists, "department": departments,
    "instead": some.none() | some.sampled_from(DEPARTMENTS), "lead": some.none() | departments,
    "proposes": some.none() | some.sampled_from(DEPARTMENTS), "place": places, "photos": photos,
    "until": moments, "at": moments, "review": moments.map(lambda at: at.date()),
    "result": some.sampled_from(["solved", "unsolved"]), "reason": some.none() | some.sampled_from(contract.UNSOLVED),
    "person": some.none() | some.just("someone-else"),
    "outcomes": some.lists(
        some.sampled_from([("problem", None), ("illegal_structure", 12.5), ("problem", 3.0), ("unheard_of", None)]).map(
            lambda made: {"measure": made[0], "count": 1, "amount": made[1]}
        ),
        max_size=2,
    ),
}  # fmt: skip


def an_order(name: str):
    fields = {field: FIELDS.get(field, some.just(value)) for field, value in ORDERS[name].items()}
    if name in ("send_back", "erase"):
        fields["reason"] = some.just(ORDERS[name]["reason"])
    if name == "reassign":
        fields["instead"] = some.sampled_from(DEPARTMENTS)
    return some.fixed_dictionaries(fields)


wild = some.one_of(
    *(some.tuples(some.just(name), callers, some.sampled_from(ACTS), an_order(name)) for name in ORDERS),
)
blows = some.fixed_dictionaries(
    {
        "kind": some.sampled_from(contract.KINDS), "departments": lists.filter(bool), "place": places,
        "confidential": some.booleans(), "title": some.just("题"), "text": some.text(max_size=3), "photos": photos,
    }
)  # fmt: skip
# Mostly somebody does what may be done now, by whom it may be done; now and then anybody orders anything.
lives = some.tuples(blows, some.integers(0, 2**32), some.lists(wild, max_size=8))


def legal(before: whistles.Whistle, after: whistles.Whistle) -> None:
    """A fact leads only where the two tables of life cycles lead."""
    assert before.stage == after.stage or after.stage in whistles.NEXT[before.stage], (before.stage, after.stage)
    for department, summons in after.summonses.items():
        was = before.summonses.get(department)
        if was and was["stage"] != summons["stage"]:
            assert summons["stage"] in whistles.NEXT_OF_SUMMONS[was["stage"]], (department, was["stage"])


# How often an act is chosen beside the others: what brings a whistle on, most.
WEIGHTS = {"sign": 3, "report": 8, "feed_back": 15, "confirm": 20, "settle": 20, "send_back": 3, "decide_return": 9}
WEIGHTS |= {"convene": 3, "conclude": 9, "take_off_account": 9, "reopen": 4, "decide_extension": 9, "part": 9}
WEIGHTS |= {"erase": 0.3, "withdraw": 0.2, "merge": 0.5}


def apt(name: str, whole: Life) -> dict:
    """Give an order of an act that suits the whistle as it is now."""
    state, order = whole.state, {}
    if "department" in ORDERS[name] and state.active:
        order = {"department": list(state.active)[-1]}
    if name == "decide_return":
        returned = [each for each, summons in state.active.items() if summons["stage"] == "returned"]
        order = {"department": returned[0] if returned else "zhujian", "upheld": True, "instead": "zongzhi"}
    if name == "decide_extension":
        asked = [each for each, summons in state.active.items() if summons["extension"]]
        order = {"department": asked[0] if asked else "zhujian"}
    order |= {"until": whole.now + timedelta(days=30)} if name == "ask_extension" else {}
    order |= {"at": whole.now} if name == "convene" else {}
    order |= {"review": (whole.now + timedelta(days=9)).date()} if name == "put_on_account" else {}
    order |= {"lead": state.lead} if name == "conclude" else {}
    return ORDERS[name] | order | ({"solved": state.reopened % 2 == 0} if name == "confirm" else {})


def fitting(whole: Life, chance: random.Random) -> tuple | None:
    """Find something that may be done now, as ``(act, caller, id, order)``."""
    home = [Caller(DISTRICT, who, (who,), COMMUNITY) for who in ("worker", "secretary")]
    above = Caller(DISTRICT, "feng", ("street",), STREET)
    names = list(ORDERS)
    for name in chance.choices(names, [WEIGHTS.get(each, 1) for each in names], k=12):
        people = [*home, above, *(of(each) for each in whole.state.active if each != "community")]
        for caller in chance.sample(people, len(people)):
            order = apt(name, whole)
            try:
                if whole.decide(name, caller, world={"target": OTHER}, **order):
                    return name, caller, str(uuid.uuid4()), order
            except Refusal:
                continue
    return None


def lived(life: tuple) -> Life:
    """Play a life, refused orders too: nothing but a refusal comes of a bad order, and it leaves all as it was."""
    first, seed, wilds = life
    whole, chance, wilds = Life(), random.Random(seed), list(wilds)
    whole.do("blow", Caller(DISTRICT, "zheng", ("street",), STREET), **first)
    for _ in range(chance.randint(3, 40)):
        whole.later(minutes=chance.choice((1, 20, 90, 1500, 6000)))
        if chance.random() < 0.1:
            whole.ring()
            continue
        chosen = wilds.pop() if wilds and chance.random() < 0.2 else fitting(whole, chance)
        if not chosen:
            continue
        name, caller, act, order = chosen
        before, entries, world = whole.state, len(whole.entries), {"target": OTHER}
        try:
            happened = whole.decide(name, caller, act, world=world, **order)
        except Refusal:
            assert (whole.state, len(whole.entries)) == (before, entries)
            continue
        assert whole.state == before, "to decide changes nothing"
        for each in happened:
            state = whole.state
            whole.add([each], caller)
            legal(state, whole.state)
        assert whole.decide(name, caller, act, world=world, **order) == [], "the same order again"
    return whole


@settings(max_examples=60, deadline=None)
@whatever(lives)
def test_whoever_orders_whatever_a_whistle_goes_only_where_its_life_cycle_leads(life):
    whistle = lived(life).state
    if whistle.stage in ("answered", "confirmed"):
        assert whistle.is_answered
    if whistle.stage == "dispatched":
        assert whistle.active and not whistle.is_answered
        assert [each["role"] for each in whistle.active.values()].count("lead") == 1, "one leads (首接负责)"
    if whistle.stage == "settled" and whistle.result == "solved":
        assert whistle.confirmations[-1]["solved"]
    assert (whistle.settled_at is not None) == (whistle.stage == "settled")
    assert all(each["stage"] == "called_off" for each in whistle.summonses.values()) or whistle.stage not in (
        "withdrawn", "rejected", "merged", "blown",
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@whatever(lives)
def test_whoever_orders_whatever_the_history_is_the_state_and_proves_itself(life):
    whole = lived(life)
    row = whole.row()
    kept = decode(encode(row), CodecOptions(tz_aware=True, tzinfo=UTC))
    store = Whistles(None, Caller(DISTRICT), lambda: NOW)
    assert proof.broken(store, kept, list(whole.words.values())) is None
    record = Record(ID, DISTRICT, row["version"], whole.state, words=whole.texts())
    for reader in (Caller(DISTRICT, "ma", ("observer",)), Caller(DISTRICT, "zheng", ("street",), STREET)):
        given = contract.get.dump(shown(record, reader))
        assert given["stage"] == whole.state.stage
        assert contract.get.gives.validate(given) == {}


def plain_clocks(entries: list[dict]) -> dict:
    """Recompute from a history alone what each clock promises and when it was met: ``{(whose, clock): [due, met]}``."""
    found: dict = {}
    for entry in entries:
        data, fact = entry["data"], entry["fact"]
        if fact == "called":
            found = {key: value for key, value in found.items() if key[0] != data["department"]}
        for clock in MEETS.get(fact, ()):
            if (key := (data["department"], clock)) in found and found[key][1] is None:
                found[key] = [found[key][0], entry["at"]]
        if fact in ("confirmed", "settled", "withdrawn", "merged"):
            for clock in ("confirm", "review"):
                if ("", clock) in found and found["", clock][1] is None:
                    found["", clock][1] = entry["at"]
        if fact == "taken_off":
            found.pop(("", "review"), None)
        for due in data.get("dues") or ():
            found[due["department"], due["clock"]] = [moment(due["due"]), None]
    return found


@settings(max_examples=60, deadline=None)
@whatever(lives)
def test_whoever_orders_whatever_the_clocks_agree_with_a_plain_recomputation(life):
    whole = lived(life)
    whistle = whole.state
    kept = {("", name): clock for name, clock in whistle.clocks.items()}
    for department, summons in whistle.summonses.items():
        kept |= {(department, name): clock for name, clock in summons["clocks"].items()}
    assert {key: [each.get("due"), each.get("met")] for key, each in kept.items()} == plain_clocks(whole.entries)
    coming = []
    for (department, name), clock in kept.items():
        rests = whistle.account or (department and whistle.summonses[department]["stage"] not in OPEN_SUMMONS)
        waits = name == "confirm" and whistle.stage != "answered"
        over = whistle.stage in (*ENDED, "awaiting") or "met" in clock or "due" not in clock
        if not over and not waits and not (department and rests):
            coming += [each[0] for each in alarms(name, clock, whistle.ladder)[clock.get("rung", 0) :]]
    assert whistle.wake == min(coming, default=None)
    rings = whole.ring()
    assert whole.ring() == [], "what has rung does not ring again"
    assert set(rings) <= {"reminded", "overdue"}
    assert whole.state.wake is None or whole.state.wake > whole.now


@settings(max_examples=25, deadline=None)
@whatever(lives, some.sampled_from(sorted(ORDERS)))
def test_an_id_that_was_used_is_no_other_orders(life, name):
    whole = lived(life)
    for act, (order, by, _) in whole.state.acts.items():
        try:
            happened = list(
                RULE_OF[name](
                    whole.state, caller=Caller(DISTRICT, "a-stranger", ("street",), STREET), now=whole.now, given=None,
                    words=whole.texts(), act=act, **ORDERS[name],
                )
            )  # fmt: skip
        except Conflict:
            continue
        raise AssertionError(f"{name} went through under {act} of {order} by {by}: {happened}")
