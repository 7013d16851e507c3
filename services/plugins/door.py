"""The plug-ins' door: takes what they ask from a queue each, and passes on what it may, no faster than their quota."""

import time
from contextlib import suppress
from functools import partial
from typing import Any

import eventlet
from amqp.exceptions import AMQPError
from eventlet.queue import LightQueue
from eventlet.semaphore import Semaphore
from kombu import Connection
from prometheus_client import Counter

from services.entrypoints import GONE, TIMER
from services.plugins import domain
from services.plugins.store import PlugIns
from shared.errors import Invalid, Refusal, Unauthenticated, Unavailable
from shared.running import clock, frames, log, new_trace

ASKED = Counter("huying_plugin_asked", "Questions of a plug-in, and what became of them", ["user", "outcome"])
HELD = 8  # questions of one plug-in that are taken at once
LONGEST = 30.0  # seconds that a plug-in may wait for an answer
LARGEST = 65_536
FOLLOW = 1.0  # seconds after which a change of a plug-in is known here at the latest
AWAY = "服务暂时不可用,请稍后再试 / The service is not available just now: please try again"


class Guest:
    """One plug-in at the door: what it asks is looked at one after the other, by a green thread of its own."""

    def __init__(self, door: "Door", user: str, plugin: domain.PlugIn):
        self.door, self.user, self.plugin = door, user, plugin
        self.pace(plugin.quota["calls_a_second"])
        self.waiting, self.channel = LightQueue(), None
        self.thread = eventlet.spawn(self.serve)

    def pace(self, rate: int) -> None:
        """Let so many through in a second, and refuse no more than that: beyond it its own queue fills."""
        self.passing, self.refusing = domain.Bucket(rate, time.monotonic()), domain.Bucket(rate, time.monotonic())

    def follow(self, plugin: domain.PlugIn) -> None:
        if plugin.quota != self.plugin.quota:
            self.pace(plugin.quota["calls_a_second"])
        self.plugin = plugin

    def serve(self) -> None:
        while True:
            channel, message = self.waiting.get()
            outcome = "passed"
            try:
                self.door.pass_on(self, message)
            except Exception as error:
                outcome = "over" if isinstance(error, domain.OverQuota) else type(error).__name__
                self.refuse(message, error)
            ASKED.labels(self.user, outcome).inc()
            with suppress(*GONE), self.door.writing:
                channel.basic_ack(message.delivery_tag)

    def refuse(self, message: Any, error: Exception) -> None:
        """Say no, as often as it may ask; who asks faster than that waits for the answer, and so does its queue."""
        while wait := self.refusing.take(time.monotonic()):
            eventlet.sleep(wait)
        if not isinstance(error, Refusal):
            log("fault", service="plugins", method="door", actor=self.user, **frames(error))
            error = Unavailable(AWAY)
        correlation = message.properties.get("correlation_id")
        self.door.process.answer(f"{self.user}.replies", correlation, {"refused": error.to_message()})


class Door:
    """Stands where plug-ins ask; where there are several, the broker gives each plug-in to one of them."""

    def __init__(self, process: Any):
        self.process, self.stopping = process, False
        self.guests: dict[str, Guest] = {}
        self.writing = Semaphore()

    def stop(self) -> None:
        self.stopping = True

    def run(self) -> None:
        """Keep the door open for ever, by a connection made anew whenever it is lost."""
        while not self.stopping:
            connection = Connection(self.process.config["AMQP_URI"], connect_timeout=3, heartbeat=10)
            try:
                connection.connect()
                self.process.set_listening("plugins.door", True)
                self.attend(connection)
            except Exception as error:
                log("door shut", why=f"{type(error).__name__}: {error}"[:200])
                eventlet.sleep(0.5)
            finally:
                self.process.set_listening("plugins.door", False)
                for user in list(self.guests):
                    self.dismiss(user)
                with suppress(*GONE):
                    connection.collect()

    def attend(self, connection: Connection) -> None:
        looked = 0.0
        while not self.stopping:
            if time.monotonic() > looked + FOLLOW:
                self.look(connection)
                looked = time.monotonic()
            with suppress(TimeoutError):
                connection.drain_events(timeout=FOLLOW / 4)
            with self.writing:
                connection.heartbeat_check()

    def look(self, connection: Connection) -> None:
        """Follow the records: who came, who changed, who is gone."""
        records = PlugIns(self.process.database, TIMER, clock.now).everywhere()
        known = {domain.user_of(each.district, each.state): each.state for each in records if not each.state.revoked_at}
        for user in self.guests.keys() - known.keys():
            self.dismiss(user)
        for user, plugin in known.items():
            if user not in self.guests:
                self.guests[user] = Guest(self, user, plugin)
            guest = self.guests[user]
            guest.follow(plugin)
            if guest.channel is None or not guest.channel.is_open:
                self.admit(connection, guest)

    def admit(self, connection: Connection, guest: Guest) -> None:
        """Take what a plug-in asks, by a channel of its own: where its queue is not there yet, no other notices."""
        try:
            with self.writing:
                guest.channel = channel = connection.channel()
                channel.basic_qos(0, HELD, False)
                took, lost = partial(self.on_message, guest, channel), partial(self.on_lost, guest)
                channel.basic_consume(f"{guest.user}.calls", callback=took, on_cancel=lost)
        except AMQPError as error:
            guest.channel = None
            log("door not yet open", actor=guest.user, why=type(error).__name__)

    def on_message(self, guest: Guest, channel: Any, message: Any) -> None:
        guest.waiting.put((channel, message))

    def on_lost(self, guest: Guest, tag: str) -> None:
        """Its queue is gone: it is looked for again."""
        guest.channel = None

    def dismiss(self, user: str) -> None:
        guest = self.guests.pop(user)
        guest.thread.kill()
        with suppress(*GONE), self.writing:
            guest.channel.close()

    def pass_on(self, guest: Guest, message: Any) -> None:
        """Ask in a plug-in's place: for whom is the broker's word, and where the answer goes is not the plug-in's."""
        properties, headers = message.properties, message.headers or {}
        if properties.get("user_id") != guest.user:
            raise Unauthenticated("请带上自己的 user_id / Please send your own user_id")
        call = message.delivery_info["routing_key"]
        domain.may_ask(guest.plugin, call)
        if len(message.body) > LARGEST:
            raise Invalid("内容过长,最多 64 KB / Too long: 64 KB at most")
        if guest.passing.take(time.monotonic()):
            raise domain.OverQuota(guest.plugin.quota["calls_a_second"])
        left = min(deadline_of(headers) - time.time(), LONGEST)
        if left <= 0:
            return
        trace = new_trace(str(headers.get("traceparent") or ""))
        asked = {"for": guest.user, "deadline": f"{time.time() + left:.3f}", "traceparent": trace}
        kept = {"correlation_id": str(properties.get("correlation_id") or "")[:255], "delivery_mode": 1}
        kept |= {"reply_to": f"{guest.user}.replies", "expiration": str(int(left * 1000) or 1)}
        try:
            body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
            self.process.voice.say([("calls", call, body, kept | {"application_headers": asked})])
        except Exception as error:
            log("not passed on", actor=guest.user, why=type(error).__name__)
            raise Unavailable(AWAY) from None


def deadline_of(headers: dict) -> float:
    """Give until when a plug-in waits; five seconds where it does not say."""
    try:
        return float(headers.get("deadline") or time.time() + 5)
    except (TypeError, ValueError):
        raise Invalid("deadline 应为 Unix 时间 / `deadline` is a Unix time", {"deadline": ["格式 / form"]}) from None
