"""The district's facts as they are told, to whoever may see them: server-sent events, no cursors kept for anyone.

A ring of recent facts for each district and a bounded queue for each listener. What a listener gets: the fact's
envelope without ``actor`` (who did it is asked for, not broadcast), ``traceparent`` (ours) and ``hash`` (the history
proves itself at /v1/whistles/<id>/history). A fact may come twice; its id is the same then.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, Full, Queue

from prometheus_client import Gauge
from werkzeug.exceptions import TooManyRequests

from gateway.sessions import Signed
from shared import running
from shared.contracts.permissions import may
from shared.errors import Unavailable

OPEN = Gauge("huying_streams_open", "Open streams", multiprocess_mode="livesum")
DROPPED = Gauge("huying_streams_dropped", "Streams ended because their listener was slow", multiprocess_mode="livesum")

HEARTBEAT = 15.0
RING = 2000
WAITING = 256
# Two gateways may hear two services' facts in another order: a resumed stream begins a little before the known fact.
OVERLAP = 2.0
UNTOLD = ("actor", "traceparent", "hash")
COMMUNITY_SIDE = frozenset({"steward", "worker", "secretary", "street", "district"})
# Facts about people and programs are for those who look after them; all others are for every listener of the district.
ALSO_NEEDS = {"/identity": "person.revoke", "/plugins": "plugin.read"}
NOTHING_YET = "nothing-yet"
ENDED = object()


@dataclass(frozen=True)
class Told:
    """One fact in the ring: written once, sent to many."""

    id: str
    at: float
    source: str
    to: str
    subject: str
    frame: bytes


def frame(id: str, event: str, data: dict) -> bytes:
    """Write one event as its bytes on the wire."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {id}\nevent: {event}\ndata: {text}\n\n".encode()


class Listener:
    """One open stream: an iterable of frames for the web server, ended by its own reasons or by ``end``.

    ``district`` is the listener's own, or the one that a city observer visits.
    """

    def __init__(self, streams: "Streams", signed: Signed, last_id: str | None, district: str | None = None):
        self.streams, self.signed = streams, signed
        self.district = signed.district if district is None else district
        self.queue: Queue = Queue(streams.waiting)
        self.ending: tuple[str, dict] | None = None
        self.is_slow = self.is_over = False
        self.began, self.sent = time.monotonic(), 0
        self.when_over: Callable[[], None] | None = None
        self.opening = streams.join(self, last_id)

    def may_see(self, told: Told) -> bool:
        """Say whether this listener may see a fact of its district."""
        roles = self.signed.roles
        if told.source in ALSO_NEEDS and not may(roles, ALSO_NEEDS[told.source]):
            return False
        return told.to in ("all", self.signed.department) or not COMMUNITY_SIDE.isdisjoint(roles)

    def shape(self, told: Told) -> bytes:
        """Give what is sent of a fact."""
        return told.frame

    def give(self, data: bytes) -> None:
        """Hand over a frame; a listener whose queue is full is dropped, not waited for."""
        try:
            self.queue.put_nowait(data)
        except Full:
            self.is_slow = True

    def end(self, event: str, data: dict) -> None:
        """End the stream with a last event, at once, whatever still waits in the queue."""
        self.ending = (event, data)
        try:
            self.queue.put_nowait(ENDED)
        except Full:
            self.is_slow = True

    def __iter__(self) -> Iterator[bytes]:
        yield self.opening
        while not self.is_slow:
            left = self.signed.ends_at - time.time()
            if left <= 0:
                self.end("expired", {})
            try:
                data = self.queue.get(timeout=max(0.0, min(self.streams.heartbeat, left)))
            except Empty:
                data = b":\n\n" if left > self.streams.heartbeat else b""
            if self.ending:
                event, data = self.ending
                yield f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()
                return
            if self.is_slow:
                return
            if data:
                self.sent += 1
                yield data

    def close(self) -> None:
        """Leave; the web server calls this whichever way the stream ends."""
        if not self.is_over:
            self.is_over = True
            self.streams.leave(self)
            if self.when_over:
                self.when_over()


