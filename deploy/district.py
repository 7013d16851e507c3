"""Opens a district at run time: ``make district code=110105``; no restart."""

import os
import sys
import time

from deploy.seed import ask
from deploy.settings import Settings
from shared.bus import Bus
from shared.contracts import roster
from shared.errors import Refusal, Unavailable


def main(words: list[str]) -> None:
    """Ask the roster to open it, as the operator's API call does (``POST /v1/districts``)."""
    if len(words) != 1:
        raise SystemExit("用法 / usage: make district code=110105")
    bus = Bus(Settings(os.environ.get("HUYING_HOME")).amqp_uri("gateway"), patience=10)
    try:
        while not bus.connected:
            time.sleep(0.05)
        # The roster knows every district by itself: what it refuses now it refuses for ever.
        district = ask(bus, roster.open_district, {"code": words[0]}, passing=Unavailable)
        print(f"已开通 / open: {district['name']} {district['code']}, {district['opened_at']}")
    except Refusal as refusal:
        raise SystemExit(refusal.detail or str(refusal.fields)) from None
    finally:
        bus.close()


if __name__ == "__main__":
    main(sys.argv[1:])
