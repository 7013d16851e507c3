"""A whistle as its readers see it: with the words, or with why they are gone or not theirs."""

from collections.abc import Iterable
from datetime import datetime

from services.ledger import Record
from services.whistle.domain import clocks
from services.whistle.domain.acts import SIDE, is_in_unit
from services.whistle.domain.open import OF_WHISTLE
from services.whistle.domain.whistles import Whistle
from shared.caller import Caller
from shared.contracts import permissions

WITHHELD = {"withheld": True}
# Of what is confidential not only the words are withheld, but also who and where.
OF_SECRETS = {"place": None, "unit": None, "grid": None, "blown_by": "", "reporters": []}
# What offices write to each other, and why they send work on, is not the reporter's.
OF_OFFICES = {"meeting": None, "account": None}


def may_read(
    caller: Caller, confidential: bool, community: str, people: Iterable[str], departments: Iterable[str]
) -> bool:
    """Confidential words are for who reported it, who is called, and the community and those above it."""
    if not confidential or caller.actor in people:
        return True
    if caller.department:
        return caller.department in departments
    return not set(SIDE).isdisjoint(caller.roles) and is_in_unit(caller, community)


def may_read_words(whistle: Whistle, caller: Caller) -> bool:
    return may_read(caller, whistle.confidential, whistle.community, whistle.people, whistle.summonses)


def words_of(row: dict, words: dict, caller: Caller) -> dict:
    """Give what was written when a whistle was blown, by its row; nothing where it is erased or not this reader's."""
    return words.get(row["words"], {}) if may_find(row, caller) else {}


def may_find(row: dict, caller: Caller) -> bool:
    """Say whether an open whistle is offered to somebody: what is confidential is not there for others."""
    return may_read(caller, *(row[name] for name in ("confidential", "community", "people", "departments")))


def item(row: dict, whistle: dict, words: dict, caller: Caller, now: datetime) -> dict:
    """Give one line of an inbox: of a summons, with the marks of its whistle, or of a whistle itself."""
    marks = {*row["marks"], *(mark for mark in OF_WHISTLE if mark in whistle["marks"])}
    return whistle | row | {
        "title": words_of(whistle, words, caller).get("title"), "marks": sorted(marks),
        "late": row["due"] is not None and row["due"] < now,
    }  # fmt: skip


def says(text: str, row: dict, words: dict, caller: Caller) -> bool:
    """Say whether a whistle's number or words have a text in them."""
    said = words_of(row, words, caller)
    known = (row["number"], *(said.get(name) for name in ("title", "text", "address", "expected")))
    return any(text.casefold() in each.casefold() for each in known if each)


def shown(record: Record, caller: Caller) -> dict:
    """Give a whistle to a reader."""
    state, may = record.state, may_read_words(record.state, caller)

    def words(ref: str | None) -> dict | None:
        said = record.words.get(ref)
        if said is None or "erased" in said:
            return said and {"erased": said["erased"]}
        return said if may else WITHHELD

    def with_words(thing: dict | None, name: str = "words") -> dict | None:
        return thing and thing | {name: words(thing.get(name))}

    def running(home: dict) -> list[dict]:
        return [
            {"clock": name, "late": clocks.is_late(each)} | {part: each.get(part) for part in ("due", "met", "unknown")}
            for name, each in home.items()
        ]

    view = vars(state) | {
        "id": record.id,
        "version": record.version,
        "called": list(state.active) or (state.asked if state.stage == "awaiting" else []),
        "place": {"lon": state.lon, "lat": state.lat} if state.lon is not None else None,
        "summonses": [
            each
            | {"department": department, "clocks": running(each["clocks"])}
            | {name: with_words(each[name]) for name in ("returned", "extension", "answer")}
            | {"extended": with_words(with_words(each.get("extended")), "reason")}
            for department, each in sorted(state.summonses.items(), key=lambda pair: pair[1]["called_at"])
        ],
        "reports": [
            with_words(each) | {"act": act, "place": each["lon"] and {"lon": each["lon"], "lat": each["lat"]}}
            for act, each in sorted(state.reports.items(), key=lambda pair: pair[1]["at"])
        ],
        "clocks": running(state.clocks),
        "due": clocks.next_due(state),
        "meeting": state.meeting and with_words(with_words(state.meeting), "minutes"),
        "account": with_words(state.account),
        "confirmations": [with_words(each) for each in state.confirmations],
        "reporters": [with_words(each) for each in state.reporters],
        "words": words(state.words),
        "settlement": words(state.settlement),
    }
    if not may:
        view |= OF_SECRETS | {"reports": [each | {"place": None, "distance": None} for each in view["reports"]]}
    return view if permissions.may(caller.roles, "whistle.read", caller.adjusted) else for_reporter(view, caller.actor)


def for_reporter(view: dict, person: str) -> dict:
    """Leave what somebody needs who reported a whistle and is no official: how it goes, what came of it, and their own
    words; of whoever else reported the same, the title alone (PIPL Art. 6, no more than the purpose needs).
    """
    is_own, first = view["blown_by"] == person, view["words"] or {}
    title = {name: first[name] for name in ("title", "erased", "withheld") if name in first}
    told = [each for each in view["confirmations"] if each["by"] in (person, view["settled_by"])]
    return view | OF_OFFICES | {
        "blown_by": person if is_own else "",
        "words": view["words"] if is_own else title or None,
        "reporters": [each for each in view["reporters"] if each["person"] == person],
        "reports": [each | {"words": None} for each in view["reports"]],
        "summonses": [each | {"returned": None} for each in view["summonses"]],
        "confirmations": [each if each in told else each | {"by": "", "words": None} for each in view["confirmations"]],
    }  # fmt: skip
