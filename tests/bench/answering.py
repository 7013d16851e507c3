"""Who answers for category X in community Y now, with all of Beijing in the view, beside one bare question."""

import csv
import os
import random
import statistics
import time
import uuid
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pymongo

from deploy import database as ours
from deploy.local import ROOT
from services.whistle.store import Answering, answering
from shared.caller import Caller
from shared.contracts import events
from tests.bench.figures import Figures
from tests.make import a_fact

POSTS = ["chengguan", "shichang", "weijian", "xiaofang", "zhujian", "shuiwu", "gongan", "zongzhi", "head", "minzheng"]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ASKED = 1500
LIMIT = 5.0  # the milliseconds that the mission allows


def a_person(seat: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, seat))


def fill(client, name: str) -> list[tuple[Answering, str]]:
    """Fold what the roster tells of all districts; gives every community with the view of its district."""
    with (ROOT / "deploy" / "data" / "beijing_divisions_2023.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["level"] == "community"]
    communities = sorted(row["code12"] for row in rows if int(row["code12"][6:9]) < 400 > int(row["code12"][9:]))
    assert len(communities) == 7475
    found = []
    for district, codes in groupby(communities, lambda code: code[:6]):
        view, within = Answering(client[name], Caller(district), lambda: NOW), list(codes)
        view.opened(a_fact("opened", district, district=district, settings={}, communities=within))
        for category in [*events.shipped(), "21", "*"]:
            what = {"lead": "chengguan", "assists": ["zhujian", "shichang"], "never_community": False}
            what |= {"category": category, "unit": district, "community_first": False}
            view.rule_set(a_fact("rule_set", f"{category}@{district}", district=district, **what))
        for n, community in enumerate(within):
            for post in POSTS:
                seat = f"{post}@{community}"
                what = {"post": post, "unit": community, "term": a_person(seat), "person": a_person(seat)}
                what |= {"since": "2026-01-01", "until": None, "substitute": a_person(f"{seat} in their stead")}
                view.term(a_fact("appointed", seat, district=district, **what))
            if n % 10 == 0:
                away = {"absence": a_person("leave"), "since": "2026-11-20", "until": "2026-11-30", "substitute": None}
                person = a_person(f"chengguan@{community}")
                view.leave(a_fact("leave_taken", person, district=district, **away))
            found.append((view, community))
        print(f"\r{len(found)} / {len(communities)}", end="", flush=True)
    return found


def timed(what, of) -> list[float]:
    """Give how many milliseconds each took, sorted."""
    took = []
    for each in of:
        began = time.perf_counter()
        what(*each)
        took.append((time.perf_counter() - began) * 1000)
    return sorted(took)


def measure(figures: Figures, home: Path) -> None:
    """Ask who answers, on a database of its own that holds all of Beijing."""
    given = os.environ.get("MONGO_URI")
    uri = ours.with_options(given, {**ours.PROMISES, **ours.PATIENCE}) if given else ours.start(home).admin_uri
    client: pymongo.MongoClient = pymongo.MongoClient(uri, tz_aware=True)
    name = f"huying_bench_{uuid.uuid4().hex[:8]}"
    try:
        began = time.perf_counter()
        communities = fill(client, name)
        print(f"  {time.perf_counter() - began:.0f} s, {len(communities)} communities × {len(POSTS)} seats")
        chance = random.Random(1)
        asked = [
            (*chance.choice(communities), category) for category in chance.choices(list(events.shipped()), k=ASKED)
        ]

        def bare(view, community, category):
            view.rows("seats_heard").find_one({"_id": f"chengguan@{community}"})

        def known(view, community, category):
            assert view.responsible(category, community, None)["lead"]["person"]

        def anew(view, community, category):
            answering.REMEMBERED.clear()
            known(view, community, category)

        anew(*asked[0])
        seen = {"bare find_one": timed(bare, asked), "nothing remembered": timed(anew, asked)}
        answering.REMEMBERED.clear()
        seen["as it comes"] = timed(known, asked)
        known(*asked[0])
        seen["remembered"] = timed(known, asked[:1] * 200)
        for what, took in seen.items():
            thirds = [statistics.median(took[n::3]) for n in range(3)]
            beside = "who answers, bare find_one" if what != "bare find_one" else None
            figures.add(f"who answers, {what}", "ms", *thirds, p95=took[int(len(took) * 0.95)], beside=beside)
        within = figures.known["who answers, nothing remembered"]["value"]
        print(f"  目标 / goal: {within:.1f} ms of {LIMIT:.0f}")
    finally:
        if given:
            client.drop_database(name)
        client.close()
        if not given:
            ours.stop(home)
