"""Whoever does whatever in whatever order: a whistle stays legal, its history is its state, a changed past shows."""

import copy
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as some

from services import proof
from services.whistle.domain import whistles as domain
from services.whistle.store import Whistles
from shared.caller import Caller
from shared.contracts.whistle import ERASURES, KINDS
from shared.errors import Refusal
from shared.ledger import GENESIS, digest, link

ROLES = ("secretary", "street", "specialist", "district", "observer", "resident")
COMMUNITY, NEXT_DOOR, STREET = "110102009041", "110102009038", "110102009000"
DEPARTMENTS = ["chengguan", "zhujian", "shichang"]
IDS = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(4)]
ID = "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091"
KEY = f"110102/{ID}"
NOW = datetime(2026, 11, 24, 2, 20, 13, 456_000, tzinfo=UTC)

places = some.none() | some.fixed_dictionaries({"lon": some.floats(115.4, 117.6), "lat": some.floats(39.4, 41.1)})
photos = some.lists(some.sampled_from(["a" * 64, "b" * 64]), max_size=2)
callers = some.builds(
    lambda role, actor, unit, department: Caller("110102", actor, (role,), unit, department),
    some.sampled_from(ROLES),
    some.sampled_from(["zheng", "ma", "lin", "han"]),
    some.sampled_from([COMMUNITY, NEXT_DOOR, STREET, "110102", ""]),
    some.sampled_from(["", *DEPARTMENTS, "moon"]),
)
blows = some.fixed_dictionaries(
    {
        "rules": some.just({"departments": DEPARTMENTS}),
        "kind": some.sampled_from(KINDS),
        "category": some.just("0101"),
        "community": some.sampled_from([COMMUNITY, NEXT_DOOR]),
        "departments": some.lists(some.sampled_from([*DEPARTMENTS, "moon"]), min_size=1, max_size=3),
        "title": some.text(min_size=1, max_size=5),
        "text": some.text(max_size=5),
        "place": places,
        "photos": photos,
    }
)
reports = some.fixed_dictionaries(
    {"report": some.sampled_from(IDS), "place": places, "photos": photos, "words": some.just({})}
)
settlements = some.fixed_dictionaries(
    {"settlement": some.sampled_from(IDS), "note": some.text(max_size=5), "photos": photos, "words": some.just({})}
)
erasures = some.fixed_dictionaries({"erasure": some.sampled_from(IDS), "reason": some.sampled_from(ERASURES)})
orders = some.one_of(
    *(
        some.tuples(some.just(decide), asked, callers)
        for decide, asked in (
            (domain.blow, blows),
            (domain.report, reports),
            (domain.report, reports),
            (domain.settle, settlements),
            (domain.erase, erasures),
        )
    )
)
# One that goes through, so that the others have something to meet.
first_blow = some.builds(
    lambda order, community, called: (
        domain.blow,
        order | {"community": community, "departments": called},
        Caller("110102", "zheng", ("street",), STREET),
    ),
    blows,
    some.sampled_from([COMMUNITY, NEXT_DOOR]),
    some.lists(some.sampled_from(DEPARTMENTS), min_size=1, max_size=2, unique=True),
)
lives = some.builds(lambda first, more: [first, *more], first_blow, some.lists(orders, max_size=12))


class Chain:
    """A record as the ledger would write it, in memory: its state, its history and the words beside it."""

    def __init__(self):
        self.state, self.head, self.entries, self.words = domain.Whistle(), GENESIS, [], []

    def add(self, happened, caller: Caller) -> None:
        at = NOW + timedelta(seconds=len(self.entries))
        for each in happened:
            n = len(self.entries) + 1
            entry = {
                "n": n, "fact": each.fact.name, "at": at, "actor": caller.actor, "to": each.to, "role": caller.roles[0],
                "trace": "", "data": each.data, "prev": self.head,
            }  # fmt: skip
            data = dict(each.data)
            if each.words:
                said = {name: {"text": text, "salt": f"salt {n} {name}"} for name, text in each.words.items()}
                self.words.append({"_id": f"ref{n}", "record": KEY, "district": "110102", "said": said})
                digests = {name: digest(word["salt"], word["text"]) for name, word in said.items()}
                entry["words"] = {"ref": f"ref{n}", "digests": digests}
                data["words"] = f"ref{n}"
            entry["hash"] = self.head = link(KEY, entry)
            self.entries.append(entry)
            self.state = domain.evolve(self.state, each.fact.name, data, at, caller.actor)

    def row(self) -> dict:
        row = {"_id": KEY, "id": ID, "district": "110102", "version": len(self.entries), "head": self.head}
        return copy.deepcopy(row | {"state": vars(self.state), "history": self.entries})


