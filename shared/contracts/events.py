"""The city-management events that ship with the platform: their codes are what roster and whistle service agree on."""

import csv
from functools import cache
from pathlib import Path

SCHEME, LOCAL = "GB/T 30428.2-2013", "local"
FILE = Path(__file__).with_name("gbt30428_2_2013_events.csv")


@cache
def classes() -> dict[str, str]:
    """Give the standard's classes, two figures each; 21 is the one that it leaves to extensions."""
    with FILE.open(encoding="utf-8-sig", newline="") as file:
        return {row["major_code"]: row["major_name"] for row in csv.DictReader(file)}


@cache
def shipped() -> dict[str, str]:
    """Give the standard's events, ``{code: name}`` of four figures: class and sub class."""
    with FILE.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["minor_code"]]
    return {row["major_code"] + row["minor_code"]: row["minor_name"] for row in rows}
