"""Acknowledged = stored = told = heard: counted in the database itself, beside what the book was promised."""

import time
from pathlib import Path

import pymongo

from deploy import database
from tests.fault.recount import Promised

COLUMNS = ("acknowledged", "stored", "entries", "told", "heard")


def account(platform, path: Path) -> dict[str, int]:
    """Count: acts that clients were promised, those of them that histories hold; then every entry of every whistle,
    those that no note says are untold any more, and those that the figures have heard."""
    client: pymongo.MongoClient = pymongo.MongoClient(database.admin_uri(platform.settings), tz_aware=True)
    try:
        kept, witness = client["huying_whistle"], client["huying_figures"]
        rows = {row["_id"]: row["history"] for row in kept["whistles"].find({}, {"history": 1}, batch_size=200)}
        ids = {f"whistle/{key}/{entry['n']}" for key, history in rows.items() for entry in history}
        notes = [note["_id"] for note in kept["whistles_untold"].find({})]
        untold = {
            f"whistle/{row['record']}/{n}"
            for note in notes
            for row in kept["whistles_words"].find({"_id": {"$gte": f"{note}0", "$lt": f"{note}g"}})
            for n in range(row["first"], row["last"] + 1)
            if not row.get("told")
        }
        heard = {row["id"] for bucket in witness["heard"].find({}, {"heard": 1}) for row in bucket["heard"]}
    finally:
        client.close()
    promised = Promised(str(path))
    acts = [
        (f"{promised.district(id)}/{id}", fact, line["order"].get("act"))
        for id, lines in promised.kept.items()
        for fact, line in lines.items()
    ]
    stored = sum(
        any(entry["fact"] == fact and act in (None, entry["data"].get("act")) for entry in rows.get(key, ()))
        for key, fact, act in acts
    )
    return {
        "acknowledged": len(acts), "stored": stored, "entries": len(ids), "told": len(ids - untold),
        "heard": len(ids & heard), "strange": len({id for id in heard if id.startswith("whistle/")} - ids),
    }  # fmt: skip


def is_even(found: dict[str, int]) -> bool:
    """Say whether nothing is missing and nothing is too much."""
    return (
        found["acknowledged"] == found["stored"]
        and found["entries"] == found["told"] == found["heard"]
        and not found["strange"]
    )


def settled(platform, path: Path, seconds: float) -> tuple[dict[str, int], float | None]:
    """Count until all is told and heard; gives what was counted last, and after how many seconds it was even."""
    began = time.monotonic()
    while True:
        found = account(platform, path)
        took = time.monotonic() - began
        if is_even(found):
            return found, round(took, 1)
        if took > seconds:
            return found, None
        time.sleep(0.5)
