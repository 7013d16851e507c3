"""What a service's process has: its database client, its voice on the bus, and the teller of what is saved."""

import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import amqp
import eventlet
import pymongo
from eventlet import GreenPool, tpool
from eventlet.queue import Empty, Full, LightQueue
from eventlet.semaphore import Semaphore
from kombu import Connection
from kombu.exceptions import OperationalError
from pymongo.collection import Collection

from services import epochs
from services.entrypoints import GONE
from services.epochs import Epoch, Epochs
from services.inserts import Inserts
from services.ledger import Ledger
from shared.running import log

ASIDE = Semaphore(2)
GATHER = 0.04  # seconds in which facts are gathered: the answer goes out first, and fewer batches are confirmed


def aside(work: Callable, *args: Any) -> Any:
    """Do work that holds the processor in a thread of its own, two at once at most, while others go on."""
    with ASIDE:
        return tpool.execute(work, *args)


def each_aside(work: Callable, things: Iterable[Any]) -> list:
    """Do the same work for each thing, two at once, while whoever else wants something done aside has their turn."""
    return list(GreenPool(2).imap(partial(aside, work), things))


class Speaker:
    """One broker connection that one green thread at a time publishes by, under our own verified name.

    With ``confirm`` a batch is over when the broker has taken every message of it.
    """

    def __init__(self, uri: str, confirm: bool):
        self.uri, self.confirm, self.connection, self.channel = uri, confirm, None, None
        self.user, self.is_stale = Connection(uri).userid, False
        self.lock = Semaphore()

    def connect(self) -> None:
        self.connection = Connection(self.uri, connect_timeout=3, heartbeat=0)
        self.connection.connect()
        self.channel = self.connection.channel()
        self.published, self.open, self.refused, self.is_stale = 0, set(), False, False
        if self.confirm:
            self.channel.confirm_select()
            self.channel.events["basic_ack"].add(self.on_ack)
            self.channel.events["basic_nack"].add(self.on_nack)

    def on_ack(self, tag: int, multiple: bool) -> None:
        self.open = {each for each in self.open if each > tag} if multiple else self.open - {tag}

    def on_nack(self, tag: int, multiple: bool) -> None:
        self.refused = True
        self.on_ack(tag, multiple)

    def say(self, messages: list[tuple[str, str, bytes, dict]]) -> None:
        """Publish ``(exchange, key, body, properties)`` each; raises when the broker is away or has refused one."""
        with self.lock:
            try:
                if self.channel is None or self.is_stale:
                    self.close()
                    self.connect()
                self.refused = False
                self.publish(messages)
                limit = time.time() + 10
                while self.open and time.time() < limit:
                    self.connection.drain_events(timeout=10)
                if self.open or self.refused:
                    raise OperationalError("the broker did not take every message")
            except BaseException:
                self.close()
                raise

    def publish(self, messages: list[tuple[str, str, bytes, dict]]) -> None:
        """Publish all of a batch in one write: each write to the socket costs as much as making the message does."""
        transport, said = self.connection.connection.transport, bytearray()
        write, transport._write = transport._write, said.extend
        try:
            for exchange, key, body, properties in messages:
                message = amqp.Message(body, content_type="application/json", user_id=self.user, **properties)
                self.channel.basic_publish(message, exchange=exchange, routing_key=key)
        finally:
            transport._write = write
        if self.confirm:
            self.open |= set(range(self.published + 1, self.published + len(messages) + 1))
            self.published += len(messages)
        if said:
            transport.write(said)

    def close(self) -> None:
        """Let go of the connection; the next word opens another."""
        connection, self.connection, self.channel = self.connection, None, None
        with suppress(*GONE):
            connection.collect()


def keep_on(queue: LightQueue, most: int, act: Any, failed: str, gather: float = 0.0) -> None:
    """Act on what comes, in batches that are gathered for so many seconds, for ever."""
    while True:
        batch = [queue.get()]
        if gather:
            eventlet.sleep(gather)
        with suppress(Empty):
            while len(batch) < most:
                batch.append(queue.get_nowait())
        try:
            act(batch)
        except Exception as error:
            log(failed, count=len(batch), why=type(error).__name__)
            eventlet.sleep(0.2)


