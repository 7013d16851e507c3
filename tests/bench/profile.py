"""Where the time of a blow goes: py-spy looks into whistle, gateway and database under 16 clients; `make profile`.

What it prints: the processor time of each process for one blow, then the costliest places of each, by themselves and
with all that they call. The stacks themselves lie in ``var/bench/`` for whoever wants to look further.
"""

import argparse
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from deploy.local import ROOT
from tests.bench.house import House

CLIENTS, RATE = 16, 100  # looks a second
WATCHED = ("whistle", "gateway", "database")
# Frames that everything hangs below: they say nothing about where time goes.
ROOTS = re.compile(r"(_bootstrap|<module>|greenthread|hubs/|run_forever|gunicorn|threading\.py|runpy)")
# Where a thread waits: py-spy cannot tell for all of them that they do.
WAITS = re.compile(r"^(Hub\.do_poll|Hub\.run|_recv_exactly|.*_readable|Condition\.wait|socket\.accept|poll\.poll) ")


def look(pid: int, seconds: float, into: Path, native: bool) -> subprocess.Popen:
    """Begin to look into a process: which lines it is at, so many times a second."""
    spy = str(Path(sys.executable).with_name("py-spy"))
    argv = [spy, "record", "--pid", str(pid), "--duration", str(int(seconds)), "--rate", str(RATE)]
    argv += ["--format", "raw", "--output", str(into), *(["--native"] if native else [])]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def short(frame: str) -> str:
    """Give a frame as one reads it: the function, and the end of its path without the line."""
    name, _, place = frame.partition(" (")
    path = re.sub(r":\d+\)?$", "", place.rstrip(")"))
    return f"{name} ({'/'.join(path.split('/')[-2:])})" if path else name


def stacks(path: Path) -> list[tuple[list[str], int]]:
    """Read what was seen: ``[(frames from the root on, how often)]``."""
    found = []
    for line in path.read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        if frames.strip():
            found.append(([short(frame) for frame in frames.split(";") if frame], int(count)))
    return found


def costs(path: Path, milliseconds: float, most: int = 24) -> list[str]:
    """Say where the time went: each place's own share, and with all that it calls; in milliseconds of one blow."""
    own, below = Counter(), Counter()
    for frames, count in stacks(path):
        if WAITS.match(frames[-1]):
            continue
        own[frames[-1]] += count
        for frame in set(frames):
            if not ROOTS.search(frame):
                below[frame] += count
    total = sum(own.values()) or 1
    lines = []
    for title, counted in (("自身 / itself", own), ("连同所调 / with what it calls", below)):
        lines.append(f"  {title}:")
        for frame, count in counted.most_common(most):
            lines.append(f"    {100 * count / total:5.1f} %  {milliseconds * count / total:6.3f} ms  {frame}")
    return lines


def profile(house: House, seconds: float, into: Path, kind: str, native: bool) -> list[str]:
    """Look into the processes while clients ask; gives the report."""
    into.mkdir(parents=True, exist_ok=True)
    house.load("wmy", kind, CLIENTS, 3)
    processes = {name: house.processes()[name][-1] for name in WATCHED}
    before, told = house.processors(), []
    asking = threading.Thread(target=lambda: told.append(house.load("wmy", kind, CLIENTS, seconds + 2)))
    asking.start()
    time.sleep(1)
    spies = {name: look(each.pid, seconds, into / f"{name}.txt", native) for name, each in processes.items()}
    try:
        for spy in spies.values():
            spy.wait(seconds + 180)
    finally:
        for spy in spies.values():
            spy.kill()
            spy.wait()
    asking.join()
    asked = told[0]["rate"] * (seconds + 2)
    spent = {name: 1000 * (now - before[name]) / asked for name, now in house.processors().items() if name in before}
    lines = [f"{kind}, {CLIENTS} 个客户端 / clients: {told[0]['rate']:.1f}/s while looked at, {asked:.0f} asked"]
    lines.append("处理器毫秒 / ms of processor for one: " + ", ".join(f"{n} {ms:.2f}" for n, ms in spent.items()))
    for name in WATCHED:
        lines.append(f"{name}: {spent[name]:.2f} ms")
        lines += costs(into / f"{name}.txt", spent[name])
    return lines


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(prog="make profile")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--kind", default="blow", choices=["blow", "blow3", "floor"])
    parser.add_argument("--listeners", action="store_true", help="听众也在 / with all who listen")
    parser.add_argument("--native", action="store_true", help="连同 C 代码 / with what is not Python")
    said = parser.parse_args()
    into = ROOT / "var" / "bench" / time.strftime("profile-%Y%m%d-%H%M%S")
    with House(ROOT / "var" / "bench" / "house", listeners=said.listeners) as house:
        lines = profile(house, said.seconds, into, said.kind, said.native)
    (into / "report.txt").write_text("\n".join(lines) + "\n")
    print("\n" + "\n".join(lines) + f"\n{into}")


if __name__ == "__main__":
    main()
