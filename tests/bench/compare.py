"""Lays two runs of the bench side by side: ``make bench-compare A=var/bench/….json B=var/bench/….json``."""

import argparse
import json
from pathlib import Path

from tests.bench.figures import compared, shown

SAME = ("processor", "cores", "memory_mb", "kernel", "python", "rabbitmq", "SecantusDB")
BUSY = 1.0  # a load from which on the machine had something else to do


def read(path: str) -> dict:
    """Read one run, or say that it is none."""
    try:
        found = json.loads(Path(path).read_text())
        return found if found["figures"] else found["nothing"]
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"读不出测量文件 / not a file of the bench: {path} ({error})") from None


def warnings(a: dict, b: dict) -> list[str]:
    """Say why two runs may not be comparable."""
    found = [
        f"! {name}: {a['machine'].get(name)} → {b['machine'].get(name)}"
        for name in SAME
        if a["machine"].get(name) != b["machine"].get(name)
    ]
    for name, run in (("A", a), ("B", b)):
        if run["machine"]["load_before"][0] > BUSY:
            load = run["machine"]["load_before"][0]
            found.append(f"! {name}: 机器当时在忙 / the machine was busy, load {load:.1f}")
    if a.get("quick") != b.get("quick"):
        found.append("! 一次是短测 / one of them is the short form")
    return found


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(prog="make bench-compare")
    parser.add_argument("a")
    parser.add_argument("b")
    said = parser.parse_args()
    a, b = read(said.a), read(said.b)
    print(f"A {said.a}  {a['began']}  {a['machine']['commit']}\nB {said.b}  {b['began']}  {b['machine']['commit']}")
    print("\n".join(warnings(a, b)))
    print(f"{'项目 / figure':<42}{'A':>9} {'B':>9} {'':<6}{'B/A':>7}  {'×floor':>7} {'±':>6}")
    rows, moved = compared(a, b), 0
    for row in rows:
        noise = f"{100 * row['noise']:.0f} %" if row["noise"] is not None else ""
        by = f"{row['ratio']:.2f}" if row["ratio"] is not None else ""
        beside = f"{row['beside']:.2f}" if row.get("beside") else ""
        # Beside its floor a figure is freed of how fast the machine was that day.
        flag = "◀" if row.get("beside_moved", row["moved"]) else ""
        moved += bool(flag)
        print(
            f"{row['name']:<44}{shown(row['a']):>9} {shown(row['b']):>9} {row['unit']:<6}{by:>7}  {beside:>7} "
            f"{noise:>6} {flag}"
        )
    print(f"{len(rows)} 项可比，{moved} 项的变化超出各轮差异(◀) / compared; moved by more than rounds differ: {moved}")


if __name__ == "__main__":
    main()
