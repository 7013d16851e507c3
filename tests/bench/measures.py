"""What the bench measures, part by part; each part has a house of its own, so that none is measured in another's."""

import shutil
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from xmlrpc.client import Fault

import requests

from tests.bench import answering, machine, streams
from tests.bench.figures import Figures
from tests.bench.house import House, an_order
from tests.bench.lag import Ear
from tests.bench.stored import Past, size_of

INBOX, NEWEST = "/v1/inbox?scope=community&limit=50", "/v1/whistles?limit=50"
OPEN = 120  # open whistles of the community whose inbox is looked at, however many have ended
ENOUGH_READY = 60  # whistles ready for each second and client-count of report-ins
SUSTAINED = 2.0  # seconds that facts may lag behind (goal of the mission)


@dataclass(frozen=True)
class Form:
    """How long a run is: the whole form, or the quick one."""

    clients: tuple[int, ...] = (1, 16, 64)
    rounds: int = 3
    seconds: float = 4.0
    stored: tuple[int, ...] = (1_000, 10_000, 100_000)
    rates: tuple[int, ...] = (10, 20, 30, 40, 60)
    lag_seconds: float = 20.0
    streams: int = 2_000
    idle: float = 20.0


QUICK = Form((1, 16), 2, 1.5, (200, 1_000), (10,), 5.0, 200, 3.0)


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def a_house(figures: Figures, home: Path, listeners: bool = True) -> Iterator[House]:
    """Have a house of one's own, and note which broker it has."""
    with House(home, listeners) as house:
        figures.facts |= machine.of_broker(house.settings)
        yield house


def loops(house: House, form: Form, runs: Callable[[int], list[tuple]], clients: Iterable[int] | None = None) -> dict:
    """Run closed loops in rounds, one kind after the other, so that each round has them all in the same minute.

    ``runs`` gives for a number of clients who asks what: ``[(name, login, kind, things)]``.
    """
    seen: dict[tuple[str, int], list[dict]] = {}
    size = house.size_of_a_whistle()
    for turn in range(form.rounds):
        for many in clients or form.clients:
            for name, login, kind, things in runs(many):
                house.drain()
                said = house.load(login, kind, many, form.seconds, things, size)
                if said["wrong"]:
                    raise RuntimeError(f"{name} @{many}: {said['wrong']} answers were {said['statuses']}")
                seen.setdefault((name, many), []).append(said)
                say(f"  {turn + 1}/{form.rounds}  {name:<16} {many:>2} 客户端 / clients  {said['rate']:7.1f}/s")
    return seen


def processors(house: House, figures: Figures, form: Form, kinds: Iterable[tuple[str, str]], mark: str) -> None:
    """Note what one request costs each process, at sixteen clients, all that it causes afterwards included.

    What a process does all the time is not counted: its timers are looked at first, with nobody asking.
    """
    size = house.size_of_a_whistle()
    house.drain()
    began, before = time.monotonic(), house.processors()
    time.sleep(form.seconds)
    seconds = time.monotonic() - began
    resting = {name: (now - before.get(name, now)) / seconds for name, now in house.processors().items()}
    for login, kind in kinds:
        began, before = time.monotonic(), house.processors()
        asked = house.load(login, kind, 16, form.seconds, size=size)["asked"]
        drained = house.drain()
        time.sleep(1.5)  # what was told is struck a moment later
        seconds, after = time.monotonic() - began, house.processors()
        cost = {name: 1000 * (after[name] - before[name] - resting[name] * seconds) / asked for name in resting}
        for name, milliseconds in sorted(cost.items(), key=lambda each: -each[1]):
            if milliseconds >= 0.02:
                figures.add(f"cpu of a {kind}{mark}: {name}", "ms", milliseconds)
        figures.add(f"cpu of a {kind}{mark}: all", "ms", sum(cost.values()))
        if drained > 0.2:
            figures.add(f"{kind}{mark} @16: heard by all after", "s", drained)


