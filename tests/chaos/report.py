"""The table of a run of chaos, on the screen and as JSON and Markdown in ``var/chaos/``."""

import json
import time
from pathlib import Path

from tests.bench import machine

COLUMNS = {
    "scenario": "情形 / scenario", "seconds": "秒 / s",
    "acknowledged": "已承诺 / acknowledged", "stored": "已存 / stored",
    "entries": "环 / entries", "told": "已告知 / told", "heard": "已听到 / heard",
    "recount": "重数 / recount", "verified": "核验 / verified",
    "retries": "重试 / retries", "longest": "最久 / longest s", "caught_up": "赶上 / caught up s", "ok": "",
}  # fmt: skip


def wide(text: str) -> int:
    """Count the columns of a terminal that a text takes: a Chinese character takes two."""
    return sum(2 if ord(each) > 0x2E7F else 1 for each in text)


def cells(row: dict) -> list[str]:
    return [shown(row.get(name)) for name in COLUMNS]


def shown(value) -> str:
    if isinstance(value, bool):
        return "✓" if value else "✗"
    return "—" if value is None else str(value)


def table(rows: list[dict]) -> str:
    """Give all scenarios as one table, those that failed with what was wrong below it."""
    lines = [list(COLUMNS.values()), *(cells(row) for row in rows)]
    widths = [max(wide(line[n]) for line in lines) for n in range(len(COLUMNS))]
    text = [
        "  ".join(cell + " " * (width - wide(cell)) for cell, width in zip(line, widths, strict=True)) for line in lines
    ]
    return "\n".join(
        [*(line.rstrip() for line in text), *(f"✗ {row['scenario']}: {row['wrong']}" for row in rows if row["wrong"])]
    )


def markdown(rows: list[dict], facts: dict) -> str:
    """Give the same for a person who reads it later."""
    head = [f"# 混沌测试 / Chaos {time.strftime('%Y-%m-%d %H:%M')}", "", *machine.said(facts).splitlines(), ""]
    head += ["| " + " | ".join(COLUMNS.values()) + " |", "|" + " --- |" * len(COLUMNS)]
    body = ["| " + " | ".join(cells(row)) + " |" for row in rows]
    seen = [f"- **{row['scenario']}**: {json.dumps(row['saw'], ensure_ascii=False)}" for row in rows]
    wrong = [f"- ✗ **{row['scenario']}**: {row['wrong']}" for row in rows if row["wrong"]]
    return "\n".join(
        [
            *head,
            *body,
            "",
            "## 所见 / What was seen",
            "",
            *seen,
            *(["", "## 差异 / Differences", ""] if wrong else []),
            *wrong,
            "",
        ]
    )


def save(folder: Path, rows: list[dict], facts: dict) -> Path:
    """Write both files; gives the path of the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    name = time.strftime("%Y%m%d-%H%M%S")
    whole = {"machine": facts, "scenarios": rows}
    (folder / f"{name}.json").write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n")
    path = folder / f"{name}.md"
    path.write_text(markdown(rows, facts))
    return path
