"""Plays a day: each order when the platform's clock has come to it, while streams, queues and memory are watched."""

import heapq
import itertools
import json
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psutil
import requests

from deploy import broker, ours
from deploy.city.books import TOLD_AS, Books
from deploy.city.day import Act, Day
from deploy.city.people import admin
from deploy.local import Platform, memory
from deploy.playing import Person, Play, Refused, moment

AT_ONCE = 16
DRAINS = 600  # seconds in which all that was acknowledged has to have come to a screen and to all who hear it
SILENCE = 5.0  # seconds without a fact after which nothing is on its way any more
# The clock goes slower while so many orders, or messages, wait: else hours would run together where a machine is slow.
MOST_WAITING, MOST_QUEUED = 2 * AT_ONCE, 400
# Facts that the day's orders have told, beside those that each step is told as.
FOLLOW = ("numbered", "scored", "called", "called_off")
SIMULATOR = "simulator"


@dataclass(frozen=True)
class Done:
    """One order that was asked: when it was due, clicked and answered, in seconds since the play began."""

    step: str
    key: str
    hour: float
    due: float
    clicked: float
    answered: float


@dataclass
class Sample:
    """How the platform stood at one moment."""

    at: float
    hour: float
    queues: dict[str, int]
    memory: dict[str, float]
    spent: dict[str, float]
    busy: float
    own: float
    speed: float
    waiting: int
    done: int


@dataclass
class Seen:
    """All that was measured of a play."""

    done: list[Done] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    came: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    rung: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    parked: dict[str, int] = field(default_factory=dict)
    heard: float = 0.0
    began: float = 0.0
    played: float = 0.0
    drained: float = 0.0

    def lag(self, done: Done) -> float | None:
        """Give the seconds from a click to the stream of another screen."""
        return self.came[done.key] - done.clicked if done.key in self.came else None


class Tallied(Person):
    """Somebody whose answers are counted by their status, also those after which one asks again."""

    def __init__(self, url: str, login: str, statuses: Counter):
        super().__init__(url, login)
        self.statuses = statuses

    def once(self, *asked) -> requests.Response | None:
        answer = super().once(*asked)
        self.statuses[answer.status_code if answer is not None else 0] += 1
        return answer


class City(Play):
    """A play whose answers are counted by their status."""

    def __init__(self, url: str):
        super().__init__(url)
        self.statuses: Counter = Counter()

    def who(self, login: str) -> Person:
        return self.signed.setdefault(login, Tallied(self.url, login, self.statuses))


class Screen(threading.Thread):
    """One district's stream, read to the end of the play; comes back with the last id where it was ended."""

    def __init__(self, playing: "Playing", district: str):
        super().__init__(daemon=True)
        self.playing, self.on, self.seen = playing, playing.on, playing.seen
        self.district, self.known = district, set()
        self.ready, self.over = threading.Event(), threading.Event()

    def run(self) -> None:
        last, who = "", self.on.who(admin(self.district))
        while not self.over.is_set():
            headers = {"Authorization": f"Bearer {who.token}"} | ({"Last-Event-ID": last} if last else {})
            try:
                with requests.get(f"{self.on.url}/v1/stream", headers=headers, stream=True, timeout=(10, 40)) as stream:
                    if stream.status_code == 401:
                        who.sign_in(who.token)
                        continue
                    self.ready.set()
                    event = ""
                    # Whole lines as they come: a larger chunk would wait for the next fact.
                    for line in stream.iter_lines(chunk_size=None):
                        if line.startswith(b"id: "):
                            last = line[4:].decode()
                        elif line.startswith(b"event: "):
                            event = line[7:].decode()
                        elif line.startswith(b"data: "):
                            self.hear(event, line[6:])
            except requests.RequestException:
                time.sleep(0.2)

    def hear(self, event: str, data: bytes) -> None:
        now, fact = time.monotonic() - self.seen.began, json.loads(data)
        if event == "reload":
            self.seen.refused.append(f"{self.district}: the stream lost its place")
        if "id" not in fact or fact["id"] in self.known:
            return
        self.known.add(fact["id"])
        self.seen.heard = now
        self.seen.facts[self.district][event] += 1
        key = fact["subject"] if event == "blown" else fact["data"].get("act")
        if key:
            self.seen.came.setdefault(key, now)
        if event == "overdue" and fact["data"]["step"] == 1:
            late = (moment(fact["time"]) - moment(fact["data"]["due"])).total_seconds()
            self.seen.rung.append(late / self.playing.speed)


