"""Proves one stored record: recomputes its chain, replays its history, compares the words that lie beside it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from services.ledger import GENESIS, Ledger, digest, link
from shared.contracts.proofs import PARTS
from shared.errors import NotFound
from shared.rules.days import iso


def broken(ledger: Ledger, row: dict, words: Iterable[dict]) -> str | None:
    """Name the first link of a record, as it is stored, that does not hold, or None when all do."""
    key, head, state, said = row["_id"], GENESIS, ledger.kind(), {word["_id"]: word for word in words}
    if key != f"{row['district']}/{row['id']}":
        return f"{ledger.service}/{key}: 编号与所在区不符 / it is not where it belongs ({row['district']}/{row['id']})"
    erased_at = max((entry["n"] for entry in row["history"] if entry.get("fact") == ledger.erasing), default=0)
    for n, entry in enumerate(row["history"], 1):
        name = f"{ledger.service}/{key}/{n} ({entry.get('fact')})"
        if entry["n"] != n or entry["prev"] != head:
            return f"{name}: 与前一步不相连 / does not follow the step before it"
        if entry["hash"] != link(key, entry):
            return f"{name}: 内容被改动 / was changed after it was recorded"
        ref, digests = entry.get("words", {}).get("ref"), entry.get("words", {}).get("digests", {})
        if ref and ref not in said:
            return f"{name}: 文字缺失且无删除记录 / its words are gone without an erasure"
        if ref and said[ref].get("erased") and not said[ref]["said"] and n < erased_at:
            digests = {}
        for field in sorted(digests.keys() | (said[ref]["said"].keys() if ref else ())):
            word = said[ref]["said"].get(field)
            if field not in digests or not word or digest(word["salt"], word["text"]) != digests[field]:
                return f"{name}: 文字“{field}”被改动 / its words ({field}) were changed"
        state, head = ledger.evolved(state, entry), entry["hash"]
    if (row["version"], row["head"]) != (len(row["history"]), head):
        return f"{ledger.service}/{key}: 末尾缺失 / its end is missing (version {row['version']})"
    # What a state has learnt to say since a record was written last is as it begins.
    if vars(state) != vars(ledger.kind()) | row["state"]:
        return f"{ledger.service}/{key}: 现状与历史不符 / its state is not what its history says"
    return None


def said_in(row: dict) -> dict:
    """Give the question for the words that a history refers to."""
    return {"_id": {"$in": [entry["words"]["ref"] for entry in row["history"] if "words" in entry]}}


def stored(ledger: Ledger, id: str) -> tuple[dict, list[dict]]:
    """Give a record of the caller's district as it is stored, and the words that belong to it."""
    while True:
        row = ledger.rows(ledger.collection).find_one({"_id": ledger.key(id)})
        if not row:
            raise NotFound(f"本区没有这一件({id}) / No such thing in this district ({id})")
        words = list(ledger.rows(f"{ledger.collection}_words").find(said_in(row)))
        # An erasure is recorded before its words go: where some are gone, the record has to be the one that says so.
        if not any(word.get("erased") for word in words) or version_of(ledger, id) == row["version"]:
            return row, words


def version_of(ledger: Ledger, id: str) -> int:
    return ledger.rows(ledger.collection).find_one({"_id": ledger.key(id)}, {"version": 1})["version"]


def trace(ledger: Ledger, id: str) -> dict:
    """Give the history of a record of the caller's district as its readers see it, with its proof."""
    row, words = stored(ledger, id)
    fault = broken(ledger, row, words)
    steps = [entry | {"words": entry.get("words", {}).get("digests")} for entry in row["history"]]
    return {"id": id, "version": row["version"], "whole": fault is None, "broken": fault, "steps": steps}


def export(ledger: Ledger, id: str, withholds: Callable[[Any], bool] = lambda state: False) -> dict:
    """Give a record of the caller's district with all that proves it: every step as stored, the words with their salts.

    Words that were erased by right are named so, and so are those of a record that ``withholds`` them from this reader:
    without its salt nobody can guess a text from its digest. A broken history is given as it is; the check will show.
    """
    row, words = stored(ledger, id)
    withheld = withholds(ledger.record_of(row).state)
    found = {name: row[name] for name in ("district", "id", "version", "head")} | {"service": ledger.service}
    found["history"] = [entry | {"at": iso(entry["at"])} for entry in row["history"]]
    found["words"] = {word["_id"]: "erased" if word.get("erased") else shown(word["said"], withheld) for word in words}
    return found


def shown(said: dict, withheld: bool) -> dict:
    return dict.fromkeys(said, "withheld") if withheld else said


def part(ledger: Ledger, part: int) -> dict:
    """Prove one part of the caller's district: all records whose id begins with the same two figures."""
    prefix = ledger.key(f"{part:02x}")
    rows = ledger.rows(ledger.collection).find({"_id": {"$gte": prefix, "$lt": f"{prefix}g"}}, batch_size=50)
    words = ledger.rows(f"{ledger.collection}_words")
    faults = [broken(ledger, row, words.find(said_in(row))) for row in rows]
    found = {"part": part, "parts": PARTS, "checked": len(faults), "broken": list(filter(None, faults))}
    return found | {"next": part + 1 if part + 1 < PARTS else None}


def every(ledger: Ledger) -> Iterator[tuple[dict, str | None]]:
    """Walk every record of every district with its first broken link; for ``make verify``."""
    for row in ledger.wide(ledger.collection).find({}, batch_size=200):
        yield row, broken(ledger, row, ledger.wide(f"{ledger.collection}_words").find(said_in(row)))
