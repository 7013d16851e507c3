"""MongoDB's side: records whose history is their audit trail, their version number and their outbox.

One atomic guarded write holds state, version and history, and so all that is to be told; a row saved before it says
which entries they are. What people wrote lies in that row; the history holds its salted digest, so that words can be
erased and the chain still verifies (PIPL Art. 47).
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, InsertOne
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from shared.caller import Caller
from shared.contract import Happened
from shared.errors import Conflict, NotFound
from shared.rules.days import iso

ATTEMPTS = 6  # how often a decision is taken anew when another writer was first
GENESIS = "0" * 64
KEPT = ("id", "district", "version", "head")  # what a record and its row have in common, as it is

Decide = Callable[..., Iterable[Happened]]


def canonical(thing: Any) -> bytes:
    """Write a thing in the one form that is hashed: sorted keys, no blanks, UTF-8."""
    return json.dumps(thing, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def link(key: str, entry: dict) -> str:
    """Give the hash of one history entry: over everything in it, the hash before it and whose history it is."""
    sealed = {name: value for name, value in entry.items() if name != "hash"} | {"at": iso(entry["at"]), "of": key}
    return hashlib.sha256(canonical(sealed)).hexdigest()


def digest(salt: str, text: Any) -> str:
    """Give the salted digest that stands in a history for what a person wrote."""
    return hashlib.sha256(salt.encode() + canonical(text)).hexdigest()


@dataclass(frozen=True)
class Record:
    """One record as loaded: ``state`` is the domain's own frozen dataclass, ``version`` 0 means not yet there."""

    id: str
    district: str
    version: int
    state: Any
    head: str = GENESIS
    history: tuple[dict, ...] = ()
    refs: tuple[str, ...] = ()
    words: dict[str, dict] = field(default_factory=dict)


class Narrowed:
    """A collection seen from one district: every question and every row carries it."""

    def __init__(self, collection: Any, district: str):
        self.collection, self.district = collection, district

    def only(self, asked: dict) -> dict:
        # The embedded database uses the first clause that has an index: an _id stays first, else the district leads.
        own = {"district": self.district}
        return {**asked, **own} if "_id" in asked else {**own, **asked}

    def find(self, asked: dict | None = None, *args: Any, **options: Any) -> Any:
        return self.collection.find(self.only(asked or {}), *args, **options)

    def find_one(self, asked: dict, *args: Any) -> dict | None:
        return self.collection.find_one(self.only(asked), *args)

    def insert_one(self, row: dict) -> Any:
        return self.collection.insert_one({**row, "district": self.district})

    def insert_many(self, rows: list[dict]) -> Any:
        inserts = [InsertOne({**row, "district": self.district}) for row in rows]
        return self.collection.bulk_write(inserts, ordered=False)

    def update_one(self, asked: dict, change: dict) -> Any:
        return self.collection.update_one(self.only(asked), change)


class Store:
    """What every store of ours is given: the database and who is asking; its rows are narrowed to their district.

    Whoever writes also has a ``process``: it inserts rows together with others' and tells what was saved.
    """

    indexes: dict[str, list[tuple[list[tuple[str, int]], dict]]] = {}

    def __init__(self, database: Database, caller: Caller, now: Callable[[], datetime], process: Any = None):
        self.database, self.caller, self.now, self.process = database, caller, now, process

    def rows(self, collection: str) -> Narrowed:
        """Give one collection, narrowed to the caller's district."""
        return Narrowed(self.database[collection], self.caller.district)

    def wide(self, collection: str) -> Any:
        """Give one collection across all districts: the one wide door, for timers, sign-in, city figures and operators.

        Whoever comes through it only reads, except for what a timer claims; a test lists its users.
        """
        return self.database[collection]

    def enter(self, district: str) -> "Store":
        """Give the same store narrowed to a district that an operator or a timer, who belong to none, names."""
        self.caller.must("district.enter")
        return type(self)(self.database, replace(self.caller, district=district), self.now, self.process)

    @classmethod
    def prepare(cls, database: Database) -> None:
        """Make the indexes; safe to repeat."""
        for collection, keys in cls.indexes.items():
            for key, options in keys:
                database[collection].create_index(key, **options)


