"""A department's program that is down, slow, crashing, talking rubbish or flooding, and others go on as without it.

It loses nothing, and catches up in the order in which things happened. How much slower others become is printed beside
the quiet run of the same test; it is a goal (1.2 times at the most), and no assertion.
"""

import json
import statistics
import threading
import time
from pathlib import Path

import pika
import pytest

from tests.fault.harm import depth, parked
from tests.make import Client, a_blow, eventually, fresh
from tests.make_plugins import Running, a_program, by_pika, plugged_in, python, traffic, unplugged, uri_of

DEPARTMENT = Path(__file__).with_name("department.py")
SMALL = {"calls_a_second": 5, "backlog": 20, "bytes": 10_000_000}


@pytest.fixture(scope="module")
def admin(sign_in):
    return sign_in("xc-admin")


def running(platform, plugin: dict, manner: str, folder: Path, pause: float = 0) -> Running:
    book = folder / f"{plugin['name']}.book"
    argv = ["env", f"PAUSE={pause}", *python(DEPARTMENT, manner, book)]
    return Running(argv, uri_of(platform, plugin), folder / f"{plugin['name']}.log")


def written(folder: Path, plugin: dict) -> list[str]:
    """Give the facts that a program has handled, in its order."""
    book = folder / f"{plugin['name']}.book"
    return [json.loads(line)["id"] for line in book.read_text().splitlines()] if book.exists() else []


def blow_on(url: str, rate: float, seconds: float, departments: list[str]) -> tuple[list[float], list[str]]:
    """Blow at a fixed rate, whether the ones before were answered or not; gives how long each took, and the ids."""
    head = Client(url, "wmy")
    took, ids, wrong = [], [], []

    def blow() -> None:
        order = a_blow(departments=departments)
        began = time.monotonic()
        answer = head.session.post(f"{url}/v1/whistles", json=order, timeout=30)
        took.append(time.monotonic() - began)
        (ids if answer.status_code == 201 else wrong).append(order["id"])

    began, threads = time.monotonic(), []
    for n in range(int(rate * seconds)):
        time.sleep(max(0.0, began + n / rate - time.monotonic()))
        threads.append(threading.Thread(target=blow))
        threads[-1].start()
    for each in threads:
        each.join(60)
    assert not wrong, f"{len(wrong)} of {len(threads)} were refused"
    return took, ids


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def subjects(facts: list[str]) -> list[str]:
    return [each.split("/")[2] for each in facts]


@pytest.mark.parametrize(
    ("rate", "seconds", "pause"),
    [(4, 8, 0.4), pytest.param(20, 60, 10, marks=[pytest.mark.long, pytest.mark.timeout(1800)])],
)
def test_five_kinds_of_trouble_at_once_and_others_go_on(
    platform, url, admin, tmp_path, record_property, rate, seconds, pause
):
    before = parked(platform)
    quiet, _ = blow_on(url, rate, seconds, ["chengguan", "zhujian"])
    with (
        a_program(admin) as quick, a_program(admin) as slow, a_program(admin) as down,
        a_program(admin, department="zhujian", calls=["whistle.get"]) as rubbish,
        a_program(admin, department="zhujian") as crashing,
        a_program(admin, department="zhujian", calls=["whistle.counts"], quota=SMALL) as flooding,
    ):  # fmt: skip
        programs = {"quick": quick, "slow": slow, "rubbish": rubbish, "crashing": crashing, "flooding": flooding}
        with Fleet(platform, programs, tmp_path, pause):
            eventually(lambda: connected(admin, quick), 30)
            busy, ids = blow_on(url, rate, seconds, ["chengguan", "zhujian"])
            eventually(lambda: len(written(tmp_path, quick)) == len(ids), 60)
            calm, beside = (f"{p95(took) * 1000:.0f} ms" for took in (quiet, busy))
            line = {"rate": f"{rate}/s", "quiet p95": calm, "busy p95": beside, "goal": "1.20"}
            line["times"] = f"{p95(busy) / p95(quiet):.2f}"
            print("\n", line)
            record_property("five kinds of trouble", line)
            order = subjects(written(tmp_path, quick))
            assert sorted(order) == sorted(ids), "nothing is lost and nothing comes twice"

            # Who was down all the time comes, and catches up in order.
            with running(platform, down, "quick", tmp_path):
                eventually(lambda: len(written(tmp_path, down)) == len(ids), 60)
            assert subjects(written(tmp_path, down)) == order

            # Who is slow is behind, and in order.
            behind = subjects(written(tmp_path, slow))
            assert behind == order[: len(behind)] and len(behind) < len(order)
            # What a program fails at is put aside for it, with its reason, and for nobody else.
            eventually(lambda: depth(platform, f"{rubbish['user']}.parked") == len(ids), 60)
            rows = admin.get(f"/v1/plugins/{rubbish['id']}/parked").json()["items"]
            assert {row["reason"] for row in rows} == {"KeyError: 'this program handles nothing'"}
            eventually(lambda: depth(platform, f"{crashing['user']}.parked") >= 1, 60)
            rows = admin.get(f"/v1/plugins/{crashing['id']}/parked").json()["items"]
            assert "反复中断" in rows[0]["reason"], rows
            assert depth(platform, f"{flooding['user']}.calls") <= 64, "the flood is held at its own door"
        if pause < 5:
            with running(platform, slow, "slow", tmp_path, pause / 10):
                eventually(lambda: len(written(tmp_path, slow)) >= len(ids), 90)
            caught = list(dict.fromkeys(subjects(written(tmp_path, slow))))
            assert caught == order, "what was in its hands when it ended came again, and the rest in order"
    assert parked(platform) == before, "no core service has put anything aside for it"


