"""A whistle as its readers see it: with the words, or with why they are gone or not theirs."""

from services.whistle.domain import clocks
from services.whistle.domain.acts import SIDE, is_in_unit
from services.whistle.domain.whistles import Whistle
from shared.caller import Caller
from shared.ledger import Record

WITHHELD = {"withheld": True}


def may_read_words(whistle: Whistle, caller: Caller) -> bool:
    """Confidential words are for who reported it, who is called, and the community and those above it."""
    if not whistle.confidential or caller.actor in whistle.people:
        return True
    if caller.department:
        return caller.department in whistle.summonses
    return not set(SIDE).isdisjoint(caller.roles) and is_in_unit(caller, whistle.community)


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

    return vars(state) | {
        "id": record.id,
        "version": record.version,
        "called": list(state.active) or (state.asked if state.stage == "awaiting" else []),
        "place": {"lon": state.lon, "lat": state.lat} if state.lon is not None else None,
        "summonses": [
            each
            | {"department": department, "clocks": running(each["clocks"])}
            | {name: with_words(each[name]) for name in ("returned", "extension", "answer")}
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