def floor(figures: Figures, home: Path, form: Form) -> None:
    """Blowing beside one bare insert of the same size, nobody listening: what our rules cost (goal: 0.6 of it)."""
    with a_house(figures, home, listeners=False) as house:
        idle(figures, house)
        house.load("wmy", "blow", 4, 2)
        size = house.size_of_a_whistle()
        figures.add(f"raw insert of {size} bytes @1", "/s", *(house.inserts(size) for _ in range(form.rounds)))
        kinds = ("floor", "empty", "rpc", "blow")
        figures.loads(loops(house, form, lambda many: [(kind, "wmy", kind, ()) for kind in kinds]))
        processors(house, figures, form, [("wmy", "floor"), ("wmy", "blow")], "")
        for many in form.clients:
            beside = figures.known[f"blow @{many}"]["beside"]
            say(f"  目标 / goal: blow ≥ 0.60 × floor; @{many}: {beside:.2f}")


def idle(figures: Figures, house: House) -> None:
    """Note what starting takes, and what the platform takes when nothing goes on (goal: 900 MB)."""
    figures.add("up, first", "s", house.first)
    figures.add("up, again", "s", house.again)
    memory(figures, house.idle, "idle")


def memory(figures: Figures, found: dict[str, int], when: str) -> None:
    figures.add(f"memory {when}: all", "MB", sum(found.values()))
    for name, each in sorted(found.items(), key=lambda pair: -pair[1]):
        if each >= 10:
            figures.add(f"memory {when}: {name}", "MB", each)


def acts(figures: Figures, home: Path, form: Form) -> None:
    """The acts of a whistle beside the floor, all listeners on, and how long a click is on its way to a screen."""
    with a_house(figures, home) as house:
        long = house.with_history(40)

        def runs(many: int) -> list[tuple]:
            ready = house.whistles(int(ENOUGH_READY * form.seconds * (1 if many == 1 else 3)))
            house.drain()
            return [
                ("floor, heard", "wmy", "floor", ()), ("blow, heard", "wmy", "blow", ()),
                ("blow3, heard", "wmy", "blow3", ()), ("report, heard", "xc-cg", "report", ready),
                ("inbox of 50", "wmy", "get", [INBOX]), ("one of 40 steps", "wmy", "get", [f"/v1/whistles/{long}"]),
            ]  # fmt: skip

        figures.loads(loops(house, form, runs), "floor, heard")
        processors(house, figures, form, [("wmy", "blow"), ("wmy", "blow3")], ", heard")
        lags(figures, house, form)
        house.drain()
        memory(figures, house.memory(), "after the load")


def lags(figures: Figures, house: House, form: Form) -> None:
    """Blow at fixed rates, whether those before were answered or not: when is it on another screen, heard by all?"""
    best = 0
    for rate in form.rates:
        house.drain()
        said = click(house, rate, form.lag_seconds)
        late, heard = said["lags"][int(len(said["lags"]) * 0.95)], said["heard"]
        middle = 1000 * statistics.median(said["lags"])
        figures.add(f"click to screen at {rate}/s", "ms", middle, p95=1000 * late)
        figures.add(f"at {rate}/s for {form.lag_seconds:.0f} s: heard by all after", "s", heard)
        if said["wrong"]:
            figures.add(f"at {rate}/s: refused", "", said["wrong"])
        if max(late, heard) > SUSTAINED or said["wrong"]:
            break  # faster is later still
        best = rate
    figures.add("sustained with a lag of two seconds at most", "/s", best)


