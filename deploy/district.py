"""Opens districts at run time: ``make district code=110105``, or ``code=all`` for Beijing's sixteen; no restart."""

import os
import sys
import time

from deploy.seed import ask
from deploy.settings import Settings
from deploy.tables import draw
from services.roster.store.districts import district_names, divisions
from shared.bus import Bus
from shared.contracts import roster
from shared.errors import Refusal, Unavailable


def units_of(code: str, level: str) -> int:
    """Count the streets or communities that a district ships with."""
    return sum(row["level"] == level and row["code"].startswith(code) for row in divisions())


def open_one(bus: Bus, code: str) -> None:
    """Ask the roster to open one, as the operator's API call does (``POST /v1/districts``)."""
    district = ask(bus, roster.open_district, {"code": code}, passing=Unavailable)
    print(f"已开通 / open: {district['name']} {district['code']}, {district['opened_at']}")


def open_all(bus: Bus) -> None:
    """Open all sixteen one after the other, with a bar; those that are open stay as they are."""
    began, done, codes = time.monotonic(), 0, sorted(district_names())
    streets, communities = (sum(units_of(code, level) for code in codes) for level in ("street", "community"))
    for code in codes:
        ask(bus, roster.open_district, {"code": code}, passing=Unavailable)
        done += units_of(code, "street") + units_of(code, "community")
        draw(done, streets + communities)
    print(
        f"已开通 / open: {len(codes)} 区 / districts, {streets} 街道乡镇 / streets, {communities} 社区 / communities, "
        f"{time.monotonic() - began:.1f} s"
    )


def main(words: list[str]) -> None:
    """Open the district named, or all of them."""
    if len(words) != 1:
        raise SystemExit("用法 / usage: make district code=110105 | all")
    bus = Bus(Settings(os.environ.get("HUYING_HOME")).amqp_uri("gateway"), patience=10)
    try:
        while not bus.connected:
            time.sleep(0.05)
        # The roster knows every district by itself: what it refuses now it refuses for ever.
        open_all(bus) if words[0] == "all" else open_one(bus, words[0])
    except Refusal as refusal:
        raise SystemExit(refusal.detail or str(refusal.fields)) from None
    finally:
        bus.close()


if __name__ == "__main__":
    main(sys.argv[1:])
