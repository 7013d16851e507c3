"""What the whistle service asks Mongo: its whistles, the photos in them, its own copy of the districts' settings."""

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.ledger import Ledger, Record, Store
from services.whistle.domain import acts
from services.whistle.domain import whistles as domain
from shared.contracts.settings import CITY
from shared.errors import Invalid, NotFound
from shared.rules.codes import district_of

LOOK = 200
SPANS = (1, 8, 64, 512, 4_096, 32_768, 1_000_000)  # hours: seven questions for the rarest whistles, one for the usual
UNUSED = timedelta(days=1)
FRESH = 2.0
REMEMBERED: dict[tuple, tuple[float, dict]] = {}  # bounded by Beijing's communities


class Whistles(Ledger):
    """The whistles of one district."""

    service, collection, kind, evolve = "whistle", "whistles", domain.Whistle, staticmethod(domain.evolve)
    indexes = {
        "whistles": [
            ([("district", ASCENDING), ("state.blown_at", DESCENDING)], {}),
            ([("district", ASCENDING), ("state.community", ASCENDING), ("state.blown_at", DESCENDING)], {}),
        ]
    }

    def blown_before(self, id: str, order: str, texts: dict) -> Record | None:
        """Find what this very order blew; another order under the same id raises ``Conflict``, none gives None."""
        row = self.rows("whistles").find_one({"_id": self.key(id)})
        if not row:
            return None
        known, first = self.with_words([self.record_of(row)])[0], row["history"][0]
        by = first["data"].get("order"), first["actor"]
        acts.must_be_the_same(
            by == (order, self.caller.actor) and acts.said_before(known.words, known.state.words, texts)
        )
        return known

    def bare(self, id: str) -> Record:
        """Find one record without its words: for what follows from facts, which never carry any."""
        row = self.rows("whistles").find_one({"_id": self.key(id)}, {"history": 0})
        if not row:
            raise NotFound(f"本区没有这一件({id}) / No such thing in this district ({id})")
        return self.record_of(row)

    def several(self, ids: list[str]) -> list[Record]:
        """Give these whistles with their words, in this order."""
        rows = self.rows("whistles").find({"_id": {"$in": [self.key(id) for id in ids]}}, {"history": 0}) if ids else ()
        records = self.with_words([self.record_of(row) for row in rows])
        return sorted(records, key=lambda record: ids.index(record.id))

    def texts(self, refs: list[str]) -> dict[str, dict]:
        """Give what was written under these references."""
        asked = Record("", self.caller.district, 0, None, refs=tuple(refs))
        return self.with_words([asked])[0].words

    def newest(self, stage: str | None, communities: list[str], limit: int, after: str | None) -> dict:
        """Give a page, newest first; ``after`` is the moment and id where the page before ended.

        Of a stage no more than ``LOOK`` whistles beyond the page are looked at; the next page goes on from there.
        """
        moment, _, id = (after or "").partition("~")
        try:
            until = datetime.fromisoformat(moment).astimezone(UTC) if after else self.now()
        except (ValueError, OverflowError):
            raise Invalid("页码无效 / That is not a page of ours", {"after": ["无效 / unknown"]}) from None
        asked: dict = {"state.community": {"$in": communities}} if communities else {}
        if len(communities) == 1:
            asked = {"state.community": communities[0]}
        records, seen, here, most = [], 0, None, limit + (LOOK if stage else 0)
        for row in self.backwards(asked, until, id if after else None, limit + 1):
            if len(records) == limit or seen == most:
                return {"items": self.with_words(records), "next": here}
            seen, here = seen + 1, f"{row['state']['blown_at'].isoformat()}~{row['id']}"
            if not stage or row["state"]["stage"] == stage:
                records.append(self.record_of(row))
        return {"items": self.with_words(records), "next": None}

    def backwards(self, asked: dict, until: datetime, id: str | None, batch: int) -> Iterator[dict]:
        """Give whistles from a moment on back to the first, read in portions; those of one moment by their ids.

        Span after span, each longer than the one before: the embedded database reads and sorts all that a question
        fits before it gives the first.
        """
        order, rows = [("state.blown_at", DESCENDING), ("id", ASCENDING)], self.rows("whistles")
        if id is not None:
            same = asked | {"state.blown_at": until, "id": {"$gt": id}}
            yield from rows.find(same, {"history": 0}, batch_size=batch).sort(order)
        for n, hours in enumerate(SPANS):
            since = until - timedelta(hours=hours)
            upper = "$lt" if n == 0 and id is not None else "$lte"
            span = asked | {"state.blown_at": {"$gt": since, upper: until}}
            yield from rows.find(span, {"history": 0}, batch_size=batch).sort(order)
            until = since


