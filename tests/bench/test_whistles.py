"""The whole whistle beside the floor in one run, all listeners running; how long a click is on its way to a screen."""

import json
import statistics
import threading
import time

import pytest

from tests.bench.test_floor import house_of, load, size_of_a_whistle
from tests.make import Client, a_blow

ROUNDS, READY = 2, 700
THREE = ["chengguan", "zhujian", "shichang"]

pytestmark = [pytest.mark.bench, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def house():
    yield from house_of(listeners=True)


def whistles(head: Client, number: int) -> list[str]:
    """Blow so many whistles, to be reported in on."""
    return [head.blow(departments=THREE)["id"] for _ in range(number)]


def with_history(head: Client, street: Client, entries: int) -> str:
    """Give a whistle whose history has at least so many entries."""
    id = head.blow(departments=THREE)["id"]
    while head.get(f"/v1/whistles/{id}").json()["version"] < entries:
        assert street.act("supervisions", id, {"note": "请今日反馈进展。"}).status_code == 201
    return id


def test_the_acts_of_a_whistle_beside_the_floor(house, record_property):
    url = f"http://127.0.0.1:{house['port']}"
    head, street, came = Client(url, "wmy"), Client(url, "zll"), Client(url, "xc-cg")
    long = with_history(head, street, 40)
    inbox = "/v1/inbox?scope=community&limit=50"
    seen: dict[tuple[str, int], list[dict]] = {}
    size = size_of_a_whistle(house)
    for _ in range(ROUNDS):
        for clients in (1, 16):
            ready = whistles(head, READY // (1 if clients == 16 else 4))
            runs = [
                ("floor", head, []), ("blow3", head, []), ("report", came, ready), ("inbox of 50", head, [inbox]),
                ("one of 40", head, [f"/v1/whistles/{long}"]),
            ]  # fmt: skip
            for kind, who, things in runs:
                told = load(house, who.signed["token"], kind, clients, things, size)
                assert not told["wrong"], (kind, told)
                seen.setdefault((kind, clients), []).append(told)
    lines = [f"{'':<12} {'1 client':>22} {'16 clients':>26}"]
    rates = {key: statistics.median(one["rate"] for one in each) for key, each in seen.items()}
    for kind in dict.fromkeys(kind for kind, _ in seen):
        row = f"{kind:<12}"
        for clients in (1, 16):
            slow = statistics.median(one["p95"] for one in seen[kind, clients]) * 1000
            beside = rates[kind, clients] / rates["floor", clients]
            row += f"  {rates[kind, clients]:7.1f}/s p95 {slow:6.1f} ms ×{beside:4.2f}"
        lines.append(row)
    print("\n" + "\n".join(lines))
    record_property("figures", lines)


def listen(url: str, login: str, came: dict, until: threading.Event) -> None:
    """Note when the stream of another client tells of each whistle."""
    client = Client(url, login)
    with client.session.get(f"{url}/v1/stream", stream=True, timeout=60) as stream:
        event = ""
        for line in stream.iter_lines(decode_unicode=True):
            if until.is_set():
                return
            event = line[7:] if line.startswith("event: ") else event
            if line.startswith("data: ") and event == "blown":
                came.setdefault(json.loads(line[6:])["subject"], time.perf_counter())


@pytest.mark.parametrize("rate", [20, 50])
def test_how_long_a_click_is_on_its_way_to_another_screen(house, rate, record_property):
    """An open loop: whistles are blown at a fixed rate, whether the ones before were answered or not."""
    url, seconds = f"http://127.0.0.1:{house['port']}", 20
    clicked: dict[str, float] = {}
    came: dict[str, float] = {}
    wrong: list[int] = []
    over = threading.Event()
    threading.Thread(target=listen, args=(url, "zll", came, over), daemon=True).start()
    head = Client(url, "wmy")
    time.sleep(1)

    def click() -> None:
        order = a_blow(departments=THREE)
        clicked[order["id"]] = time.perf_counter()
        answer = head.session.post(f"{url}/v1/whistles", json=order, timeout=30)
        if answer.status_code != 201:
            wrong.append(answer.status_code)

    began, threads = time.perf_counter(), []
    for n in range(rate * seconds):
        time.sleep(max(0.0, began + n / rate - time.perf_counter()))
        threads.append(threading.Thread(target=click))
        threads[-1].start()
    [each.join(60) for each in threads]
    drained = time.perf_counter() + 60
    while len(came.keys() & clicked.keys()) < len(clicked) - len(wrong) and time.perf_counter() < drained:
        time.sleep(0.1)
    over.set()
    head.blow()
    lags = sorted(came[id] - clicked[id] for id in clicked if id in came)
    line = (
        f"{rate}/s for {seconds} s: {len(clicked)} clicked, {len(wrong)} refused, {len(lags)} seen; "
        f"p50 {lags[len(lags) // 2] * 1000:.0f} ms, p95 {lags[int(len(lags) * 0.95)] * 1000:.0f} ms, "
        f"last {lags[-1] * 1000:.0f} ms"
    )
    print("\n" + line)
    record_property("lag", line)
    assert len(lags) == len(clicked) - len(wrong), "each that was taken is told"