class Fleet:
    """Several programs at once, ended together."""

    def __init__(self, platform, programs: dict[str, dict], folder: Path, pause: float):
        self.started = [
            running(platform, plugin, manner, folder, pause if manner == "slow" else 0)
            for manner, plugin in programs.items()
        ]

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_) -> None:
        for each in self.started:
            each.stop()


def connected(admin: Client, plugin: dict) -> bool:
    return bool(traffic(admin, plugin).get("connected"))


def test_a_full_queue_puts_the_oldest_aside_and_tellers_are_never_told_no(platform, url, admin, wmy):
    """Away for long: beyond its quota the oldest go into its parked queue; heard again, nothing is missing."""
    before = refusals(platform)
    with a_program(admin, quota=SMALL) as plugin:
        _, ids = blow_on(url, 10, 4, ["chengguan"])
        eventually(lambda: depth(platform, f"{plugin['user']}.facts") == 20, 20)
        eventually(lambda: depth(platform, f"{plugin['user']}.parked") == len(ids) - 20, 20)
        assert refusals(platform) == before, "the whistle service was never told no"
        rows = admin.get(f"/v1/plugins/{plugin['id']}/parked").json()["items"]
        assert {row["reason"] for row in rows} == {"超过配额的积压 / over its quota"}
        wider = {"calls_a_second": 5, "backlog": 1000, "bytes": 10_000_000}
        change = {"change": fresh(), "quota": wider}
        assert admin.post(f"/v1/plugins/{plugin['id']}/changes", change).status_code == 201
        assert admin.post(f"/v1/plugins/{plugin['id']}/replays", {"change": fresh()}).status_code == 201
        eventually(lambda: depth(platform, f"{plugin['user']}.facts") == len(ids), 20)
        assert sorted(taken(platform, plugin, len(ids))) == sorted(ids)


def refusals(platform) -> int:
    """Count how often the whistle service could not tell something."""
    return (platform.home / "logs" / "whistle.log").read_text().count("telling failed")


def taken(platform, plugin: dict, count: int) -> list[str]:
    found = []
    with by_pika(uri_of(platform, plugin)) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        for method, _, body in channel.consume(f"{plugin['user']}.facts", inactivity_timeout=10):
            found.append(json.loads(body)["subject"])
            channel.basic_ack(method.delivery_tag)
            if len(found) == count:
                break
    return found


def test_while_the_platform_is_away_a_program_waits_and_loses_nothing(platform, admin, wmy, tmp_path):
    """The whistle service is stopped: what the program wants to do waits in its place, in order, and is done then."""
    from tests.make_plugins import PROGRAMS

    with a_program(admin, calls=["whistle.sign", "whistle.report"]) as plugin:
        ids = [wmy.blow()["id"] for _ in range(3)]
        eventually(lambda: depth(platform, f"{plugin['user']}.facts") == 3)
        platform.stop_one("whistle")
        try:
            with Running(python(PROGRAMS / "with_pika.py"), uri_of(platform, plugin), tmp_path / "log"):
                eventually(lambda: '"waiting"' in (tmp_path / "log").read_text(), 20)
                platform.start_one("whistle")
                eventually(lambda: platform.is_ready("whistle"), 30)
                for id in ids:
                    eventually(lambda id=id: "reported" in wmy.steps(id), 60)
        finally:
            platform.start_one("whistle") if "whistle" not in platform.pids() else None
        assert admin.get(f"/v1/plugins/{plugin['id']}/parked").json()["items"] == []


def test_the_door_is_there_again_after_it_was_killed(platform, admin, wmy):
    from shared.bus import Bus
    from shared.contracts import whistle
    from shared.errors import Unavailable
    from tests.fault.harm import kill_and_wait

    plugin = plugged_in(admin)
    bus = Bus(uri_of(platform, plugin), patience=2)
    try:
        id = wmy.blow()["id"]
        eventually(lambda: bus.connected)

        def gets() -> bool:
            try:
                return bus.ask(whistle.get, {"id": id})["id"] == id
            except Unavailable:
                return False

        assert eventually(gets)
        kill_and_wait(platform, "plugins")
        assert eventually(gets, 20)
        kill_and_wait(platform, "broker")
        assert eventually(gets, 40)
    finally:
        bus.close()
        unplugged(admin, plugin)


def test_a_publisher_gets_its_confirms_while_a_queue_overflows(platform, admin):
    """Shown on the broker itself: five hundred facts into a queue of twenty, each confirmed."""
    with a_program(admin, quota=SMALL) as plugin, by_pika(platform.settings.amqp_admin_uri()) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for n in range(500):
            properties = pika.BasicProperties(delivery_mode=2, message_id=str(n), type="called")
            channel.basic_publish(plugin["user"], "again", b"{}", properties, mandatory=True)  # raises on a no
        eventually(lambda: depth(platform, f"{plugin['user']}.parked") == 480, 20)
        _, first, _ = channel.basic_get(f"{plugin['user']}.parked")
        assert first.message_id == "0" and first.headers["x-death"][0]["reason"] == "maxlen"
