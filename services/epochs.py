"""What is saved and not yet told: one note for all that a process saves within half a second, until all of it is told.

A note is saved before anything of its epoch is, and every save leaves a row beside the record whose id begins with the
epoch's; so whoever finds a note that is late finds all that was saved under it, and nothing else.
"""

import random
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from eventlet.event import Event
from pymongo.collection import Collection
from pymongo.database import Database

from services.ledger import Ledger
from shared.errors import Unavailable
from shared.running import UNTOLD, UNTOLD_AGE, real_now

LONG = 0.5  # seconds in which something may begin to be saved under one note
LEASE = timedelta(seconds=3)  # how long a teller has before another takes its share
SETTLED = timedelta(seconds=15)  # longer than any write takes: what was on its way to the database has come
UNBORN = timedelta(minutes=10)  # after that what was announced and not saved will never be
FORGOTTEN = 60.0  # seconds after which a process leaves what it could not tell to whoever finds the note
PORTION = 25  # rows struck in one round trip: more of them keep inserts waiting and gain nothing


def notes_of(database: Database, ledger: type[Ledger]) -> Collection:
    """Give a ledger's notes, a few at any time: a collection of their own, so that no index of theirs costs a save."""
    return database[f"{ledger.collection}_untold"]


def rows_of(epoch: str) -> dict:
    """Give the question for all that was saved in an epoch: ids are hexadecimal, and so begin with it up to ``g``."""
    return {"_id": {"$gte": f"{epoch}0", "$lt": f"{epoch}g"}}


@dataclass(eq=False)
class Epoch:
    """Half a second of one process's saves: ``waiting`` are those not told, ``bare`` the rows that go with the note."""

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    born: float = field(default_factory=time.monotonic)
    waiting: set[str] = field(default_factory=set)
    bare: list[str] = field(default_factory=list)
    noted: Event = field(default_factory=Event)

    def begin(self) -> str:
        """Give the reference of something that is about to be saved."""
        ref = self.id + secrets.token_hex(6)
        self.waiting.add(ref)
        return ref

    def end(self, ref: str, is_bare: bool = False) -> None:
        """Note that something was told, or was not saved at all; ``is_bare`` where its row holds nobody's words."""
        self.waiting.discard(ref)
        if is_bare:
            self.bare.append(ref)


class Epochs:
    """The epochs of one process, ledger by ledger."""

    def __init__(self, database: Database):
        self.database = database
        self.current: dict[type[Ledger], Epoch] = {}
        self.over: dict[type[Ledger], list[Epoch]] = {}

    def begin(self, ledger: type[Ledger]) -> tuple[Epoch, str]:
        """Give an epoch whose note is saved, and a reference in it, for something that is about to be saved.

        Nothing begins in an epoch later than half a second after its note was saved; nobody takes one for late until
        three seconds after.
        """
        epoch = self.current.get(ledger)
        if epoch and time.monotonic() - epoch.born < LONG:
            ref = epoch.begin()
            epoch.noted.wait()
            return epoch, ref
        self.close(ledger)
        epoch = self.current[ledger] = Epoch()
        ref = epoch.begin()
        try:
            note = {"_id": epoch.id, "at": real_now(), "untold_since": real_now()}
            notes_of(self.database, ledger).insert_one(note)
        except BaseException:
            self.current.pop(ledger, None)
            epoch.noted.send_exception(Unavailable("暂时无法保存,请稍后再试 / It cannot be saved just now"))
            raise
        epoch.noted.send()
        return epoch, ref

    def close(self, ledger: type[Ledger]) -> None:
        if epoch := self.current.pop(ledger, None):
            self.over.setdefault(ledger, []).append(epoch)

    def strike(self) -> None:
        """Strike the epochs of which everything was told; what cannot be struck now is struck later."""
        now = time.monotonic()
        for ledger in [ledger for ledger, epoch in self.current.items() if now - epoch.born >= LONG]:
            self.close(ledger)
        for ledger, epochs in self.over.items():
            done = [epoch for epoch in epochs if not epoch.waiting]
            strike(self.database, ledger, [key for each in done for key in each.bare], [each.id for each in done])
            kept = [each for each in self.over[ledger] if each not in done and now - each.born < FORGOTTEN]
            self.over[ledger] = kept

    @property
    def is_struck(self) -> bool:
        return not self.current and not any(self.over.values())


