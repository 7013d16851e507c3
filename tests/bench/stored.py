"""Whistles of the past year by the thousand: each decided by the domain's own rules and folded by the ledger itself.

What is left out is the way over the bus: the rows are gathered in memory, where the ledger writes them act by act, and
inserted in bulk, with the rows of the views that a settled whistle leaves behind. Nothing is told of them.
"""

import random
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pymongo.database import Database

from services.epochs import Epoch
from services.roster.store.districts import divisions
from services.whistle.domain import calling
from services.whistle.domain import open as standing
from services.whistle.store import Open, Own, Whistles
from shared.caller import Caller
from shared.contracts import events
from shared.contracts.settings import CITY
from shared.running import new_trace
from tests.make_whistle import BLOW, ORDERS, RULE_OF, given

DISTRICT = "110102"
DEPARTMENTS = ["chengguan", "zhujian", "shichang", "weijian", "xiaofang", "shuiwu", "gongan", "zongzhi"]
KINDS = ["群众诉求", "重点工作", "综合执法", "应急处置"]
TEXTS = [
    "阳台向外扩出一米多，已有开裂。", "楼前垃圾三日未清，夏天味道很大，老人孩子绕着走。", "路灯不亮，晚上看不见台阶。",
    "装修夜里不停，已劝过两次。", "井盖松动，车过有响声，担心伤人。请尽快来人看一看，居民在现场等。",
]  # fmt: skip
BATCH = 250


class Gathered:
    """One collection, in memory until it is inserted in bulk: what a ledger and a view ask of it while they write."""

    def __init__(self):
        self.held: dict[str, dict] = {}

    def insert_one(self, row: dict) -> None:
        self.held[row["_id"]] = row

    def update_one(self, asked: dict, change: dict) -> "Counted":
        row = self.held.get(asked["_id"])
        if row is None:
            return Counted(0)
        assert asked["version"] == row["version"], "nobody else writes here"
        row.update(change["$set"])
        row["history"] += change["$push"]["history"]["$each"]
        return Counted(1)


class Counted:
    """How many rows a write found."""

    def __init__(self, count: int):
        self.matched_count = count


class Gathering(dict):
    """A database and a process to write with: whatever is inserted is gathered, and what is told goes nowhere."""

    name = "gathering"

    def __missing__(self, name: str) -> Gathered:
        return self.setdefault(name, Gathered())

    def begin(self, ledger: type) -> tuple[Epoch, str]:
        """Give an epoch of which there is no note: nothing in it is ever told."""
        epoch = Epoch()
        return epoch, epoch.begin()

    def insert(self, *steps: tuple[Gathered, list[dict]]) -> None:
        for collection, rows in steps:
            for row in rows:
                collection.insert_one(row)

    def tell(self, ledger: type, epoch: Epoch, row: dict, entries: list[dict]) -> None:
        """Tell nobody; strike what would be struck once it was told."""
        if "said" not in row:
            del self[f"{ledger.collection}_words"].held[row["_id"]]

    def flush(self, database: Database) -> None:
        """Insert in bulk what was gathered, words before records."""
        for name in sorted(self, key=lambda each: not each.endswith("_words")):
            if rows := list(self[name].held.values()):
                database[name].insert_many(rows, ordered=False)
        self.clear()


