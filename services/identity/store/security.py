"""The security log: who did what, when, from where, and whether it was let happen (GB/T 22239-2019, 8.1.4.3).

Each process writes a book of its own, whose rows are linked by hashes; how far each book has come is told as a fact
now and then, so that its end cannot be cut off unseen.
"""

import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby

from pymongo import ASCENDING, DESCENDING

from services.identity import domain
from services.ledger import GENESIS, Ledger, Record, Store, link
from shared.errors import Invalid, NotFound
from shared.running import real_now

LONGEST_BOOK = 2_000  # rows, each of which may be sealed: a book's record stays far below what one document holds
OVERLAP = timedelta(minutes=2)


class Page:
    """Where this process writes next; one at a time, for each row holds the hash of the one before it."""

    def __init__(self):
        self.lock, self.looked_at = threading.Lock(), real_now() - timedelta(days=1)
        self.turn()

    def turn(self) -> None:
        """Begin a new book."""
        self.book, self.n, self.head = secrets.token_hex(12), 0, GENESIS


PAGE = Page()


class Security(Store):
    """The security log, read by district."""

    indexes = {
        "security": [
            ([("district", ASCENDING), ("at", DESCENDING)], {}),
            ([("at", ASCENDING)], {}),
            ([("book", ASCENDING), ("n", ASCENDING)], {}),
        ]
    }

    def write(self, what: str, ok: bool = True, **said: str) -> None:
        """Save one row; who did it, from where and in which district is the caller's, unless it is said."""
        caller = self.caller
        usual = {
            "district": caller.district, "who": caller.actor, "role": next(iter(caller.roles), ""), "whom": "",
            "address": caller.address, "about": "",
        }  # fmt: skip
        with PAGE.lock:
            if PAGE.n >= LONGEST_BOOK:
                PAGE.turn()
            row = {"book": PAGE.book, "n": PAGE.n + 1, "at": real_now(), "what": what, "ok": ok, **usual, **said}
            row["prev"] = PAGE.head
            row["hash"] = link(PAGE.book, row)
            try:
                self.database["security"].insert_one({"_id": f"{row['book']}/{row['n']:06}", **row})
            except BaseException:
                PAGE.turn()  # whether it was saved is not known, so nothing may be linked to it
                raise
            PAGE.n, PAGE.head = row["n"], row["hash"]

    def newest(self, since, until, what, who, limit: int, after: str | None) -> dict:
        """Give a page of the caller's district, newest first; ``after`` is the moment and id where it ended."""
        asked: dict = {name: value for name, value in {"what": what, "who": who}.items() if value}
        if since or until or after:
            asked["at"] = ({"$gte": since} if since else {}) | ({"$lt": until} if until else {})
        if after:
            moment, _, id = after.partition("~")
            try:
                moment = datetime.fromisoformat(moment).astimezone(UTC)
            except (ValueError, OverflowError):
                raise Invalid("页码无效 / That is not a page of ours", {"after": ["无效 / unknown"]}) from None
            asked["at"] |= {"$lte": moment}
        rows = self.rows("security").find(asked).sort([("at", DESCENDING), ("_id", DESCENDING)])
        found = []
        for row in rows:
            if after and row["at"] == moment and row["_id"] >= id:
                continue
            if len(found) == limit:
                last = found[-1]
                return {"items": found, "next": f"{last['at'].isoformat()}~{last['id']}"}
            found.append(row | {"id": row["_id"]})
        return {"items": found, "next": None}

    def grown(self) -> dict[str, tuple[int, str]]:
        """Give how far each book has come that was written in since this was asked last: ``{book: (n, hash)}``."""
        found: dict[str, tuple[int, str]] = {}
        since, PAGE.looked_at = PAGE.looked_at - OVERLAP, real_now()
        for row in self.wide("security").find({"at": {"$gte": since}}, {"book": 1, "n": 1, "hash": 1}):
            found[row["book"]] = max(found.get(row["book"], (0, "")), (row["n"], row["hash"]))
        return found

    def broken(self) -> Iterator[str]:
        """Name the first row of each book that does not hold, or an end that is missing; for ``make verify``."""
        seals = {row["id"]: row["state"] for row in self.wide("books").find({}, {"history": 0})}
        rows = self.wide("security").find({}).sort([("book", ASCENDING), ("n", ASCENDING)])
        for book, group in groupby(rows, key=lambda row: row["book"]):
            if fault := self.fault(book, group, seals.pop(book, {"n": 0, "head": ""})):
                yield fault
        for book in seals:
            yield f"security/{book}: 整册缺失 / the whole book is missing"

    @staticmethod
    def fault(book: str, rows: Iterator[dict], seal: dict) -> str | None:
        """Name what is wrong with one book, or None."""
        head, n, sealed = GENESIS, 0, GENESIS
        for n, row in enumerate(rows, 1):
            name = f"security/{row['_id']} ({row['what']})"
            if row["n"] != n or row["prev"] != head or row["_id"] != f"{book}/{n:06}":
                return f"{name}: 与前一行不相连 / does not follow the row before it"
            head = row["hash"]
            if head != link(book, {key: value for key, value in row.items() if key != "_id"}):
                return f"{name}: 内容被改动 / was changed after it was written"
            sealed = head if n == seal["n"] else sealed
        if n < seal["n"]:
            return f"security/{book}: 末尾缺失,应有 {seal['n']} 行 / its end is missing: {seal['n']} rows were sealed"
        if seal["n"] and sealed != seal["head"]:
            return f"security/{book}/{seal['n']:06}: 与封存的不同 / is not the one that was sealed"
        return None


class Books(Ledger):
    """How far each book of the security log is known to have come."""

    service, collection, kind, evolve = "identity", "books", domain.Book, staticmethod(domain.evolve_book)

    def get(self, id: str, history: bool = False) -> Record:
        """Find a book; one that was not sealed yet is at its beginning."""
        try:
            return super().get(id, history)
        except NotFound:
            return Record(id, self.caller.district, 0, self.kind())