def strike(database: Database, ledger: type[Ledger], bare: list[str], notes: list[str]) -> None:
    """Delete rows that hold nobody's words, and then the notes; safe to repeat.

    What is not struck is told again by whoever finds it, which does no harm: listeners know each fact by its id.
    """
    for rows, keys in ((database[f"{ledger.collection}_words"], bare), (notes_of(database, ledger), notes)):
        for n in range(0, len(keys), PORTION):
            rows.delete_many({"_id": {"$in": keys[n : n + PORTION]}})


@dataclass(frozen=True)
class Share:
    """What a teller took upon itself: notes that were late, and ``(row, untold entries)`` of all saved under them."""

    notes: list[dict]
    saved: list[tuple[dict, list[dict]]]


def claim(store: Ledger, most: int = 10) -> Share | None:
    """Claim some of what was not told in time, of any district, no other replica's; None where nothing is late.

    Any number of replicas may ask at once: the claim is one guarded write, and lasts as long as the lease.
    """
    rows = notes_of(store.database, type(store))
    while True:  # where another was first with all of these, there may be more behind them
        now = real_now()
        late = {"untold_since": {"$lt": now - LEASE}}
        found = list(rows.find(late, {"_id": 1, "untold_since": 1}).sort("untold_since", 1).limit(4 * most))
        UNTOLD.labels(store.service).set(len(found))
        UNTOLD_AGE.labels(store.service).set((now - found[0]["untold_since"]).total_seconds() if found else 0)
        if not found:
            return None
        # Not just the oldest: replicas that look at the same moment would all want the same.
        mark, keys = secrets.token_hex(8), [row["_id"] for row in random.sample(found, min(most, len(found)))]
        rows.update_many({"_id": {"$in": keys}} | late, {"$set": {"untold_since": now, "claim": mark}})
        mine = [row for row in rows.find({"_id": {"$in": keys}}) if row.get("claim") == mark]
        if mine:
            return Share(mine, list(saved_under(store, mine)))


def saved_under(store: Ledger, notes: list[dict]) -> Iterator[tuple[dict, list[dict]]]:
    """Yield each row under these notes that was not told, with its record's entries; none where nothing was saved."""
    rows, records = store.wide(f"{store.collection}_words"), store.wide(store.collection)
    for note in notes:
        beside = [row for row in rows.find(rows_of(note["_id"]), batch_size=500) if not row.get("told")]
        for n in range(0, len(beside), 50):
            part = beside[n : n + 50]
            asked = {"_id": {"$in": [row["record"] for row in part]}}
            histories = {row["_id"]: row["history"] for row in records.find(asked, {"history": 1})}
            for row in part:
                yield row, histories.get(row["record"], [])[row["first"] - 1 : row["last"]]


def settle(store: Ledger, share: Share) -> None:
    """Strike what was told of a share. A note stays while something may still be on its way to the database."""
    told = [row for row, entries in share.saved if entries]
    strike(store.database, type(store), [row["_id"] for row in told if "said" not in row], [])
    worded: list[Any] = [row["_id"] for row in told if "said" in row]
    if worded:
        store.wide(f"{store.collection}_words").update_many({"_id": {"$in": worded}}, {"$set": {"told": True}})
    unborn = [row["_id"] for row, entries in share.saved if not entries]
    now = real_now()
    over = [
        note["_id"]
        for note in share.notes
        if note["at"] < now - UNBORN
        or (note["at"] < now - SETTLED and not any(key.startswith(note["_id"]) for key in unborn))
    ]
    strike(store.database, type(store), [], over)