class Photos(Store):
    """Which photos a district keeps; the bytes lie in the blob store under the same digest.

    ``due`` says when a row is to be looked at: a day after it was kept, for what no words show by then goes (PIPL
    Art. 19, shortest retention), and from an erasure until its bytes are known to be gone.
    """

    indexes = {"photos": [([("due", ASCENDING)], {"sparse": True})]}

    def key(self, digest: str) -> str:
        return f"{self.caller.district}/{digest}"

    def keep(self, digest: str, **what) -> dict:
        """Keep a photo's row, before its bytes are: whatever fails then, a timer will look. Again, it finds the row."""
        fresh = {"due": self.now() + UNUSED}
        row = {"_id": self.key(digest), "digest": digest, "by": self.caller.actor, "kept_at": self.now(), **what}
        try:
            self.rows("photos").insert_one(row | fresh)
        except DuplicateKeyError:
            self.rows("photos").update_one({"_id": row["_id"]}, {"$unset": {"erased": ""}, "$set": fresh})
        return self.get(digest)

    def get(self, digest: str) -> dict:
        """Find a photo of this district that was not erased."""
        row = self.rows("photos").find_one({"_id": self.key(digest)})
        if not row or row.get("erased"):
            raise NotFound("没有这张照片,或已删除 / No such photo in this district, or it was erased")
        return row

    def types(self, words: dict) -> dict[str, str]:
        """Give the media types of all photos that these words show, as a proof has them, by their digests."""
        said = [word["photos"] for word in words.values() if word != "erased" and "photos" in word]
        shown = sorted({digest for word in said if word != "withheld" for digest in word["text"]})
        rows = self.rows("photos").find({"_id": {"$in": [self.key(digest) for digest in shown]}})
        return {row["digest"]: row["type"] for row in rows}

    def must_have(self, digests: list[str]) -> None:
        """Refuse an order whose photos were not uploaded here first."""
        missing = []
        for digest in digests:
            try:
                self.get(digest)
            except NotFound:
                missing.append(digest)
        if missing:
            raise Invalid("照片须先上传 / Photos have to be uploaded first", {"photos": missing})

    def is_shown(self, digest: str) -> bool:
        """Say whether words of this district show a photo."""
        return self.rows("whistles_words").find_one({"photos.text": digest}) is not None

    def look_soon(self, digests: list[str]) -> None:
        """Have a timer look at photos, should whoever erases their words not come to the end of it."""
        for digest in digests:
            self.rows("photos").update_one({"_id": self.key(digest)}, {"$set": {"due": self.now()}})

    def drop(self, digests: list[str]) -> list[str]:
        """Mark photos erased that no words show any more, and due until their bytes are gone; gives which."""
        gone = [digest for digest in digests if not self.is_shown(digest)]
        for digest in gone:
            self.rows("photos").update_one(
                {"_id": self.key(digest)}, {"$set": {"erased": self.now(), "due": self.now()}}
            )
        return gone

    def delete(self, blobs, digest: str) -> None:
        """Delete the bytes of a photo that is marked erased, then strike it from what is due."""
        for size in ("", ".thumb"):
            blobs.delete(self.key(digest) + size)
        self.rows("photos").update_one(
            {"_id": self.key(digest)}, {"$set": {"erased": self.now()}, "$unset": {"due": ""}}
        )

    def due(self) -> list[dict]:
        """Give the rows to be looked at, of every district, oldest first."""
        return list(self.wide("photos").find({"due": {"$lte": self.now()}}).sort("due", 1).limit(100))

    def look_at(self, blobs, row: dict) -> None:
        """Keep what words show; mark what they do not; delete what was marked a minute ago. Safe in any replica."""
        digest, key = row["digest"], {"_id": row["_id"], "due": row["due"]}
        if self.is_shown(digest):
            self.rows("photos").update_one(key, {"$unset": {"due": "", "erased": ""}})
        elif row.get("erased"):
            self.delete(blobs, digest)
        else:
            # An order that shows it may be on its way: nobody finds it from now on, and a minute later it goes.
            later = {"erased": self.now(), "due": self.now() + timedelta(minutes=1)}
            self.rows("photos").update_one(key, {"$set": later})


class Districts(Store):
    """This service's own copy of what the roster told: communities and settings; it can be built anew from facts."""

    def opened(self, fact: dict) -> None:
        """Copy a district's communities, each under its own code, and its first settings."""
        rows = [{"_id": code} for code in fact["data"]["communities"]]
        try:
            self.rows("communities").insert_many(rows)
        except BulkWriteError as error:
            if any(each["code"] != 11000 for each in error.details["writeErrors"]):
                raise
        self.set(fact)

    def know(self, code: str) -> None:
        """Copy a community that came to be."""
        with suppress(DuplicateKeyError):
            self.rows("communities").insert_one({"_id": code})

    def set(self, fact: dict) -> None:
        """Copy settings, unless what we have is newer: facts may come late or twice."""
        version, key = int(fact["id"].rpartition("/")[2]), self.caller.district
        fresh = {"settings": fact["data"]["settings"], "version": version}
        try:
            self.rows("settings").insert_one({"_id": key, **fresh})
        except DuplicateKeyError:
            self.rows("settings").update_one({"_id": key, "version": {"$lt": version}}, {"$set": fresh})

    def rules(self) -> tuple[dict, int]:
        """Give what holds in the caller's district and its version, remembered for ``FRESH`` seconds."""
        row = self.remembered("settings", self.caller.district)
        if not row:
            raise NotFound("本区尚未开通 / This district is not open yet")
        return CITY | row["settings"], row["version"]

    def must_know(self, community: str) -> None:
        """Refuse a community that is not one of this district's."""
        if district_of(community) != self.caller.district or not self.remembered("communities", community):
            raise Invalid("本区没有这个社区 / No such community in this district", {"community": [community]})

    def remembered(self, collection: str, key: str) -> dict | None:
        """Find a row by its id; one that was found is not asked for again within ``FRESH`` seconds."""
        place = (self.database.name, self.caller.district, collection, key)
        until, row = REMEMBERED.get(place, (0.0, None))
        if time.monotonic() > until:
            if row:  # one asks anew, and others go by what was known until the answer is here
                REMEMBERED[place] = (time.monotonic() + FRESH, row)
            row = self.rows(collection).find_one({"_id": key})
            if row:
                REMEMBERED[place] = (time.monotonic() + FRESH, row)
        return row
