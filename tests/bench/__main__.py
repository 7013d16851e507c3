"""Measures the platform beside its floor: ``make bench`` (``quick=1 only=floor,acts``); a table and a JSON file."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from deploy.local import ROOT
from tests.bench import machine
from tests.bench.figures import Figures
from tests.bench.measures import PARTS, QUICK, Form

SHORT = ("floor", "acts", "stored", "streams")  # parts of the quick form


def run(figures: Figures, parts: list[str], form: Form, home: Path) -> None:
    """Measure these parts, one after the other."""
    print(machine.said(figures.facts), flush=True)
    for n, part in enumerate(parts, 1):
        began = time.monotonic()
        print(f"\n[{n}/{len(parts)}] {part}: {PARTS[part].__doc__}", flush=True)
        PARTS[part](figures, home, form)
        print(f"  {time.monotonic() - began:.0f} s", flush=True)


def main() -> None:
    """Measure, print the table and write the file; whatever was measured before an interrupt is kept."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="短测 / the short form")
    parser.add_argument("--only", default="", help=f"只测 / only these parts: {','.join(PARTS)}")
    said = parser.parse_args()
    parts = [each for each in said.only.split(",") if each] or list(SHORT if said.quick else PARTS)
    if strange := set(parts) - set(PARTS):
        raise SystemExit(f"没有 {strange}，可选 / no such part, choose from: {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(os.environ.get("HUYING_BENCH_HOME") or ROOT / "var" / "bench")
    figures = Figures(machine.facts(), quick=said.quick, parts=parts)
    try:
        run(figures, parts, QUICK if said.quick else Form(), folder / "house")
    finally:
        if figures.known:
            print(f"\n{figures.table()}\n\n{figures.save(folder)}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\n已中断，所启动的都已停止 / interrupted; all that was started has been stopped")