def lived(life) -> tuple[Chain, list[str | None]]:
    """Play orders one after another, refused ones too; gives the chain and each stage that it came to."""
    chain, stages = Chain(), [None]
    for decide, order, caller in life:
        before = chain.state
        try:
            happened = list(decide(chain.state, caller=caller, now=NOW, **order))
        except Refusal:
            assert chain.state == before
            continue
        chain.add(happened, caller)
        stages.append(chain.state.stage)
    return chain, stages


def broken(row: dict, words: list[dict]) -> str | None:
    return proof.broken(Whistles(None, Caller("110102"), lambda: NOW), row, words)


@settings(max_examples=100, deadline=None)
@given(lives)
def test_whoever_does_whatever_a_whistle_goes_only_where_its_life_cycle_leads(life):
    chain, stages = lived(life)
    for before, after in zip(stages, stages[1:], strict=False):
        assert before == after or after in domain.NEXT[before]
    whistle = chain.state
    if whistle.stage in ("attended", "settled"):
        assert {each["department"] for each in whistle.reports.values()} == set(whistle.called)
    assert (whistle.settlement is not None) == (whistle.stage == "settled")
    people = [each["person"] for each in whistle.reports.values()]
    assert len(people) == len(set(people)), "nobody reports in twice"


@settings(max_examples=50, deadline=None)
@given(lives)
def test_the_history_played_again_gives_the_state(life):
    chain, _ = lived(life)
    state = domain.Whistle()
    for entry in chain.entries:
        ref = {"words": entry["words"]["ref"]} if "words" in entry else {}
        state = domain.evolve(state, entry["fact"], entry["data"] | ref, entry["at"], entry["actor"])
    assert state == chain.state
    assert broken(chain.row(), chain.words) is None


@settings(max_examples=50, deadline=None)
@given(lives)
def test_an_order_sent_again_decides_nothing_new(life):
    chain = Chain()
    for decide, order, caller in life:
        try:
            chain.add(list(decide(chain.state, caller=caller, now=NOW, **order)), caller)
        except Refusal:
            continue
        if decide is not domain.blow:
            assert list(decide(chain.state, caller=caller, now=NOW, **order)) == []


@settings(max_examples=50, deadline=None)
@given(lives)
def test_what_people_wrote_is_in_no_fact(life):
    chain = Chain()
    for decide, order, caller in life:
        marked = {**order, **{field: f"暗号{field}" for field in ("title", "text", "note") if field in order}}
        try:
            chain.add(list(decide(chain.state, caller=caller, now=NOW, **marked)), caller)
        except Refusal:
            continue
        assert "暗号" not in str(chain.entries) + str(chain.state)