class Process:
    """What the worker pools of one process share."""

    def __init__(self, config: dict[str, str]):
        self.config = config
        self.client: pymongo.MongoClient = pymongo.MongoClient(config["MONGO_URI"], tz_aware=True, maxPoolSize=32)
        self.database = self.client[config["MONGO_DB"]]
        self.voice = Speaker(config["AMQP_URI"], confirm=False)
        self.teller = Speaker(config["AMQP_URI"], confirm=True)
        self.answers: LightQueue = LightQueue()
        self.untold: LightQueue = LightQueue(2_000)
        self.epochs = Epochs(self.database)
        self.inserts: dict[tuple[str, ...], Inserts] = {}
        self.listening: dict[str, bool] = {}
        self.database_seen = 0.0
        # An answer that cannot be sent is dropped: its caller's patience has an end.
        eventlet.spawn(keep_on, self.answers, 64, self.voice.say, "answers dropped")
        # What cannot be told stays untold in the database, where tell_untold finds it.
        eventlet.spawn(keep_on, self.untold, 100, self.tell_batch, "telling failed", GATHER)
        eventlet.spawn(self.strike_on)

    def insert(self, *steps: tuple[Collection, list[dict]]) -> None:
        """Insert rows, collection after collection, each together with what others insert into it just now."""
        way = tuple(collection for collection, _ in steps)
        names = tuple(collection.name for collection in way)
        self.inserts.setdefault(names, Inserts(way)).insert([rows for _, rows in steps])

    def answer(self, to: str, correlation: str, body: dict) -> None:
        """Have an answer sent to whoever asked."""
        properties = {"correlation_id": correlation, "delivery_mode": 1}
        self.answers.put(("replies", to, json.dumps(body).encode(), properties))

    def begin(self, ledger: type[Ledger]) -> tuple[Epoch, str]:
        """Note that something is about to be saved, which will have to be told; gives the reference of its words."""
        return self.epochs.begin(ledger)

    def tell(self, ledger: type[Ledger], epoch: Epoch, row: dict, entries: list[dict]) -> None:
        """Have saved entries told soon; when too many wait already, ``tell_untold`` will find their note."""
        with suppress(Full):
            self.untold.put_nowait((ledger, epoch, row, entries))

    def tell_batch(self, batch: list[tuple[type[Ledger], Epoch | None, dict, list[dict]]]) -> None:
        """Publish each entry as a fact and wait until the broker has all of them."""
        messages = []
        for ledger, _, row, entries in batch:
            for entry in entries:
                fact = ledger.envelope(row["record"], entry)
                routing = f"{fact['type']}.{fact['district'] or 'all'}.{fact['to']}"
                properties = {"delivery_mode": 2, "message_id": fact["id"], "type": fact["type"]}
                messages.append((f"{ledger.service}.events", routing, json.dumps(fact).encode(), properties))
        self.teller.say(messages)
        for _, epoch, row, _ in batch:
            if epoch:
                epoch.end(row["_id"], "said" not in row)

    def strike_on(self) -> None:
        """Strike what was told, twice a second, some at once; what cannot be struck now is struck later."""
        while True:
            eventlet.sleep(0.5)
            try:
                self.epochs.strike()
            except Exception as error:
                log("striking failed", why=type(error).__name__)

    def tell_untold(self, store: Ledger) -> int:
        """Tell what was saved and not told in time, until nothing late is left; gives how many saves."""
        count = 0
        self.teller.say([])  # raises while the broker is away: a share that cannot be told is not claimed
        while share := epochs.claim(store):
            for n in range(0, len(share.saved), 100):
                self.tell_batch([(type(store), None, *each) for each in share.saved[n : n + 100]])
            epochs.settle(store, share)
            count += len(share.saved)
        return count

    def finish(self) -> None:
        """Say what is still to be said before the process ends, two seconds at the most."""
        with eventlet.Timeout(2, False):
            eventlet.sleep(2 * GATHER)  # what is being gathered is in no queue
            speaking = self.voice.lock, self.teller.lock
            while self.answers.qsize() or self.untold.qsize() or any(each.locked() for each in speaking):
                eventlet.sleep(0.02)
            while not self.epochs.is_struck:
                eventlet.sleep(0.02)

    def set_listening(self, queue: str, listens: bool) -> None:
        """Note whether a queue is consumed; who lost its broker there has no good connection to speak by either."""
        self.listening[queue] = listens
        if listens:
            log("listening", queue=queue)
        else:
            self.voice.is_stale = self.teller.is_stale = True

    def watch_database(self) -> None:
        """Ask the database whether it is there, every second, so that readiness answers at once."""
        while True:
            try:
                with pymongo.timeout(2):
                    self.client.admin.command("ping")
                self.database_seen = time.time()
            except Exception as error:
                log("database away", why=type(error).__name__)
            eventlet.sleep(1)

    def ready(self) -> dict[str, bool]:
        """Say what works: ``{check: bool}``."""
        return {"database": time.time() - self.database_seen < 5, **self.listening}