def click(house: House, rate: int, seconds: float) -> dict:
    """Blow at a fixed rate; gives ``{lags, heard, wrong}``: until seen, until all facts were heard, how many refused.

    Each that was taken has to be seen: an open loop that loses something raises.
    """
    clicked: dict[str, float] = {}
    wrong: list[int] = []
    ear = Ear(house.url, house.who("zll"))
    token = house.who("wmy").signed["token"]
    sessions: list[requests.Session] = []

    def one() -> None:
        session = sessions.pop() if sessions else requests.Session()
        order = an_order()
        clicked[order["id"]] = time.perf_counter()
        headers = {"Authorization": f"Bearer {token}"}
        answer = session.post(f"{house.url}/v1/whistles", json=order, headers=headers, timeout=60)
        if answer.status_code != 201:
            wrong.append(answer.status_code)
        sessions.append(session)

    with ear:
        began, threads = time.perf_counter(), []
        for n in range(int(rate * seconds)):
            time.sleep(max(0.0, began + n / rate - time.perf_counter()))
            threads.append(threading.Thread(target=one))
            threads[-1].start()
        for each in threads:
            each.join(90)
        heard = house.drain()
        missing = ear.wait_for(len(clicked) - len(wrong), set(clicked), 60)
    if missing:
        raise RuntimeError(f"{missing} whistles that were taken at {rate}/s were never told")
    return {
        "lags": sorted(ear.came[id] - clicked[id] for id in clicked if id in ear.came),
        "heard": heard, "wrong": len(wrong),
    }  # fmt: skip


def stored(figures: Figures, home: Path, form: Form) -> None:
    """One whistle, inboxes and a blow while more and more have ended: the first two must not notice."""
    form = replace(form, clients=form.clients[:2], rounds=2)
    with a_house(figures, home) as house:
        past, ids, opened = Past(), [], house.whistles(OPEN)[0]

        def runs(_: int) -> list[tuple]:
            some = [f"/v1/whistles/{id}" for id in past.chance.sample(ids, min(500, len(ids)))]
            return [
                ("floor", "sjy", "floor", ()), ("one that is open", "wmy", "get", [f"/v1/whistles/{opened}"]),
                ("one that ended", "wmy", "get", some), ("inbox of 50", "wmy", "get", [INBOX]),
                ("counts", "wmy", "get", ["/v1/inbox-counts?scope=community"]), ("newest 50", "zll", "get", [NEWEST]),
                ("blow", "sjy", "blow elsewhere", ()),
            ]  # fmt: skip

        for count in form.stored:
            say(f"  存入 / storing {count - len(ids)} …")
            ids += past.fill(house.client["huying_whistle"], count - len(ids))
            settle(house)
            figures.loads(loops(house, form, runs), mark=f", {count} stored")
            house.drain()
            memory(figures, house.memory(), f"with {count} stored")
            figures.add(f"disk with {count} stored", "MB", size_of(house.home / "db"))
        first, last = form.stored[0], form.stored[-1]
        for name in ("one that is open", "one that ended", "inbox of 50", "counts", "newest 50", "blow"):
            for many in form.clients:
                few, full = (figures.known[f"{name}, {count} stored @{many}"]["value"] for count in (first, last))
                say(f"  {name} @{many}: ×{full / few:.2f} 于 / with {last} stored of what it is with {first}")


def settle(house: House) -> None:
    """Let the database finish writing what was inserted in bulk before anything is measured."""
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        before = house.processors()["database"]
        time.sleep(1)
        with suppress(Fault):
            if house.processors()["database"] - before < 0.1:
                return


def many_streams(figures: Figures, home: Path, form: Form) -> None:
    """One gateway with 2,000 open streams (the goal)."""
    streams.measure(figures, "gevent", form.streams, form.idle)


def who_answers(figures: Figures, home: Path, form: Form) -> None:
    """Who answers for a category at a place, with all of Beijing in the view."""
    apart = home.with_name("answering")
    shutil.rmtree(apart, ignore_errors=True)
    answering.measure(figures, apart)


PARTS: dict[str, Callable[[Figures, Path, Form], None]] = {
    "floor": floor, "acts": acts, "stored": stored, "streams": many_streams, "answering": who_answers,
}  # fmt: skip
