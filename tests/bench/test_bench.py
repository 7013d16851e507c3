"""The bench itself in its short form: each figure is there beside its floor, and two runs can be compared."""

import json
import os
import subprocess
import sys

import pytest

from deploy.local import ROOT
from services import proof
from services.whistle.store import Open, Whistles
from shared.caller import Caller
from shared.running import real_now
from tests.bench.figures import Figures, compared
from tests.bench.stored import DISTRICT, Past


def test_what_moved_is_told_from_what_only_trembles():
    def a_run(*rates: float, floor: float = 100.0) -> dict:
        figures = Figures({})
        figures.add("floor @1", "/s", floor, floor)
        figures.add("blow @1", "/s", *rates, beside="floor @1")
        return {"figures": figures.known}

    calm = a_run(60, 62)
    trembled = compared(calm, a_run(61, 63))[1]
    assert (trembled["name"], trembled["moved"], trembled["beside_moved"]) == ("blow @1", False, False)
    slower = compared(calm, a_run(40, 41))[1]
    assert slower["moved"] and slower["beside_moved"] and 0.6 < slower["ratio"] < 0.7
    # A machine that is slower as a whole: the figure moved, beside its floor it did not.
    elsewhere = compared(calm, a_run(30, 31, floor=50.0))[1]
    assert elsewhere["moved"] and not elsewhere["beside_moved"]


def test_one_round_says_nothing_about_what_moved():
    def a_run(rate: float) -> dict:
        figures = Figures({})
        figures.add("memory", "MB", rate)
        return {"figures": figures.known}

    assert compared(a_run(100), a_run(300))[0]["moved"] is None


class Bulk:
    """A database that keeps what is inserted in bulk."""

    def __init__(self):
        self.held: dict[str, list[dict]] = {}

    def __getitem__(self, name: str) -> "Bulk.Into":
        return Bulk.Into(self.held.setdefault(name, []))

    class Into:
        def __init__(self, rows: list[dict]):
            self.rows = rows

        def insert_many(self, rows: list[dict], ordered: bool) -> None:
            self.rows += rows


def test_stored_whistles_are_such_as_the_platform_itself_writes():
    """Each has a history that verifies and folds to its state, its words beside it, and no row among what is open."""
    bulk = Bulk()
    ids = list(Past(seed=7).fill(bulk, 12))
    rows = bulk.held["whistles"]
    assert [row["id"] for row in rows] == ids
    ledger = Whistles(bulk, Caller(DISTRICT), real_now)
    words = {row["_id"]: row for row in bulk.held["whistles_words"]}
    for row in rows:
        assert proof.broken(ledger, row, [words[ref] for ref in row["refs"]]) is None
        assert row["state"]["stage"] == "settled" and row["state"]["number"]
        assert row["version"] == len(row["history"]) >= 7
    assert {row["whistle"] for row in bulk.held["settled_whistles"]} == set(ids)
    assert {row["whistle"] for row in bulk.held["own_whistles"]} == set(ids)
    assert not {"open_whistles", "open_summonses", "tallies"} & set(bulk.held)
    assert Open.indexes.keys() >= {"settled_whistles"}


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_the_short_form_measures_everything_beside_its_floor(tmp_path):
    words = [sys.executable, "-m", "tests.bench", "--quick"]
    env = os.environ | {"HUYING_BENCH_HOME": str(tmp_path / "bench")}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=1400)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (file,) = (tmp_path / "bench").glob("*.json")
    found = json.loads(file.read_text())
    assert {"processor", "cores", "memory_mb", "kernel", "python", "rabbitmq", "commit", "load_before"} <= set(
        found["machine"]
    )
    figures = found["figures"]
    for many in (1, 16):
        for name in ("blow", "rpc", "blow, heard", "report, heard", "inbox of 50", "blow, 1000 stored"):
            assert figures[f"{name} @{many}"]["beside"] > 0 and figures[f"{name} @{many}"]["value"] > 0
    assert figures["memory idle: all"]["value"] > 0
    assert figures["gevent, 200 streams: one fact to all"]["value"] > 0
    compare = [sys.executable, "-m", "tests.bench.compare", str(file), str(file)]
    said = subprocess.run(compare, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0 and f"{len(figures)} 项可比，0 项" in said.stdout, said.stdout + said.stderr