class Past:
    """Lives of whistles in one district, drawn from one seed: the same number gives the same rows, but for salts."""

    def __init__(self, seed: int = 1, until: datetime | None = None):
        self.chance, self.until = random.Random(seed), until or datetime.now(UTC)
        self.gathering, self.now = Gathering(), self.until
        self.people: dict[str, str] = {}
        self.categories = list(events.shipped())
        rows = [row for row in divisions() if row["level"] == "community" and row["code"].startswith(DISTRICT)]
        self.communities = sorted(row["code"] for row in rows)

    def person(self, seat: str) -> str:
        return self.people.setdefault(seat, str(uuid.UUID(int=self.chance.getrandbits(128), version=4)))

    def store(self, kind: type, actor: str, role: str, unit: str, department: str = "") -> Any:
        """Give a store as it is for somebody who acts now."""
        caller = Caller(DISTRICT, actor, (role,), unit, department, trace=new_trace())
        return kind(self.gathering, caller, lambda: self.now, self.gathering)

    def later(self, least: float, most: float) -> None:
        """Let hours go by."""
        self.now += timedelta(hours=self.chance.uniform(least, most))
        self.now = self.now.replace(microsecond=self.now.microsecond // 1000 * 1000)

    def live(self, n: int) -> str:
        """Have one whistle blown, numbered, answered by all who are called, confirmed and settled; gives its id."""
        chance, community = self.chance, self.chance.choice(self.communities)
        id, departments = str(uuid.UUID(int=chance.getrandbits(128), version=4)), chance.sample(DEPARTMENTS, 1 + n % 3)
        self.now = self.until - timedelta(days=chance.uniform(30, 360))
        self.later(0, 1)
        place = {"lon": round(116.33 + chance.random() * 0.09, 6), "lat": round(39.87 + chance.random() * 0.1, 6)}
        secretary = self.person(f"secretary@{community}"), "secretary", community
        answers = {
            each: {"person": self.person(f"{each}@{community}"), "seat": f"{each}@{community}", "instead_of": None,
                   "why": "在岗 / holds the seat"}
            for each in departments
        }  # fmt: skip
        world = given(rules=CITY | {"departments": DEPARTMENTS}, answers=answers)
        order = BLOW | {
            "kind": chance.choice(KINDS), "category": chance.choice(self.categories), "community": community,
            "departments": departments, "place": place, "title": "居民反映", "text": chance.choice(TEXTS),
        }  # fmt: skip
        record = self.store(Whistles, *secretary).begin(id, calling.blow, given=world, **order)
        self.later(0, 0.01)
        number = standing.number_of("街道", self.now.year, n)
        service = self.store(Whistles, "whistle", "service", "")
        record = service.change(record, calling.enter, number=number, recurrence_of=None)

        def act(name: str, actor: str, role: str, unit: str, department: str = "", **said) -> None:
            nonlocal record
            one = str(uuid.UUID(int=chance.getrandbits(128), version=4))
            order = ORDERS[name] | said | {"act": one, "given": world, "words": record.words}
            record = self.store(Whistles, actor, role, unit, department).change(record, RULE_OF[name], **order)

        for each in departments:
            specialist = answers[each]["person"], "specialist", DISTRICT, each
            self.later(0.1, 4)
            act("report", *specialist, place=place)
            self.later(1, 48)
            act("feed_back", *specialist, text=chance.choice(TEXTS))
        self.later(1, 24)
        act("confirm", *secretary)
        act("settle", *secretary, note="已办结。")
        rows = standing.rows_of(id, record.version, record.state)
        timer = self.store(Open, "timer", "timer", "")
        timer.insert("settled_whistles", {"_id": timer.key(id), **rows.settled, "version": rows.version})
        self.store(Own, secretary[0], "secretary", community).add(secretary[0], id, record.state.blown_at.isoformat())
        return id

    def fill(self, database: Database, count: int, say=print) -> Iterator[str]:
        """Add so many whistles that have ended, showing how far it is; yields their ids."""
        began = shown = time.monotonic()
        for n in range(1, count + 1):
            yield self.live(n)
            if n % BATCH == 0 or n == count:
                self.gathering.flush(database)
                if time.monotonic() - shown > (0.5 if sys.stdout.isatty() else 20) or n == count:
                    shown = time.monotonic()
                    text = f"  {n}/{count} 件已存 / stored, {n / (shown - began):.0f}/s"
                    print(f"\r{text}" if sys.stdout.isatty() else text, end="", flush=True)
                    if n == count or not sys.stdout.isatty():
                        print()


def size_of(folder: Path) -> float:
    """Give how many MB a folder takes on the disk."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()) / 1e6