class Ledger(Store):
    """A service's own records: a subclass names its ``collection``, its state's ``kind``, how facts ``evolve`` it."""

    service: str
    collection: str
    kind: type
    evolve: Callable[[Any, str, dict, datetime, str], Any]
    erasing = "words_erased"  # the fact after which words may be gone

    @classmethod
    def prepare(cls, database: Database) -> None:
        super().prepare(database)
        database[f"{cls.collection}_words"].create_index([("photos.text", ASCENDING)], sparse=True)

    # -- load -----------------------------------------------------------------------------------------------------

    def key(self, id: str) -> str:
        return f"{self.caller.district}/{id}"

    def record_of(self, row: dict) -> Record:
        """Make a record of what the database holds."""
        kept = {name: row[name] for name in KEPT} | {"state": self.kind(**row["state"])}
        return Record(**kept, refs=tuple(row["refs"]), history=tuple(row.get("history", ())))

    def get(self, id: str, history: bool = False) -> Record:
        """Find one record of this district, with its words; another district's is not found either."""
        row = self.database[self.collection].find_one({"_id": self.key(id)}, None if history else {"history": 0})
        if not row:
            raise NotFound(f"本区没有这一件({id}) / No such thing in this district ({id})")
        return self.with_words([self.record_of(row)])[0]

    def with_words(self, records: list[Record]) -> list[Record]:
        """Give the same records with the words that people wrote in them: ``{ref: {field: text} or {erased: …}}``."""
        found, refs = {}, [ref for record in records for ref in record.refs]
        for row in self.database[f"{self.collection}_words"].find({"_id": {"$in": refs}}) if refs else ():
            texts = {name: said["text"] for name, said in row["said"].items()}
            found[row["_id"]] = {"erased": row["erased"]} if row.get("erased") else texts
        return [replace(each, words={ref: found[ref] for ref in each.refs if ref in found}) for each in records]

    # -- decide, record -------------------------------------------------------------------------------------------

    def begin(self, id: str, decide: Decide, **order: Any) -> Record:
        """Begin a record under an id that the client chose.

        The same order again decides the same facts, and finds the record that it made; another order under the same
        id raises ``Conflict``.
        """
        blank = Record(id, self.caller.district, 0, self.kind())
        now = self.now()
        happened = list(decide(blank.state, caller=self.caller, now=now, **order))
        if after := self.record(blank, happened, now):
            return after
        known = self.get(id, history=True)
        for each, entry in zip(happened, known.history, strict=False):
            said = known.words.get(entry.get("words", {}).get("ref"), {"erased": True})
            same = (each.fact.name, each.data, self.caller.actor) == (entry["fact"], entry["data"], entry["actor"])
            if not same or not ("erased" in said or each.words.items() <= said.items()):
                raise Conflict(f"编号已被使用({id}) / This id is already another's ({id})")
        return known

    def change(self, id: str | Record, decide: Decide, version: int | None = None, **order: Any) -> Record:
        """Load, decide, record; where another writer was first, load and decide again.

        ``version`` makes it strict: raises ``Conflict`` when the record has moved on since. An order that was carried
        out already decides nothing, and finds what it did. Instead of its id: the record, where it was just loaded.
        """
        before = id if isinstance(id, Record) else self.get(id)
        for _ in range(ATTEMPTS):
            now = self.now()
            happened = list(decide(before.state, caller=self.caller, now=now, **order))
            if happened and version not in (None, before.version):
                raise Conflict(f"已更新到第 {before.version} 版,请刷新 / It has moved on to version {before.version}")
            if after := self.record(before, happened, now):
                return after
            before = self.get(before.id)
        raise Conflict("多人同时办理,请再试一次 / Several people were at it at once: please try again")

    def record(self, before: Record, happened: list[Happened], at: datetime) -> Record | None:
        """Save what happened, at the moment of decision, in one guarded write and have it told; None when another
        writer was first."""
        if not happened:
            return before
        epoch, ref = self.process.begin(type(self))
        key, said, entries = self.key(before.id), {}, []
        state, head, after = before.state, before.head, before
        for n, each in enumerate(happened, before.version + 1):
            entry = {
                "n": n, "fact": each.fact.name, "at": at, "actor": self.caller.actor, "to": each.to,
                "role": self.caller.roles[0] if self.caller.roles else "", "trace": self.caller.trace,
                "data": each.data, "prev": head,
            }  # fmt: skip
            if each.words:
                fresh = {name: {"text": text, "salt": secrets.token_hex(16)} for name, text in each.words.items()}
                said |= fresh
                entry["words"] = {"ref": ref, "digests": {name: digest(**word) for name, word in fresh.items()}}
            entry["hash"] = head = link(key, entry)
            entries.append(entry)
            state = self.evolved(state, entry)
        words = self.database[f"{self.collection}_words"]
        beside = {"_id": ref, "record": key, "district": before.district, "at": at}
        beside |= {"first": entries[0]["n"], "last": entries[-1]["n"]}
        if said:
            texts = {name: word["text"] for name, word in said.items()}
            after = replace(before, refs=(*before.refs, ref), words={**before.words, ref: texts})
            beside |= {"said": said} | ({"photos": {"text": texts["photos"]}} if texts.get("photos") else {})
        after = replace(after, version=entries[-1]["n"], state=state, head=head)
        if not self.write(before, after, entries, (words, [beside])):
            words.delete_many({"_id": {"$in": [ref]}})
            epoch.end(ref)
            return None
        self.process.tell(type(self), epoch, beside, entries)
        return after

    def evolved(self, state: Any, entry: dict) -> Any:
        """Give the state as one more entry made it; the domain sees words as a reference only."""
        said = {"words": entry["words"]["ref"]} if "words" in entry else {}
        return self.evolve(state, entry["fact"], entry["data"] | said, entry["at"], entry["actor"])

    def write(self, before: Record, after: Record, entries: list[dict], first: tuple[Any, list[dict]]) -> bool:
        """Write the record and its entries, after the rows that come ``first``, if nobody else has since ``before``."""
        rows, key = self.database[self.collection], self.key(before.id)
        fresh = {name: getattr(after, name) for name in KEPT} | {"refs": after.refs, "state": vars(after.state)}
        change = {"$set": fresh, "$push": {"history": {"$each": entries}}}
        try:
            if before.version:
                self.process.insert(first)
                return rows.update_one({"_id": key, "version": before.version}, change).matched_count == 1
            self.process.insert(first, (rows, [{"_id": key, "history": entries, **fresh}]))
            return True
        except DuplicateKeyError:
            return False

    # -- tell -----------------------------------------------------------------------------------------------------

    @classmethod
    def envelope(cls, key: str, entry: dict) -> dict:
        """Give a history entry as it travels: CloudEvents 1.0, and nothing that a person wrote."""
        district, _, id = key.partition("/")
        return {
            "specversion": "1.0", "id": f"{cls.service}/{key}/{entry['n']}", "source": f"/{cls.service}",
            "type": entry["fact"], "subject": id, "time": iso(entry["at"]), "datacontenttype": "application/json",
            "district": district, "to": entry["to"], "actor": entry["actor"], "traceparent": entry["trace"],
            "hash": entry["hash"], "data": entry["data"],
        }  # fmt: skip

    # -- forget ---------------------------------------------------------------------------------------------------

    def forget(self, refs: list[str], reason: str) -> None:
        """Erase words and their salts, and leave when and why. Safe to repeat."""
        erased = {"said": {}, "erased": {"at": self.now(), "reason": reason}}
        asked = {"_id": {"$in": refs}, "erased": None}
        self.database[f"{self.collection}_words"].update_many(asked, {"$set": erased, "$unset": {"photos": ""}})
