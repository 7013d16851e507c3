"""Holds what several records must not be decided about at once: a unit and what hangs on it, somebody and their leaves.

A record's own version guards the record. Where a rule looks at other records too, whoever writes either of them first
claims what both are about, by a row that only one can insert; decides on what is there then; records; lets go.
"""

import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pymongo
from pymongo import ASCENDING
from pymongo.errors import BulkWriteError

from services.ledger import Store
from shared.errors import Unavailable
from shared.running import real_now

PATIENCE = 2.0  # seconds that one waits for another
HOLD = 20.0  # seconds in which whoever holds may still write
LEASE = timedelta(seconds=25)  # and after which whoever died holding is overtaken
BUSY = "此处正有人办理,请再试一次 / Somebody is at it just now: please try again"


class Claims(Store):
    """One at a time, by unit or by person."""

    indexes = {"claims": [([("until", ASCENDING)], {"expireAfterSeconds": 0})]}

    @contextmanager
    def of(self, *what: str | None, patience: float = PATIENCE) -> Iterator[None]:
        """Hold some things, all or none of them; raises ``Unavailable`` where others do not let go of them."""
        keys, mine = sorted({f"{self.caller.district}/{each}" for each in what if each}), secrets.token_hex(8)
        end = time.monotonic() + patience
        try:
            while not self.take(keys, mine):
                self.let_go(keys, mine)  # two who each hold what the other wants would wait for ever
                if time.monotonic() > end:
                    raise Unavailable(BUSY)
                time.sleep(random.uniform(0.02, 0.08))
            with pymongo.timeout(HOLD):
                yield
        finally:
            self.let_go(keys, mine)

    def take(self, keys: list[str], mine: str) -> bool:
        """Try to claim all of these; also what somebody holds whose time is over."""
        now = real_now()
        fresh = {"by": mine, "until": now + LEASE}
        try:
            if keys:
                self.rows("claims").insert_many([{"_id": key} | fresh for key in keys])
        except BulkWriteError as error:
            if any(each["code"] != 11000 for each in error.details["writeErrors"]):
                raise
            lost = [keys[each["index"]] for each in error.details["writeErrors"]]
            late = ({"_id": key, "until": {"$lt": now}} for key in lost)
            return all(self.rows("claims").update_one(each, {"$set": fresh}).matched_count for each in late)
        return True

    def let_go(self, keys: list[str], mine: str) -> None:
        """Let go of what is held under one's own mark."""
        if keys:
            self.wide("claims").delete_many({"_id": {"$in": keys}, "by": mine})
