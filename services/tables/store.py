"""Tables on their way in: kept as rows while they wait to be carried out, and gone when they are.

Each kind of table is a subclass that judges rows against what is there, and carries one row out by its service's own
ledgers. Rows are personal data in passing: they are emptied with the last step, or after a day (PIPL Art. 19).
"""

import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from pymongo import ASCENDING
from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.ledger import Store, digest
from services.process import aside
from services.tables import domain
from services.tables.domain import Judged, Row
from shared.caller import Caller
from shared.contracts.rows import Kind
from shared.errors import Conflict, Invalid, NotFound, Refusal
from shared.running import log, real_now

KEPT = timedelta(days=1)
SHARE = 100  # rows in one document, far below 16 MB
LEASE = timedelta(seconds=60)  # real time that a worker has for one step: after it a worker of ours is cut short anyway
STEP = 50  # rows that are asked about at once, and between two notes of how far it has come
TURN = 20.0  # seconds that one table has before the next


class Tables(Store):
    """The tables of one kind that the caller's district brings in."""

    kind: Kind
    usual: str  # the column that a refusal is about unless it says otherwise
    columns: dict[str, str] = {}  # what the order's fields are called in the table, where it is something else
    indexes = {
        "tables": [
            ([("due", ASCENDING)], {"sparse": True}),
            ([("expires_at", ASCENDING)], {"expireAfterSeconds": 0}),
        ],
        "tables_rows": [([("expires_at", ASCENDING)], {"expireAfterSeconds": 0})],
    }

    # -- what each kind says for itself ---------------------------------------------------------------------------

    def known(self, rows: list[Row]) -> Any:
        """Ask, in few questions, for all that rows are judged by."""
        raise NotImplementedError

    def judge(self, rows: list[Row], known: Any) -> tuple[list[str], list[dict]]:
        """Say of each good row whether it is new, changed or the same, and what is wrong; asks nothing of anybody."""
        raise NotImplementedError

    def ahead(self, rows: list[Row]) -> Any:
        """Ask, in few questions, for what the next rows are carried out by; it is as old as a step at the most."""

    def holding(self, rows: list[Row]) -> AbstractContextManager:
        """Hold what the next rows must be alone with while they are carried out; most kinds need nothing."""
        return nullcontext()

    def carry_out(self, table: str, row: Row, known: Any) -> None:
        """Carry one row out by the ledgers of its service, the same again when it comes again.

        ``known`` is what was asked ``ahead``; a row leaves in it what the rows after it may stand on.
        """
        raise NotImplementedError

    def ordered(self, rows: list[Row]) -> list[Row]:
        """Give the rows in the order in which they can be carried out."""
        return rows

    def reserve(self, rows: list[Row]) -> list[dict]:
        """Take what only one may have, before anything changes; gives what is wrong. Most kinds need nothing."""
        return []

    def sealed(self, texts: dict[str, str]) -> dict[str, str]:
        """Give a row's texts as they may lie in the database."""
        return texts

    def opened(self, texts: dict[str, str]) -> dict[str, str]:
        """Give a row's texts as they were."""
        return texts

    # -- check ----------------------------------------------------------------------------------------------------

    def key(self, id: str) -> str:
        return f"{self.caller.district}/{self.kind.name}/{id}"

    def beside(self, kind: type, caller: Caller | None = None) -> Any:
        """Give another store of the same service, narrowed alike."""
        return kind(self.database, caller or self.caller, self.now, self.process)

    def judged(self, rows: list[dict]) -> tuple[list[Row], Judged]:
        """Judge a table whole, beside the other work of this process."""
        read, wrong = aside(domain.read, self.kind, rows)
        known = self.known(read)
        outcomes, more = aside(self.judge, read, known)
        return read, domain.judged(outcomes, wrong + more)

    def check(self, id: str, rows: list[dict]) -> dict:
        """Judge a table and keep it to be carried out, if nothing speaks against it; the same again finds itself."""
        if not self.caller.district:
            raise Invalid("表格属于一个区 / A table belongs to a district", {"district": [""]})
        mark, table = digest(id, rows), self.rows("tables").find_one({"_id": self.key(id)})
        if table and (table["mark"], table["by"]["actor"]) != (mark, self.caller.actor):
            raise Conflict("编号已被使用,内容不同 / This id is already another table's")
        if table and table["state"] in ("running", "done"):
            return shown(table)
        read, judged = self.judged(rows)
        state, expires_at = "refused" if judged.errors else "checked", real_now() + KEPT
        if state == "checked":
            self.keep(id, read, expires_at)
        fresh = {
            "id": id, "kind": self.kind.name, "state": state, "mark": mark, "count": len(rows), "done": 0,
            "by": asdict(self.caller), "summary": judged.summary, "expires_at": expires_at, **judged.listed,
        }  # fmt: skip
        try:
            self.rows("tables").insert_one({"_id": self.key(id)} | fresh)
        except DuplicateKeyError:
            waiting = {"_id": self.key(id), "mark": mark, "state": {"$in": ["refused", "checked"]}}
            self.rows("tables").update_one(waiting, {"$set": fresh})
        return self.find(id)

    def keep(self, id: str, rows: list[Row], expires_at: Any) -> None:
        """Keep the rows of a table in shares; those that are kept already are the same."""
        plain = [{"sheet": row.sheet, "line": row.line, "values": self.sealed(row.texts)} for row in rows]
        shares = [
            {"_id": f"{self.key(id)}/{at}", "rows": plain[at : at + SHARE], "expires_at": expires_at}
            for at in range(0, len(plain), SHARE)
        ]
        try:
            self.rows("tables_rows").insert_many(shares)
        except BulkWriteError as error:
            if any(each["code"] != 11000 for each in error.details["writeErrors"]):
                raise
            for share in shares:  # kept by a check before this one, whose day is over sooner
                kept = {"rows": share["rows"], "expires_at": expires_at}
                self.rows("tables_rows").update_one({"_id": share["_id"]}, {"$set": kept})

    def kept(self, table: dict) -> Iterator[dict]:
        """Give the rows of a table, in their order."""
        for at in range(0, table["count"], SHARE):
            share = self.rows("tables_rows").find_one({"_id": f"{table['_id']}/{at}"})
            for row in (share or {"rows": ()})["rows"]:
                yield row | {"values": self.opened(row["values"])}

    def find(self, id: str) -> dict:
        """Find a table that the caller has brought; another's is not found, for its errors quote its rows."""
        return shown(self.mine(id))

    def mine(self, id: str) -> dict:
        table = self.rows("tables").find_one({"_id": self.key(id)})
        if not table or table["by"]["actor"] != self.caller.actor:
            raise NotFound(f"没有这张表,或已过期({id}) / No such table, or it has expired ({id})")
        return table

    # -- carry out ------------------------------------------------------------------------------------------------

    def begin(self, id: str) -> dict:
        """Have a checked table carried out, in the name of whoever says so; again, it says how far that has come."""
        self.mine(id)
        began = {"state": "running", "due": real_now(), "by": asdict(self.caller), "expires_at": real_now() + KEPT}
        self.rows("tables").update_one({"_id": self.key(id), "state": "checked"}, {"$set": began})
        if (table := self.mine(id))["state"] == "refused":
            raise Conflict("表中有错,未导入任何一行 / There are errors in it, so no row of it goes in")
        return shown(table)

    def claim(self) -> dict | None:
        """Claim a table of this kind that is to be carried out, of any district; no other replica has it then."""
        late = {"due": {"$lte": real_now()}}
        for table in self.wide("tables").find(late, {"errors": 0}).sort("due", 1).limit(20):
            if table["kind"] == self.kind.name:
                claimed = {"due": real_now() + LEASE, "claim": secrets.token_hex(8)}
                asked = {"_id": table["_id"], "due": table["due"]}
                if self.wide("tables").update_one(asked, {"$set": claimed}).matched_count:
                    return table | claimed
        return None

    def run(self) -> None:
        """Carry out what waits: each table in its turn, from where it stands, also where a worker has died at it."""
        end = time.monotonic() + TURN
        while time.monotonic() < end and (table := self.claim()):
            by = {name: tuple(value) if isinstance(value, list) else value for name, value in table["by"].items()}
            self.beside(type(self), Caller(**by)).run_one(table, end)

    def run_one(self, table: dict, end: float) -> None:
        """Judge a table whole once more, then carry out its rows in their order until the turn is over."""
        try:
            rows = list(self.kept(table))
        except Refusal as refusal:
            self.refuse(table, [Row("", 0, {}).wrong(self.kind, "", refusal.detail)], table["summary"])
            return
        if not table.get("vetted") and not self.vet(table, rows):
            return
        read = self.ordered(aside(domain.read, self.kind, rows)[0])
        done, late = table["done"], []
        while done < len(read) and time.monotonic() < end:
            step = read[done : done + STEP]
            with self.holding(step):
                known = self.ahead(step)
                for row in step:
                    late += self.attempt(table["id"], row, known)
            done = min(done + STEP, len(read))
            # What was overtaken between the second look and its turn is said, and does not stop the rest.
            said = {"$push": {"errors": {"$each": late}}} if late else {}
            if not self.note(table, {"$set": {"done": done, "due": real_now() + LEASE}} | said):
                return
            late = []
        if done < len(read):
            self.note(table, {"$set": {"due": real_now()}})
            return
        self.empty(table)
        self.note(table, {"$set": {"state": "done"}, "$unset": {"due": "", "claim": "", "mark": ""}})
        log("table done", kind=self.kind.name, id=table["id"], count=table["count"], district=self.caller.district)

    def vet(self, table: dict, rows: list[dict]) -> bool:
        """Look once more at all that could refuse, and refuse the whole rather than bring half of it in."""
        read, judged = self.judged(rows)
        if len(rows) != table["count"]:
            errors = [Row("", 0, {}).wrong(self.kind, "", "已过期,请重新上传 / Expired: please upload it again")]
        else:
            errors = judged.errors or self.reserve(read)
        if not errors:
            return self.note(table, {"$set": {"vetted": True, "summary": judged.summary}})
        self.refuse(table, errors, judged.summary)
        return False

    def refuse(self, table: dict, errors: list[dict], summary: dict) -> None:
        """Carry a table out no further, and say why."""
        fresh = {"state": "refused", "summary": summary} | Judged({}, errors).listed
        if self.note(table, {"$set": fresh, "$unset": {"due": "", "claim": ""}}):
            self.empty(table)

    def attempt(self, table: str, row: Row, known: Any) -> list[dict]:
        try:
            self.carry_out(table, row, known)
        except Refusal as refusal:
            return list(domain.refused(self.kind, row, refusal, self.columns, self.usual))
        return []

    def note(self, table: dict, change: dict) -> bool:
        """Note how far a table has come, unless another worker has it by now."""
        return self.rows("tables").update_one({"_id": table["_id"], "claim": table["claim"]}, change).matched_count == 1

    def empty(self, table: dict) -> None:
        """Drop the rows of a table; what is left of them is a number."""
        for at in range(0, table["count"], SHARE):
            self.rows("tables_rows").update_one({"_id": f"{table['_id']}/{at}"}, {"$set": {"rows": []}})

    # -- go out ---------------------------------------------------------------------------------------------------

    def page(self, found: Iterable[tuple[str, dict]], limit: int) -> dict:
        """Give a page of rows: ``found`` gives each with where it stands, one more than the page takes if there is."""
        items, here, more = [], None, False
        for place, row in found:
            if len(items) == limit:
                more = True
                break
            said = self.kind.row.dump(row)
            items.append({"values": {name: text for name, text in said.items() if text is not None}})
            here = place
        return {"items": items, "next": here if more else None}


def shown(table: dict) -> dict:
    """Give a table as its owner sees it."""
    names = ("id", "kind", "state", "count", "done", "summary", "errors", "more_errors")
    return {name: table[name] for name in names}
