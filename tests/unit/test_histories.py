"""Whatever was done, a history is its state, keeps no words, and a changed past or present shows."""

import copy
from datetime import datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as some

from services import proof
from services.whistle.domain import whistles as domain
from services.whistle.store import Whistles
from shared.caller import Caller
from shared.contracts.whistle import ERASURES, KINDS
from shared.errors import Refusal
from tests.make import fresh
from tests.make_whistle import DISTRICT, NOW, PLACE, SECRETARY, STREET_LEAD, Life, a_person, of

ADMIN = a_person("district", "qin", DISTRICT)
WHO = {
    "report": [of("chengguan"), of("zhujian"), of("chengguan", "li")],
    "feed_back": [of("chengguan"), of("zhujian")],
    "confirm": [SECRETARY, STREET_LEAD],
    "settle": [SECRETARY, STREET_LEAD],
    "reopen": [SECRETARY],
    "erase": [ADMIN],
}
WRITTEN = {"feed_back": "text", "erase": None}  # which words an act must have; all others may have a note

texts = some.text(min_size=1, max_size=5)
photos = some.lists(some.sampled_from(["a" * 64, "b" * 64]), max_size=2)
blows = some.fixed_dictionaries(
    {
        "kind": some.sampled_from(KINDS), "title": texts, "text": some.text(max_size=5), "photos": photos,
        "place": some.none() | some.just(PLACE),
        "departments": some.lists(some.sampled_from(["chengguan", "zhujian"]), min_size=1, max_size=2, unique=True),
    }
)  # fmt: skip


def an_act(name: str):
    """Give one act by whom it may be done, in words that somebody chose."""
    order = {WRITTEN.get(name, "note"): texts} if WRITTEN.get(name, "note") else {"reason": some.sampled_from(ERASURES)}
    order |= {} if name == "erase" else {"photos": photos}
    return some.tuples(some.just(name), some.sampled_from(WHO[name]), some.fixed_dictionaries(order))


# As far as it came when all went well; what goes wrong, or is done over, comes after.
WELL = [
    *((name, of(department), {}) for department in ("chengguan", "zhujian") for name in ("report", "feed_back")),
    ("confirm", SECRETARY, {"note": "看过了"}), ("settle", SECRETARY, {"note": "已办结"}),
]  # fmt: skip
lives = some.builds(
    lambda first, n, more: (first, WELL[:n] + more),
    blows,
    some.integers(0, len(WELL)),
    some.lists(some.one_of(*(an_act(name) for name in WHO)), max_size=6),
)


def lived(life) -> Life:
    """Play orders one after another; what is refused leaves nothing behind."""
    first, orders = life
    whole = Life().do("blow", STREET_LEAD, **first)
    for name, caller, order in orders:
        before, entries = whole.state, len(whole.entries)
        try:
            whole.later(seconds=1).do(name, caller, **order)
        except Refusal:
            assert (whole.state, len(whole.entries)) == (before, entries)
    return whole


def words_of(whole: Life) -> list[dict]:
    return copy.deepcopy(list(whole.words.values()))


def broken(whole: Life, row: dict | None = None, words: list[dict] | None = None) -> str | None:
    """Prove a record as it is stored; ``row`` and ``words`` where somebody was at them."""
    store = Whistles(None, Caller(DISTRICT), lambda: NOW)
    return proof.broken(store, row or whole.row(), words_of(whole) if words is None else words)


@settings(max_examples=50, deadline=None)
@given(lives)
def test_the_history_played_again_gives_the_state(life):
    whole = lived(life)
    state = domain.Whistle()
    for entry in whole.entries:
        ref = {"words": entry["words"]["ref"]} if "words" in entry else {}
        state = domain.evolve(state, entry["fact"], entry["data"] | ref, entry["at"], entry["actor"])
    assert state == whole.state
    assert broken(whole) is None


@settings(max_examples=50, deadline=None)
@given(lives)
def test_what_people_wrote_is_in_no_fact(life):
    first, orders = life
    marks = ("title", "text", "note")
    marked = [
        (name, who, {field: f"暗号{word}" if field in marks else word for field, word in order.items()})
        for name, who, order in orders
    ]
    whole = lived((first | {"title": "暗号题", "text": "暗号文", "address": "暗号址", "expected": "暗号愿"}, marked))
    assert "暗号" not in str(whole.entries) + str(whole.state)
    assert "暗号" in str(whole.words)


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
    whole = lived(life)
    row = whole.row()
    n = data.draw(some.integers(0, len(row["history"]) - 1), "step")
    path = data.draw(some.sampled_from(list(leaves(row["history"][n]))), "what")
    put(row["history"][n], path, changed(value_at(row["history"][n], path)))
    found = broken(whole, row)
    assert found and found.startswith(f"whistle/{whole.key}/{n + 1} "), (path, found)


@settings(max_examples=50, deadline=None)
@given(lives, some.data())
def test_any_single_change_of_the_present_shows(life, data):
    whole = lived(life)
    row = whole.row()
    path = data.draw(some.sampled_from(list(leaves(row["state"]))), "what")
    put(row["state"], path, changed(value_at(row["state"], path)))
    assert broken(whole, row)


@settings(max_examples=50, deadline=None)
@given(lives, some.data())
def test_a_step_that_is_missing_doubled_or_out_of_order_shows(life, data):
    whole = lived(life)
    row = whole.row()
    steps = row["history"]
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
    assert broken(whole, row)


@settings(max_examples=50, deadline=None)
@given(lives, some.data())
def test_any_change_of_the_words_shows(life, data):
    whole = lived(life)
    words = words_of(whole)
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
    assert broken(whole, words=words)


@settings(max_examples=20, deadline=None)
@given(lives)
def test_words_that_nobody_wrote_show(life):
    whole = lived(life)
    words = words_of(whole)
    words[0]["said"]["note"] = {"text": "nobody wrote this", "salt": "x"}
    assert broken(whole, words=words), "a note was slipped in beside what was written"


@settings(max_examples=20, deadline=None)
@given(lives)
def test_words_erased_without_an_erasure_in_the_history_show(life):
    whole = lived(life)
    assume(not whole.state.erasures)
    words = words_of(whole)
    words[0] |= {"said": {}, "erased": {"at": NOW, "reason": "requested"}}
    assert broken(whole, words=words), "the words were made away with, and no step says who did it"


@settings(max_examples=20, deadline=None)
@given(lives)
def test_words_erased_by_an_erasure_leave_the_chain_whole(life):
    whole = lived(life).do("erase", ADMIN)
    words = [row | {"said": {}, "erased": {"at": NOW, "reason": "requested"}} for row in words_of(whole)]
    assert broken(whole, words=words) is None


@settings(max_examples=20, deadline=None)
@given(lives)
def test_a_record_that_was_moved_to_another_district_shows(life):
    whole = lived(life)
    row = whole.row()
    assert broken(whole, row | {"district": "110107"}), "it would be listed in a district it is not of"
    assert broken(whole, row | {"id": fresh()})
    assert broken(whole, row | {"_id": f"110107/{row['id']}"})