def spent(pid: int) -> float:
    """Give the seconds of processor that a process and its children have taken so far."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)] if pid != os.getpid() else [process]
        return sum(sum(each.cpu_times()[:2]) for each in family)
    except psutil.Error:
        return 0.0


class Watch(threading.Thread):
    """Looks now and then at queues, memory and processors, and says how far the day has come."""

    def __init__(self, playing: "Playing", every: float):
        super().__init__(daemon=True)
        self.playing, self.every, self.over = playing, every, threading.Event()
        self.own = psutil.Process()

    def run(self) -> None:
        psutil.cpu_percent()
        self.own.cpu_percent()
        while not self.over.wait(self.every):
            self.look()
            self.playing.steer()

    def look(self) -> None:
        playing = self.playing
        try:
            depths = playing.depths()
        except OSError:
            depths = {}
        pids = playing.platform.pids()
        sample = Sample(
            time.monotonic() - playing.seen.began,
            playing.hour_now(),
            depths,
            {name: memory(pid) for name, pid in pids.items()} | {"supervisor": playing.memory_of_supervisor()},
            {name: spent(pid) for name, pid in pids.items()} | {SIMULATOR: spent(self.own.pid)},
            psutil.cpu_percent(),
            self.own.cpu_percent() / (psutil.cpu_count() or 1),
            playing.speed,
            playing.waiting,
            len(playing.seen.done),
        )
        playing.seen.samples.append(sample)


class Playing:
    """One day on one platform."""

    def __init__(self, platform: Platform, on: City, day: Day, speed: float, say: Callable[["Playing"], None]):
        self.platform, self.on, self.day, self.most, self.say = platform, on, day, speed, say
        self.books, self.seen = Books(), Seen()
        self.lock = threading.Condition()
        self.due: list[tuple[datetime, int, list[Act], int]] = []
        self.running = self.waiting = 0
        self.turn = itertools.count()
        # Where the clock was, in seconds of the day, when it was read last; how fast it has run since then.
        self.then, self.since, self.speed = 0.0, 0.0, speed

    # -- the clock ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Have the clock run fast from the day's first moment on."""
        self.on.go(self.day.begins - timedelta(seconds=2))
        self.seen.began = time.monotonic()
        self.run_at(self.most)

    def run_at(self, speed: float) -> None:
        """Have the clock run at another speed from now on."""
        said = self.on.who("operator").ask("POST", "/v1/clock", {"speed": speed})
        with self.lock:
            self.then, self.speed = self.seconds_of(moment(said["now"])), speed
            self.since = time.monotonic()

    def steer(self) -> None:
        """Let the clock wait for the city where the machine is too slow for it, and stop hurrying when the day ends."""
        queued = sum(self.seen.samples[-1].queues.values())
        if self.now() >= self.seconds_of(self.day.ends):
            speed = 1.0
        elif self.waiting > MOST_WAITING or queued > MOST_QUEUED:
            speed = max(self.most / 64, self.speed / 2)
        elif self.waiting < AT_ONCE and queued < MOST_QUEUED / 2:
            speed = min(self.most, self.speed * 1.5)
        else:
            return
        if speed != self.speed:
            self.run_at(speed)

    def now(self) -> float:
        """Give the seconds of the day that the platform's clock has come to."""
        return self.then + (time.monotonic() - self.since) * self.speed

    def hour_now(self) -> float:
        return self.now() / 3600

    def seconds_of(self, at: datetime) -> float:
        return (at - self.day.midnight).total_seconds()

    # -- the play -------------------------------------------------------------------------------------------------

    def play(self, every: float) -> None:
        """Play the whole day, then wait until everything that was acknowledged has been told."""
        screens = [Screen(self, each) for each in self.day.districts]
        for each in self.day.districts:
            self.on.who(admin(each)).sign_in(self.on.who(admin(each)).token)
        for screen in screens:
            screen.start()
        if not all(screen.ready.wait(30) for screen in screens):
            raise SystemExit("事件流没有打开 / A stream did not open")
        self.begin()
        watch = Watch(self, every)
        watch.start()
        with ThreadPoolExecutor(AT_ONCE) as self.pool:
            self.follow(self.day.whistles())
        self.seen.played = time.monotonic() - self.seen.began
        self.run_at(1.0)
        self.drain()
        watch.over.set()
        watch.join(30)
        watch.look()
        self.seen.parked = {name: count for name, count in self.depths(parked=True).items() if count}
        for screen in screens:
            screen.over.set()

    def follow(self, whistles: Iterator[list[Act]]) -> None:
        """Hand each order over when it is due; of one whistle, one after the other."""
        coming, shown = next(whistles, None), 0.0
        with self.lock:
            while coming or self.due or self.running or self.waiting:
                real, now = time.monotonic() - self.seen.began, self.now()
                while coming and self.seconds_of(coming[0].at) <= now + self.most:
                    heapq.heappush(self.due, (coming[0].at, next(self.turn), coming, 0))
                    coming = next(whistles, None)
                while self.due and (late := now - self.seconds_of(self.due[0][0])) >= 0:
                    _, _, acts, n = heapq.heappop(self.due)
                    self.waiting += 1
                    self.pool.submit(self.perform, acts, n, real - late / self.speed)
                if real - shown > 0.5:
                    shown = real
                    self.say(self)
                first = (self.seconds_of(self.due[0][0]) - now) / self.speed if self.due else 0.5
                self.lock.wait(min(max(first, 0.001), 0.5))
        self.say(self)

    def perform(self, acts: list[Act], n: int, due: float) -> None:
        """Ask for one order, write down what came of it, and line the whistle's next one up."""
        with self.lock:
            self.waiting, self.running = self.waiting - 1, self.running + 1
        act, goes_on = acts[n], False
        try:
            goes_on = self.ask(act, due)
        except Exception as error:
            self.seen.refused.append(f"{act.step} {act.whistle}: {type(error).__name__} {error}")
        finally:
            with self.lock:
                self.running -= 1
                if goes_on and n + 1 < len(acts):
                    heapq.heappush(self.due, (acts[n + 1].at, next(self.turn), acts, n + 1))
                self.lock.notify()

    def ask(self, act: Act, due: float) -> bool:
        """Ask for one order; says whether the whistle goes on."""
        who, began = self.on.who(act.login), self.seen.began
        if not who.token:
            who.sign_in("")  # a person signs in before they see anything to click on
        clicked = time.monotonic() - began
        try:
            if act.step == "look":
                who.ask("GET", act.path)
            else:
                answer = who.ask("POST", act.path, act.order, soon=act.step == "rate")
        except Refused as refused:
            self.seen.refused.append(str(refused.code))
            return False
        answered = time.monotonic() - began
        key = act.whistle if act.step == "blow" else act.order.get("act", "")
        hour = (act.at - self.day.midnight).total_seconds() / 3600
        with self.lock:
            self.seen.done.append(Done(act.step, key, hour, due, clicked, answered))
            if act.step != "look":
                self.books.note(act, act.login.rpartition(".")[2][:6], answer)
        return True

    def drain(self) -> None:
        """Wait until every acknowledged order was seen on a stream with all that follows of it, and heard by all."""
        began = time.monotonic()
        while time.monotonic() - began < DRAINS and (self.untold() or self.is_busy()):
            time.sleep(1)
        self.seen.drained = time.monotonic() - began

    def is_busy(self) -> bool:
        """Say whether anything is on its way: in a queue, or rung by a limit and told a moment ago."""
        silent = time.monotonic() - self.seen.began - self.seen.heard
        return silent < SILENCE or any(self.depths().values())

    def depths(self, parked: bool = False) -> dict[str, int]:
        """Give how many messages are in each queue; what is parked, is asked for apart."""
        return {
            each["name"]: each.get("messages", 0)
            for each in broker.queues(self.platform.settings)
            if each["name"].endswith(".parked") == parked
        }

    def untold(self) -> int:
        """Count the facts that must have come to a stream and have not."""
        names = {*TOLD_AS.values(), *FOLLOW}
        return sum(
            max(0, counted[name] - self.seen.facts[district][name])
            for district, counted in self.books.facts.items()
            for name in names
        )

    def memory_of_supervisor(self) -> float:
        pid = ours.pid(self.platform.home, "supervisor")
        return memory(pid, alone=True) if pid else 0.0
