"""Figures of one run: each with its rounds, so that one sees how far they differ by themselves, beside its floor.

One JSON file keeps them, with the machine's facts; two such files can be laid side by side: `make bench-compare`.
"""

import json
import statistics
import time
from pathlib import Path

HEADS = ("项目 / figure", "值 / value", "单位 / unit", "p95 ms", "×floor", "±")


class Figures:
    """What was measured, by name: ``{name: {value, unit, rounds, noise, beside?, p95?}}``."""

    def __init__(self, facts: dict, **said):
        self.began = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.facts, self.told, self.known = facts, said, {}

    def add(self, name: str, unit: str, *rounds: float, p95: float | None = None, beside: str | None = None) -> dict:
        """Keep one figure, the median of its rounds; ``beside`` names the floor of the same run."""
        value = statistics.median(rounds)
        noise = (max(rounds) - min(rounds)) / value if value and len(rounds) > 1 else None
        found = {"value": value, "unit": unit, "rounds": list(rounds), "noise": noise}
        if p95 is not None:
            found["p95_ms"] = p95
        if beside and self.known[beside]["value"]:
            found["beside"] = value / self.known[beside]["value"]
        self.known[name] = found
        print(f"    {self.line(name)}", flush=True)
        return found

    def loads(self, seen: dict[tuple[str, int], list[dict]], floor: str = "floor", mark: str = "") -> None:
        """Keep the rates of closed loops, ``{(kind, clients): [what a round saw]}``, each beside that of the floor."""
        clients = dict.fromkeys(clients for _, clients in seen)
        for kind, many in sorted(seen, key=lambda each: (each[0] != floor, list(clients).index(each[1]))):
            rounds = seen[kind, many]
            beside = None if kind == floor else f"{floor}{mark} @{many}"
            p95 = statistics.median(one["p95"] for one in rounds) * 1000
            rates = [one["rate"] for one in rounds]
            self.add(f"{kind}{mark} @{many}", "/s", *rates, p95=p95, beside=beside if (floor, many) in seen else None)

    def line(self, name: str) -> str:
        return "  ".join(
            f"{cell:<{width}}" if n == 0 else f"{cell:>{width}}"
            for n, (cell, width) in enumerate(zip(self.cells(name), (44, 10, 6, 9, 7, 6), strict=True))
        )

    def cells(self, name: str) -> list[str]:
        each = self.known[name]
        return [
            name, shown(each["value"]), each["unit"], shown(each.get("p95_ms")),
            f"{each['beside']:.2f}" if "beside" in each else "",
            f"{100 * each['noise']:.0f} %" if each["noise"] is not None else "",
        ]  # fmt: skip

    def table(self) -> str:
        """Give all figures as one table."""
        head = "  ".join(f"{cell:<{width}}" for cell, width in zip(HEADS, (38, 9, 9, 9, 7, 6), strict=True))
        return "\n".join([head, *(self.line(name) for name in self.known)])

    def save(self, folder: Path) -> Path:
        """Write the JSON file of this run; gives its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
        whole = {"began": self.began, **self.told, "machine": self.facts, "figures": self.known}
        path.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n")
        return path


def shown(value: float | None) -> str:
    """Write a number with the digits that mean something."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def compared(a: dict, b: dict) -> list[dict]:
    """Lay two runs side by side: ``{name, a, b, ratio, noise, moved, beside_a, beside_b, beside_moved}``.

    Moved is what differs by more than either run's rounds differ among themselves; without rounds, nothing is said.
    """
    rows = []
    for name in a["figures"].keys() & b["figures"].keys():
        one, other = a["figures"][name], b["figures"][name]
        noises = [each["noise"] for each in (one, other) if each["noise"] is not None]
        noise = max(noises) if noises else None
        row = {"name": name, "unit": one["unit"], "a": one["value"], "b": other["value"], "noise": noise}
        row["ratio"] = ratio(one["value"], other["value"])
        row["moved"] = is_moved(row["ratio"], noise)
        if "beside" in one and "beside" in other:
            row["beside"] = ratio(one["beside"], other["beside"])
            row["beside_moved"] = is_moved(row["beside"], noise)
        rows.append(row)
    order = list(b["figures"])
    return sorted(rows, key=lambda row: order.index(row["name"]))


def ratio(a: float, b: float) -> float | None:
    return b / a if a else None


def is_moved(by: float | None, noise: float | None) -> bool | None:
    """Say whether a ratio is further from one than what rounds differ by; None where nothing can be said."""
    if by is None or noise is None:
        return None
    return not 1 / (1 + noise) <= by <= 1 + noise
