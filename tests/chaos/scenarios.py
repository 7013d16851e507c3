"""What goes wrong while clients write: each scenario does its harm, brings all back and says what it saw."""

import contextlib
import io
import json
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import requests
from PIL import Image

from deploy.topology import Management
from shared.running import Clock
from tests.chaos.ground import Ground
from tests.fault.belfry import a_fact, tell
from tests.fault.harm import Writers, depth, frozen, is_well, kill_and_wait, stopped
from tests.make import Client, a_blow, eventually

NOWHERE = "199901"  # a district that is none: what is told about it concerns nobody
DAY, HOUR = 86_400, 3_600


@dataclass(frozen=True)
class Form:
    """How hard a scenario is tried."""

    writes: int = 150  # acknowledged before the harm, and once more after it
    kills: int = 3
    seconds: float = 12.0  # how long something hangs or is away
    poison: int = 3_000


QUICK = Form(40, 1, 4.0, 300)

Harm = Callable[[Ground, Writers, Form], dict]


@dataclass(frozen=True)
class Scenario:
    """One way in which things go wrong, on which ground, in how many seconds at the most."""

    name: str
    chinese: str
    ground: str
    harm: Harm
    is_quick: bool = False
    bound: int = 420


def killed(name: str) -> Harm:
    def harm(ground: Ground, writers: Writers, form: Form) -> dict:
        for _ in range(form.kills):
            kill_and_wait(ground.platform, name)
            writers.wait_for(writers.count() + form.writes // 4, 120)
        return {"kills": form.kills}

    return harm


def paused(name: str) -> Harm:
    def harm(ground: Ground, writers: Writers, form: Form) -> dict:
        with frozen(ground.platform, name):
            time.sleep(form.seconds)
        return {"seconds": form.seconds}

    return harm


def away(name: str) -> Harm:
    def harm(ground: Ground, writers: Writers, form: Form) -> dict:
        with stopped(ground.platform, name):
            time.sleep(form.seconds)
        return {"seconds": form.seconds}

    return harm


def everything_at_once(ground: Ground, writers: Writers, form: Form) -> dict:
    """All processes but the supervisor are killed in the same moment, as when the power fails."""
    platform = ground.platform
    names = [name for name in platform.names() if name != "epmd"]
    before = platform.pids()
    for name in names:
        with contextlib.suppress(ProcessLookupError):
            platform.kill(name)
    eventually(lambda: all(platform.pids().get(name, before[name]) != before[name] for name in names), 60)
    return {"killed": len(names)}


def slow_database(ground: Ground, writers: Writers, form: Form) -> dict:
    """Each piece is late, more and more: first all is slow, then calls miss their deadline and are told so."""
    counts = {}
    for milliseconds in (5, 25, 100, 400):
        ground.line.delay, before, began = milliseconds / 1000, writers.count(), time.monotonic()
        time.sleep(form.seconds)
        counts[f"{milliseconds} ms"] = f"{(writers.count() - before) / (time.monotonic() - began):.1f}/s"
    ground.line.delay = 0.0
    return counts


def a_photo(side: int = 200) -> bytes:
    """Make a photo that no other is like, and that does not compress."""
    picture, out = Image.frombytes("RGB", (side, side), random.randbytes(side * side * 3)), io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()


def full_disk(ground: Ground, writers: Writers, form: Form) -> dict:
    """There is no room for photos: that is said (503), what was taken stays whole, whistles go on; then there is."""
    client = Client(ground.platform.url, "wmy")

    def keep() -> tuple[int, str | None]:
        answer = client.session.post(
            f"{client.url}/v1/photos", data=a_photo(), headers={"Content-Type": "image/jpeg"}, timeout=30
        )
        return answer.status_code, answer.json().get("digest")

    def blow(digest: str) -> int:
        return client.post("/v1/whistles", a_blow(photos=[digest])).status_code

    kept = [keep() for _ in range(5)]
    if {status for status, _ in kept} != {201}:
        raise AssertionError(f"photos are not taken while there is room: {kept}")
    before = writers.count()
    ground.disk.fill(ground.platform)
    refused = [keep()[0] for _ in range(10)]
    with_old = [blow(digest) for _, digest in kept]
    writers.wait_for(before + form.writes // 3, 120)
    ground.disk.free(ground.platform)
    after = [keep() for _ in range(5)]
    with_new = [blow(digest) for _, digest in after]
    whole = [is_whole(client, digest) for _, digest in kept + after]
    found = {
        "disk": ground.disk.kind, "refused": len([each for each in refused if each == 503]),
        "taken": len(kept + after), "whole": sum(whole), "blown_with": len(with_old + with_new),
    }  # fmt: skip
    right = refused == [503] * 10 and with_old + with_new == [201] * 10 and all(whole)
    return found | ({} if right else {"broken": f"{refused} {with_old} {after} {with_new} {whole}"})


def is_whole(client: Client, digest: str) -> bool:
    """Say whether a photo comes back as the bytes that its digest names, and its thumbnail at all."""
    from hashlib import sha256

    answer = client.get(f"/v1/photos/{digest}")
    small = client.get(f"/v1/photos/{digest}?size=thumb")
    return (answer.status_code, small.status_code) == (200, 200) and sha256(answer.content).hexdigest() == digest


def jumping_clock(ground: Ground, writers: Writers, form: Form) -> dict:
    """The platform's clock jumps on by an hour, a day and forty days, runs sixty times as fast, and jumps back."""
    clock, pause = Clock(str(ground.platform.home / "clock.json"), "test"), form.seconds / 4
    for seconds in (HOUR, DAY, 40 * DAY):
        clock.move(seconds)
        time.sleep(pause)
    clock.move(0, 60)
    time.sleep(pause)
    clock.move(0, 1)
    # Nobody may move it back; a machine whose clock is corrected does it all the same.
    real, platform, speed = clock.read()
    back = json.dumps({"real": real, "platform": platform - HOUR, "speed": speed})
    beside = clock.path.with_suffix(".back")
    beside.write_text(back)
    beside.replace(clock.path)
    time.sleep(pause)
    return {"on": "1 h + 1 d + 40 d", "back": "1 h"}


def poison(ground: Ground, writers: Writers, form: Form) -> dict:
    """Facts that cannot be handled, of four kinds, among good ones: each is parked once with its reason."""
    settings, each = ground.platform.settings, form.poison // 4

    def a_blown(**changes) -> dict:
        data = {"kind": "群众诉求", "category": "0102", "community": f"{NOWHERE}001001", "called": ["water"]}
        return a_fact("whistle", "blown", data | changes, key=str(uuid.uuid4()), district=NOWHERE)

    def incomplete() -> dict:
        fact = a_blown()
        del fact["data"]["called"]
        return fact

    began = time.monotonic()
    tell(settings, "whistle", [(a_blown(), "不是 JSON".encode()) for _ in range(each)])
    tell(settings, "whistle", [(a_blown(), b'["no", "fact"]') for _ in range(each)])
    tell(settings, "whistle", [incomplete() for _ in range(each)])
    tell(settings, "admin", [a_blown() for _ in range(each)], uri=settings.amqp_admin_uri())
    queues, wanted = ("whistle.parked", "figures.parked"), 4 * each
    eventually(lambda: all(depth(ground.platform, name) >= wanted for name in queues), 240, every=0.5)
    took = time.monotonic() - began
    found = {name: depth(ground.platform, name) for name in queues}
    api = Management(settings.management())
    for name in queues:
        api.ask("DELETE", "queues", settings.vhost, name, "contents")
    wrong = {} if set(found.values()) == {wanted} else {"broken": f"{found}, {wanted} each were told"}
    return {"poison": wanted, **found, "parked_within": f"{took:.0f} s"} | wrong


def lost_broker(ground: Ground, writers: Writers, form: Form) -> dict:
    """Of three brokers one is lost that nobody is connected to, then the one that everybody is; each comes back."""
    brokers, platform, found = ground.brokers, ground.platform, {}
    for name in ("c", "a"):
        began = time.monotonic()
        brokers.kill(name)
        is_well(platform, 60)
        writers.wait_for(writers.count() + form.writes // 2, 120)
        found[f"without {name}"] = f"{form.writes // 2} writes within {time.monotonic() - began:.1f} s"
        brokers.start(name)
        eventually(lambda: len(brokers.running()) == 3, 60)
        eventually(lambda: all(len(on) == 3 for on in brokers.members().values()), 60)
    return found


def ready(url: str) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"{url}/readyz", timeout=5).ok
    return False


SCENARIOS = [
    *(
        Scenario(f"{name} killed", f"{name} 被杀", "plain", killed(name), name in ("whistle", "database"))
        for name in ("identity", "roster", "whistle", "evaluation", "figures", "gateway", "broker", "database")
    ),
    Scenario("everything killed", "全部同时被杀", "plain", everything_at_once),
    *(
        Scenario(f"{name} paused", f"{name} 停住", "plain", paused(name), name == "whistle")
        for name in ("whistle", "figures", "gateway", "broker", "database")
    ),
    Scenario("broker away", "消息代理停机", "plain", away("broker"), True),
    Scenario("database away", "数据库停机", "plain", away("database")),
    Scenario("full disk for photos", "照片磁盘已满", "plain", full_disk, True),
    Scenario("clock jumps", "时钟跳动", "plain", jumping_clock, True),
    Scenario("poison facts", "毒消息", "plain", poison, True),
    Scenario("slow database", "数据库变慢", "slow", slow_database, True),
    Scenario("a broker of three lost", "三节点失一", "three", lost_broker, True),
]
