"""Harms platforms of its own in every way we know and counts what became of the promises: ``make chaos``."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from deploy.local import ROOT
from shared.contracts import CONTRACTS
from tests.bench import machine
from tests.chaos import report
from tests.chaos.account import is_even, settled
from tests.chaos.ground import Ground, ground
from tests.chaos.scenarios import QUICK, SCENARIOS, Form, Scenario
from tests.fault.harm import Writers, is_well, parked, recount

HEARERS = tuple(name for name, page in CONTRACTS.items() if page.hears)
EVEN_WITHIN = 120.0  # seconds in which all has to be told and heard after the harm is over


class TooLong(Exception):
    """A scenario has had its time."""


@contextlib.contextmanager
def bounded(seconds: int) -> Iterator[None]:
    """End what is done here when it takes longer."""

    def ring(*_) -> None:
        raise TooLong(f"没有在 {seconds} 秒内结束 / it did not end within {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def verify(platform) -> list[str]:
    """Have ``make verify``'s own program read every history; gives what it says where it is not content."""
    argv = [sys.executable, "-m", "deploy.verify"]
    done = subprocess.run(argv, cwd=ROOT, env=platform.environment(), capture_output=True, text=True, timeout=180)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()[-20:]


def play(scenario: Scenario, on: Ground, form: Form) -> dict:
    """Have clients write, do harm, let them write on, and count; gives one row of the report."""
    platform, book = on.platform, on.books / f"{scenario.name.replace(' ', '-')}"
    began = time.monotonic()
    is_well(platform, 90)
    words = ("--writes", "1000000", "--seconds", str(scenario.bound), "--clients", "6", "--pace", "0.02")
    with Writers(platform.url, book, *words) as writers:
        writers.wait_for(form.writes, 120)
        saw = scenario.harm(on, writers, form)
        is_well(platform, 90)
        over = time.time()
        writers.wait_for(writers.count() + form.writes, 120)
        clients = writers.finish()
    counted, even = settled(platform, book, EVEN_WITHIN)
    counts = recount(platform.url, book, "--since", str(max(over, time.time())), "--limit", "60")
    broken, put_aside = verify(platform), parked(platform, HEARERS)
    wrong = {
        "counted": {} if is_even(counted) else counted,
        "recount": [] if counts["ok"] else counts.get("differences") or "not caught up",
        "verify": broken, "parked": put_aside, "strange answers": clients["strange"],
        "unfinished": clients["unfinished"], "scenario": saw.get("broken"),
    }  # fmt: skip
    wrong = {name: each for name, each in wrong.items() if each}
    return counted | {
        "scenario": f"{scenario.chinese} / {scenario.name}", "seconds": round(time.monotonic() - began),
        "recount": counts["ok"], "verified": not broken, "retries": clients["retries"], "longest": clients["longest"],
        "caught_up": even, "saw": saw, "clients": clients, "recounted": counts, "wrong": wrong, "ok": not wrong,
    }  # fmt: skip


def failed(scenario: Scenario, error: BaseException) -> dict:
    """Give the row of a scenario that did not come to its end."""
    said = f"{type(error).__name__}: {error}"
    row = dict.fromkeys(report.COLUMNS) | {"scenario": f"{scenario.chinese} / {scenario.name}", "ok": False}
    return row | {"saw": {}, "wrong": {"not ended": said[:2000]}}


def run(scenarios: list[Scenario], form: Form, home: Path) -> Iterator[dict]:
    """Play scenarios, those of one ground one after the other; yields their rows."""
    done = 0
    for name, of_ground in groupby(scenarios, key=lambda each: each.ground):
        with ground(name, home) as on:
            for scenario in of_ground:
                done += 1
                print(f"\n[{done}/{len(scenarios)}] {scenario.chinese} / {scenario.name} …", flush=True)
                try:
                    with bounded(scenario.bound):
                        row = play(scenario, on, form)
                except Exception as error:
                    traceback.print_exc()
                    row = failed(scenario, error)
                print(report.table([row]), flush=True)
                yield row


def main() -> None:
    """Play them, print the table and write the report; exits with 1 where a promise was not kept."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--quick", action="store_true", help="短测 / the short form")
    parser.add_argument("--only", default="", help="只演名称含此的 / only those whose names have this in them")
    said = parser.parse_args()
    chosen = [each for each in SCENARIOS if said.only in each.name and (each.is_quick or not said.quick)]
    if not chosen:
        raise SystemExit(
            "没有这样的情形，有 / no such scenario, there are: " + "; ".join(each.name for each in SCENARIOS)
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(os.environ.get("HUYING_CHAOS_HOME") or ROOT / "var" / "chaos")
    facts, rows = machine.facts(), []
    try:
        for row in run(chosen, QUICK if said.quick else Form(), folder / "grounds"):
            rows.append(row)
    finally:
        if rows:
            print(f"\n{report.table(rows)}\n\n{report.save(folder, rows, facts)}", flush=True)
    kept = sum(row["ok"] for row in rows)
    print(f"{kept}/{len(chosen)} 种情形守住了承诺 / scenarios in which every promise was kept")
    sys.exit(kept < len(chosen))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\n已中断，所启动的都已停止 / interrupted; all that was started has been stopped")