def leaves(thing, path=()):
    """Give the path of each value in an entry, however deep."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield from leaves(value, (*path, key))
    elif isinstance(thing, list) and thing:
        for n, value in enumerate(thing):
            yield from leaves(value, (*path, n))
    else:
        yield path


def changed(value):
    """Give something else of the same kind."""
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, datetime):
        return value + timedelta(milliseconds=1)
    if isinstance(value, bool) or value is None:
        return "x"
    return [*value, "x"] if isinstance(value, list) else value + 1


def put(thing, path, value) -> None:
    for step in path[:-1]:
        thing = thing[step]
    thing[path[-1]] = value


def value_at(thing, path):
    for step in path:
        thing = thing[step]
    return thing


@settings(max_examples=100, deadline=None)
@given(lives, some.data())
def test_any_single_change_of_the_past_shows_and_names_its_step(life, data):
    chain, _ = lived(life)
    assume(chain.entries)
    row = chain.row()
    n = data.draw(some.integers(0, len(row["history"]) - 1), "step")
    path = data.draw(some.sampled_from(list(leaves(row["history"][n]))), "what")
    put(row["history"][n], path, changed(value_at(row["history"][n], path)))
    found = broken(row, chain.words)
    assert found and found.startswith(f"whistle/{KEY}/{n + 1} "), (path, found)


@settings(max_examples=50, deadline=None)
@given(lives, some.data())
def test_any_single_change_of_the_present_shows(life, data):
    chain, _ = lived(life)
    row = chain.row()
    path = data.draw(some.sampled_from(list(leaves(row["state"]))), "what")
    put(row["state"], path, changed(value_at(row["state"], path)))
    assert broken(row, chain.words)


@settings(max_examples=50, deadline=None)
@given(lives, some.data())
def test_a_step_that_is_missing_doubled_or_out_of_order_shows(life, data):
    chain, _ = lived(life)
    row, steps = chain.row(), chain.row()["history"]
    assume(len(steps) > 1)
    n = data.draw(some.integers(0, len(steps) - 2), "step")
    row["history"] = data.draw(
        some.sampled_from(
            [
                steps[:n] + steps[n + 1 :],
                steps[: n + 1] + steps[n:],
                steps[:n] + [steps[n + 1], steps[n]] + steps[n + 2 :],
                steps[:-1],
            ]
        )
    )
    assert broken(row, chain.words)


@settings(max_examples=50, deadline=None)
@given(lives, some.data())
def test_any_change_of_the_words_shows(life, data):
    chain, _ = lived(life)
    words = copy.deepcopy(chain.words)
    n = data.draw(some.integers(0, len(words) - 1), "words")
    field = data.draw(some.sampled_from(sorted(words[n]["said"])), "field")
    word = words[n]["said"][field]
    match data.draw(some.sampled_from(["text", "salt", "field", "row"]), "what"):
        case "text":
            word["text"] = changed(word["text"])
        case "salt":
            word["salt"] += "x"
        case "field":
            del words[n]["said"][field]
        case "row":
            del words[n]
    assert broken(chain.row(), words)


@settings(max_examples=20, deadline=None)
@given(lives)
def test_words_that_nobody_wrote_show(life):
    chain, _ = lived(life)
    words = copy.deepcopy(chain.words)
    words[0]["said"]["note"] = {"text": "nobody wrote this", "salt": "x"}
    assert broken(chain.row(), words), "a note was slipped in beside what was written"


@settings(max_examples=20, deadline=None)
@given(lives)
def test_words_erased_without_an_erasure_in_the_history_show(life):
    chain, _ = lived(life)
    assume(not chain.state.erasures)
    words = copy.deepcopy(chain.words)
    words[0] |= {"said": {}, "erased": {"at": NOW, "reason": "requested"}}
    assert broken(chain.row(), words), "the words were made away with, and no step says who did it"


@settings(max_examples=20, deadline=None)
@given(lives)
def test_words_erased_by_an_erasure_leave_the_chain_whole(life):
    chain, _ = lived(life)
    order = {"erasure": "00000000-0000-4000-8000-000000000009", "reason": "requested"}
    admin = Caller("110102", "qin", ("district",), "110102")
    chain.add(domain.erase(chain.state, caller=admin, now=NOW, **order), admin)
    for row in chain.words:
        row |= {"said": {}, "erased": {"at": NOW, "reason": "requested"}}
    assert broken(chain.row(), chain.words) is None


@settings(max_examples=20, deadline=None)
@given(lives)
def test_a_record_that_was_moved_to_another_district_shows(life):
    chain, _ = lived(life)
    assert broken(chain.row() | {"district": "110107"}, chain.words), "it would be listed in a district it is not of"
    assert broken(chain.row() | {"id": IDS[0]}, chain.words)
    assert broken(chain.row() | {"_id": f"110107/{ID}"}, chain.words)
