"""What is open, whose it is and how much of it there is: views of this service's own facts, bounded by what is open.

A row goes when its whistle ends. How they stay right, in any order, twice and through crashes: the entry of a tally is
written first, and only from the version that was read; whoever moves it writes the rows that differ, each only over
an older version; whoever adds something, or comes again, looks whether the whistle has moved on meanwhile.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from pymongo import ASCENDING
from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.ledger import Store
from services.whistle.domain import open as domain
from services.whistle.domain.clocks import OPEN_SUMMONS
from services.whistle.domain.open import Look, Rows
from services.whistle.domain.whistles import Whistle
from shared.errors import NotFound, Unavailable
from shared.rules.codes import is_within
from shared.rules.days import iso

ATTEMPTS = 20
LOOK = 200  # rows that are looked at beyond a page, where not each fits
LAG = 2.0  # seconds that a fact may be on its way
ROWS = ("open_whistles", "open_summonses", "settled_whistles")
BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)
KEPT_SECONDS = 731 * 86_400  # what was settled longer ago is no recurrence in any district


class Open(Store):
    """Open whistles and summonses, their tallies, and what was settled where."""

    indexes = {
        "open_whistles": [
            ([("district", ASCENDING), ("turn", ASCENDING)], {}),
            ([("district", ASCENDING), ("community", ASCENDING), ("turn", ASCENDING)], {}),
            ([("district", ASCENDING), ("street", ASCENDING), ("turn", ASCENDING)], {}),
            ([("district", ASCENDING), ("category", ASCENDING), ("where", ASCENDING)], {}),
            ([("wake", ASCENDING)], {}),
        ],
        "open_summonses": [
            ([("district", ASCENDING), ("person", ASCENDING), ("turn", ASCENDING)], {}),
            ([("district", ASCENDING), ("department", ASCENDING), ("turn", ASCENDING)], {}),
            ([("district", ASCENDING), ("department", ASCENDING), ("community", ASCENDING), ("turn", ASCENDING)], {}),
        ],
        "tallies": [([("district", ASCENDING)], {})],
        "settled_whistles": [
            ([("district", ASCENDING), ("category", ASCENDING), ("where", ASCENDING)], {}),
            ([("settled_at", ASCENDING)], {"expireAfterSeconds": KEPT_SECONDS}),
        ],
    }

    def key(self, *names: str) -> str:
        return "/".join((self.caller.district, *names))

    # -- fold -----------------------------------------------------------------------------------------------------

    def refresh(self, id: str, n: int) -> None:
        """Make the rows of a whistle what it is by now, because its n-th fact was heard.

        Where it has moved on, the fact of that comes for sure and does it all; unless this fact's own work was begun
        before, for then it may have been cut off in the middle.
        """
        for _ in range(ATTEMPTS):
            version, whistle = self.whistle(id)
            shard = domain.shard_of(whistle.community, id)
            before = self.entry(shard, id)
            if n < version and (before["version"] < n if before else domain.is_open(whistle)):
                return
            rows = domain.rows_of(id, version, whistle)
            if before and before["version"] > version or not self.count(shard, id, before, rows.tally):
                continue  # another was first: look again
            is_next = before is not None and before["version"] < version == n
            added = self.move(id, rows, before) if is_next else self.compare(id, rows)
            if not added or self.version(id) == version:
                return
        raise Unavailable("待办正由多人更新 / The rows of this whistle are being written by others")

    def whistle(self, id: str) -> tuple[int, Whistle]:
        """Give the version and the state of a record, without its history and its words."""
        row = self.rows("whistles").find_one({"_id": self.key(id)}, {"history": 0})
        if not row:
            raise NotFound(f"没有这件哨({id}) / There is no whistle of which this was told ({id})")
        return row["version"], Whistle(**row["state"])

    def version(self, id: str) -> int:
        return self.rows("whistles").find_one({"_id": self.key(id)}, {"version": 1})["version"]

    def entry(self, shard: str, id: str) -> dict | None:
        """Give what is counted of a whistle just now."""
        row = self.rows("tallies").find_one({"_id": shard}, {f"rows.{id}": 1}) or {}
        return row.get("rows", {}).get(id)

    def count(self, shard: str, id: str, before: dict | None, after: dict | None) -> bool:
        """Count a whistle anew, row and sums in one guarded write; False when it is not as it was read."""
        if before == after:
            return True
        sums = {"$inc": change} if (change := domain.moved(before, after)) else {}
        row = {"$set": {f"rows.{id}": after}} if after else {"$unset": {f"rows.{id}": ""}}
        guard = {f"rows.{id}.version": before["version"]} if before else {f"rows.{id}": None}
        if self.rows("tallies").update_one({"_id": shard, **guard}, row | sums).matched_count:
            return True
        if before is None:
            self.insert("tallies", {"_id": shard, "rows": {}})
        return False

    def move(self, id: str, rows: Rows, before: dict) -> bool:
        """Write what differs from the version before, over older versions only; says whether a row was added."""
        changed = domain.changed(before, rows.tally)
        new = [department for department in changed if department not in before["summonses"]]
        added = self.add_summonses(id, rows, new)
        for department in set(changed) - set(new):
            added |= self.put("open_summonses", self.key(id, department), rows.version, rows.summonses[department])
        gone = [self.key(id, department) for department in before["summonses"] if department not in rows.summonses]
        if gone:
            self.delete("open_summonses", gone, rows.version)
        return self.put_whistle(id, rows, is_there=True) or added

    def compare(self, id: str, rows: Rows) -> bool:
        """Write what is missing, differs or is older, whoever was cut off where; says whether a row was added.

        What only is older is written, too: somebody slow may be about to write what it was in between.
        """
        keys = {department: self.key(id, department) for department in (*rows.summonses, *rows.gone)}
        there = {row["_id"]: row for row in self.rows("open_summonses").find({"_id": {"$in": list(keys.values())}})}
        added = self.add_summonses(id, rows, [each for each in rows.summonses if keys[each] not in there])
        for department, row in rows.summonses.items():
            if there.get(keys[department], {"version": rows.version})["version"] < rows.version:
                added |= self.put("open_summonses", keys[department], rows.version, row)
        if stray := [keys[department] for department in rows.gone if keys[department] in there]:
            self.delete("open_summonses", stray, rows.version)
        if rows.was_settled and not rows.settled:
            self.delete("settled_whistles", [self.key(id)], rows.version)
        here = self.rows("open_whistles").find_one({"_id": self.key(id)}, {"version": 1})
        is_whole = here and here["version"] >= rows.version and rows.whistle
        return added if is_whole else self.put_whistle(id, rows, is_there=bool(here)) or added

    def add_summonses(self, id: str, rows: Rows, departments: list[str]) -> bool:
        """Insert rows in one round trip; those that are there by now are written over, where they are older."""
        fresh = {self.key(id, each): rows.summonses[each] for each in departments}
        try:
            if fresh:
                made = [{"_id": key, **row, "version": rows.version} for key, row in fresh.items()]
                self.rows("open_summonses").insert_many(made)
        except BulkWriteError as error:
            if any(each["code"] != 11000 for each in error.details["writeErrors"]):
                raise
            for key, row in fresh.items():
                self.put("open_summonses", key, rows.version, row)
        return bool(fresh)

    def put_whistle(self, id: str, rows: Rows, is_there: bool) -> bool:
        """Write the whistle's own row, or delete it; keep what was settled. Says whether a row was added."""
        key, added = self.key(id), False
        if rows.whistle:
            fresh = {"_id": key, **rows.whistle, "version": rows.version}
            added = not is_there and self.insert("open_whistles", fresh)
            added |= not added and self.put("open_whistles", key, rows.version, rows.whistle)
        elif is_there:
            self.delete("open_whistles", [key], rows.version)
        if rows.settled:
            added |= self.put("settled_whistles", key, rows.version, rows.settled)
        return added

    def put(self, collection: str, key: str, version: int, row: dict) -> bool:
        """Write a row over an older version of it, or add it; says whether it was added."""
        fresh = {**row, "version": version}
        guard = {"_id": key, "version": {"$lt": version}}
        found = self.rows(collection).update_one(guard, {"$set": fresh}).matched_count
        return not found and self.insert(collection, {"_id": key, **fresh})

    def insert(self, collection: str, row: dict) -> bool:
        try:
            self.rows(collection).insert_one(row)
        except DuplicateKeyError:
            return False
        return True

    def delete(self, collection: str, keys: list[str], version: int) -> None:
        rows = self.rows(collection)
        rows.collection.delete_many(rows.only({"_id": {"$in": keys}, "version": {"$lt": version}}))

    # -- ask ------------------------------------------------------------------------------------------------------

    def lists(self, look: Look, communities: Iterable[str]) -> tuple[str, list[dict]]:
        """Give the collection in which somebody looks, and the questions by which its rows are found there."""
        if look.person:
            return "open_summonses", [{"person": look.person}]
        if look.department:
            return "open_summonses", [{"department": look.department}]
        if look.community:
            return "open_whistles", [{"community": code} for code in communities]
        return "open_whistles", [{"street": look.street} if look.street else {}]

    def first(self, collection: str, asked: list[dict], after: str | None, before: str | None, most: int) -> list[dict]:
        """Give so many rows after a place in the list, those due first at the top; each question has one index."""
        span = {"$gt": after or ""} | ({"$lt": before} if before else {})
        rows = [
            row
            for each in asked
            for row in self.rows(collection).find({**each, "turn": span}, batch_size=most).sort("turn", 1).limit(most)
        ]
        return sorted(rows, key=lambda row: row["turn"])[:most]

    def page(
        self, look: Look, communities: Iterable[str], limit: int, after: str | None, due_before, fits: Callable | None
    ) -> dict:
        """Give a page of rows; where not each fits, a few more than the page are looked at, and ``next`` goes on there.

        ``fits`` says of several rows which to show.
        """
        collection, asked = self.lists(look, communities)
        most = limit + 1 + (LOOK if fits else 0)
        rows = self.first(collection, asked, after, iso(due_before) if due_before else None, most)
        return page_of(rows, fits(rows) if fits else rows, limit, most)

    def whistles_of(self, rows: list[dict]) -> dict[str, dict]:
        """Give the whistles' own rows by their ids; one that has ended meanwhile is not among them."""
        if all("people" in row for row in rows):
            return {row["whistle"]: row for row in rows}
        keys = [self.key(id) for id in dict.fromkeys(row["whistle"] for row in rows)]
        found = self.rows("open_whistles").find({"_id": {"$in": keys}})
        return {row["whistle"]: row for row in found}

    def work(self, department: str, communities: Iterable[str], limit: int, after: str | None) -> dict:
        """Give a page of what a department has still to do in communities; what it has answered is not among it."""
        asked = [{"department": department, "community": code} for code in communities]
        most = limit + 1 + LOOK
        rows = self.first("open_summonses", asked, after, None, most)
        return page_of(rows, [row for row in rows if row["stage"] in OPEN_SUMMONS], limit, most)

    def counts(self, look: Look, communities: Iterable[str], home: str | None) -> dict:
        """Add up how many are at which stage; ``home`` is the street outside which somebody has nothing."""
        communities = list(communities)
        part = "summonses" if look.department else "whistles"
        path = [part, *filter(None, (look.department, domain.key_of(look.person) if look.person else ""))]
        streets = {look.street} if look.street else {domain.street_of(code) for code in communities}
        streets |= {home} if home else set()
        ids = [id for street in sorted(streets) for id in domain.shards(street)]
        sums = []
        for row in self.rows("tallies").find({"_id": {"$in": ids}} if ids else {}, {".".join(path): 1}):
            for name in path:
                row = row.get(name) or {}
            sums += [row] if look.person else [row.get(code, {}) for code in communities or row]
        return domain.summed(sums)

    def at(self, collection: str, category: str, places: list[str]) -> list[dict]:
        """Give what there is of a category at any of these places."""
        rows = self.rows(collection).find({"category": category, "where": {"$in": places}}) if places else ()
        return list(rows)

    def due(self, most: int = 100) -> list[tuple[str, str]]:
        """Give ``(district, id)`` of the whistles of which something rings by now, of every district, oldest first."""
        # From somewhere on: the embedded database would read all that never rings, whose wake is null, before it.
        asked = {"wake": {"$gt": BEFORE_ALL, "$lte": self.now()}}
        rows = self.wide("open_whistles").find(asked, {"district": 1, "whistle": 1})
        return [(row["district"], row["whistle"]) for row in rows.sort("wake", 1).limit(most)]

    def seated(self, person: str, seat: str) -> list[dict]:
        """Give the open summonses of a person by a seat of theirs, by any where none is named."""
        rows = self.rows("open_summonses").find({"person": person, "turn": {"$gt": ""}}, batch_size=1000)
        return [row for row in rows if seat in ("", row["seat"])]

    def unheld(self, department: str, unit: str) -> list[dict]:
        """Give the open summonses of a department in a unit that found nobody."""
        rows = self.rows("open_summonses").find({"department": department, "turn": {"$gt": ""}}, batch_size=1000)
        return [row for row in rows if row["person"] is None and is_within(row["community"], unit)]

    # -- prove ----------------------------------------------------------------------------------------------------

    def differing(self) -> list[str]:
        """Compare everything here with the records, of every district; gives what differs, by name."""
        tallies = list(self.wide("tallies").find({}, batch_size=20))
        broken = [
            f"whistle/{row['_id']}: 件数与明细不符 / its sums are not those of its rows"
            for row in tallies
            if domain.sums_in(row) != domain.recounted(row["rows"].values())
        ]
        there = {
            f"tallies/{row['district']}/{id}": (row["district"], id, entry)
            for row in tallies
            for id, entry in row["rows"].items()
        }
        for collection in ROWS:
            for row in self.wide(collection).find({}, batch_size=500):
                there[f"{collection}/{row['_id']}"] = row["district"], row["whistle"], row
        suspects = set()
        for row in self.wide("whistles").find({}, {"history": 0}, batch_size=200):
            rows = domain.rows_of(row["id"], row["version"], Whistle(**row["state"]))
            for name, wanted in domain.flat(row["_id"], rows).items():
                if not is_so(there.pop(name, (0, 0, {}))[2], wanted):
                    suspects.add((row["district"], row["id"]))
        suspects |= {(district, id) for district, id, _ in there.values()}
        if suspects:
            time.sleep(LAG)  # what was done a moment ago may not have been heard
        return broken + [fault for district, id in sorted(suspects) for fault in self.enter(district).wrong(id)]

    def wrong(self, id: str) -> list[str]:
        """Name what differs from the record of one whistle."""
        row = self.rows("whistles").find_one({"_id": self.key(id)}, {"history": 0})
        whistle = Whistle(**row["state"]) if row else Whistle()
        wanted = domain.flat(self.key(id), domain.rows_of(id, row["version"], whistle)) if row else {}
        there: dict[str, dict] = {}
        for collection in ROWS:
            keys = [self.key(id), *(self.key(id, each) for each in whistle.summonses)]
            there |= {f"{collection}/{row['_id']}": row for row in self.rows(collection).find({"_id": {"$in": keys}})}
        if entry := row and self.entry(domain.shard_of(whistle.community, id), id):
            there[f"tallies/{self.key(id)}"] = entry
        return [
            f"whistle/{self.key(id)}: {name.partition('/')[0]} 与记录不符 / {name} is not what the record says"
            for name in sorted(wanted.keys() | there.keys())
            if name not in wanted or not is_so(there.get(name, {}), wanted[name])
        ]


def page_of(rows: list[dict], fit: list[dict], limit: int, most: int) -> dict:
    """Give a page of those that fit of so many rows at most; ``next`` goes on after the last that was looked at."""
    if len(fit) > limit:
        return {"items": fit[:limit], "next": fit[limit - 1]["turn"]}
    return {"items": fit, "next": rows[-1]["turn"] if len(rows) == most else None}


def is_so(row: dict, wanted: dict) -> bool:
    """Say whether a row says what it should, whichever version wrote it."""
    return bool(row) and all(row.get(name) == value for name, value in wanted.items() if name != "version")