class Streams:
    """All listeners and recent facts of one gateway process."""

    def __init__(
        self,
        each: int = 10,
        most: int = 5000,
        heartbeat: float = HEARTBEAT,
        ring: int = RING,
        waiting: int = WAITING,
        overlap: float = OVERLAP,
    ):
        self.each, self.most, self.heartbeat, self.ring, self.waiting = each, most, heartbeat, ring, waiting
        self.overlap = overlap
        self.rings: dict[str, dict[str, Told]] = {}
        self.listeners: dict[str, set[Listener]] = {}
        self.people: Counter[str] = Counter()
        self.last_heard: dict[str, float] = {}
        self.lock = threading.Lock()

    def join(self, listener: Listener, last_id: str | None) -> bytes:
        """Take a listener in and give its first bytes: what it missed, or that it must load anew."""
        person, district = listener.signed.actor, listener.district
        with self.lock:
            if self.people.total() >= self.most:
                raise Unavailable("同时在线的连接已满 / No more streams can be open here just now")
            if self.people[person] >= self.each:
                raise TooManyRequests(f"每人最多 {self.each} 路 / {self.each} streams for each person", retry_after=30)
            # First among the listeners, then the ring is read: a fact told in between comes twice rather than never.
            self.listeners.setdefault(district, set()).add(listener)
            self.people[person] += 1
        OPEN.inc()
        ring = list(self.rings.get(district, {}).values())
        newest = next((told.id for told in reversed(ring) if listener.may_see(told)), NOTHING_YET)
        # An id without data moves the client's Last-Event-ID on and shows it nothing.
        opening = f"retry: 2000\nid: {newest}\n\n".encode()
        if not last_id:
            return opening
        known = next((told.at for told in ring if told.id == last_id), None)
        if known is None:
            return opening + frame(newest, "reload", {})
        missed = [told for told in ring if told.at >= known - self.overlap and told.id != last_id]
        frames = b"".join(listener.shape(told) for told in missed if listener.may_see(told))
        return b"retry: 2000\n\n" + frames + f"id: {newest}\n\n".encode()

    def leave(self, listener: Listener) -> None:
        """Let a listener go."""
        signed = listener.signed
        with self.lock:
            self.listeners.get(listener.district, set()).discard(listener)
            self.people[signed.actor] -= 1
            if self.people[signed.actor] <= 0:
                del self.people[signed.actor]
        OPEN.dec()
        if listener.is_slow:
            DROPPED.inc()
        why = "slow" if listener.is_slow else listener.ending[0] if listener.ending else "left"
        running.log(
            "stream closed",
            district=listener.district,
            actor=signed.actor,
            why=why,
            sent=listener.sent,
            seconds=round(time.monotonic() - listener.began, 1),
        )

    def hear(self, envelope: dict) -> None:
        """Take one fact from the bus: into its district's ring, and to those who may see it."""
        self.last_heard[envelope["source"].strip("/")] = time.time()
        district = envelope.get("district")
        if not district:
            return
        shown = {name: value for name, value in envelope.items() if name not in UNTOLD}
        told = Told(
            envelope["id"],
            time.monotonic(),
            envelope["source"],
            # What is confidential is told to the community and those above it, who read it too.
            "confidential" if envelope["data"].get("confidential") else envelope.get("to") or "all",
            envelope.get("subject", ""),
            frame(envelope["id"], envelope["type"], shown),
        )
        ring = self.rings.setdefault(district, {})
        # A fact that a service told again after a lost confirmation.
        if told.id in ring:
            return
        ring[told.id] = told
        if len(ring) > self.ring:
            del ring[next(iter(ring))]
        for listener in list(self.listeners.get(district, ())):
            if listener.may_see(told):
                listener.give(listener.shape(told))

    def begin_anew(self) -> None:
        """Say honestly that facts may have been missed: the bus was away, so nothing before this can be resumed."""
        self.rings.clear()
        for listener in self.everyone():
            listener.give(frame(NOTHING_YET, "reload", {}))

    def revoke(self, subject: str, before: float) -> None:
        """End the streams of a revoked person or session, or of a whole district."""
        for listener in self.everyone():
            signed = listener.signed
            if subject in signed.subjects and signed.made_at <= before:
                listener.end("ended", {"reason": "revoked"})

    def close(self) -> None:
        """End all streams, because this process stops; clients come back to another one."""
        for listener in self.everyone():
            listener.end("ended", {"reason": "restart"})

    def everyone(self) -> list[Listener]:
        """Give all listeners as they are just now."""
        return [listener for listeners in list(self.listeners.values()) for listener in list(listeners)]
