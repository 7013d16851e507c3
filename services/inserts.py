"""Inserts of one process that come at the same time go to the database together."""

from itertools import islice

import eventlet
import pymongo
from bson import encode
from bson.raw_bson import RawBSONDocument
from eventlet.event import Event
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DuplicateKeyError, WriteConcernError, WriteError, WTimeoutError

MOST, SECONDS = 6, 5.0  # callers in one round, and how long it may take: a caller's patience
# Of more callers each waits for all: they are answered at once, come back at once, and the database waits for them.

Rows = list[RawBSONDocument]


def error_of(said: dict) -> Exception:
    """Make of what a batch says about one of its rows the error that this row's own insert would have raised."""
    what = said.get("errmsg"), said.get("code"), said
    if "index" in said:
        return DuplicateKeyError(*what) if said["code"] == 11000 else WriteError(*what)
    is_late = said.get("code") == 50 or said.get("errInfo", {}).get("wtimeout")
    return WTimeoutError(*what) if is_late else WriteConcernError(*what)


def insert(collection: Collection, rows: Rows) -> dict[int, Exception]:
    """Insert rows in one round trip; gives what kept rows from being saved, by their place."""
    try:
        if len(rows) == 1:
            collection.insert_one(rows[0])
        elif rows:
            collection.insert_many(rows, ordered=False)
    except BulkWriteError as error:
        # A write concern that was not met is every row's; what is wrong with a row itself comes first.
        unsure = [error_of(each) for each in error.details["writeConcernErrors"][:1]] * len(rows)
        wrong = {each["index"]: error_of(each) for each in error.details["writeErrors"]}
        return dict(enumerate(unsure)) | wrong
    except Exception as error:
        return dict.fromkeys(range(len(rows)), error)
    return {}


class Inserts:
    """Inserts along one way of collections: those that come while others are under way go together afterwards.

    One journaled round trip carries many rows then; what comes alone goes at once. A round has everybody's
    rows in the first collection before it goes on to the second.
    """

    def __init__(self, way: tuple[Collection, ...]):
        self.way, self.is_going = way, False
        self.waiting: dict[Event, list[Rows]] = {}

    def insert(self, steps: list[list[dict]]) -> None:
        """Save rows for each collection; raises what kept one of them from it, never another caller's."""
        # Written as BSON here, so that a row that cannot be written fails alone.
        mine = [
            [RawBSONDocument(encode(row, codec_options=collection.codec_options)) for row in rows]
            for collection, rows in zip(self.way, steps, strict=True)
        ]
        if error := self.wait(mine) if self.is_going else self.go_alone(mine):
            raise error

    def go_alone(self, rows: list[Rows]) -> Exception | None:
        """Save rows at once, for nobody is under way; whoever comes meanwhile is seen to afterwards."""
        self.is_going, alone = True, Event()
        try:
            return self.save({alone: rows}).get(alone)
        finally:
            self.is_going = bool(self.waiting)
            if self.waiting:
                eventlet.spawn_n(self.go_on)

    def wait(self, rows: list[Rows]) -> Exception | None:
        """Wait for the round that saves these rows."""
        saved = Event()
        self.waiting[saved] = rows
        try:
            return saved.wait()
        finally:
            self.waiting.pop(saved, None)  # nobody works for someone who has left before the round began

    def go_on(self) -> None:
        """Save round after round until nobody waits, in a thread of its own: no caller's deadline ends a round."""
        try:
            while self.waiting:
                eventlet.sleep(0)  # who is about to come, comes along
                batch = {saved: self.waiting.pop(saved) for saved in list(islice(self.waiting, MOST))}
                failed = self.save(batch)
                for saved in batch:
                    saved.send(failed.get(saved))
        finally:
            self.is_going = False

    def save(self, batch: dict[Event, list[Rows]]) -> dict[Event, Exception]:
        """Insert the rows of one round, collection after collection; gives what kept whose rows from being saved."""
        failed: dict[Event, Exception] = {}
        with pymongo.timeout(SECONDS):
            for place, collection in enumerate(self.way):
                going = [(saved, row) for saved in batch if saved not in failed for row in batch[saved][place]]
                errors = insert(collection, [row for _, row in going])
                failed |= {going[n][0]: error for n, error in errors.items()}
        return failed
