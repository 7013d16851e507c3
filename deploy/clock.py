"""Reads or moves the platform's clock in demo and test: ``make clock forward=86400 speed=60``."""

import argparse

from shared.errors import Refusal
from shared.rules.days import iso
from shared.running import clock


def main() -> None:
    """Move the clock forward and set its speed, or only say what time it is."""
    parser = argparse.ArgumentParser(prog="make clock")
    parser.add_argument("--forward", type=float, default=0, help="秒 / seconds")
    parser.add_argument("--speed", type=float, help="倍 / platform seconds in one real second")
    asked = parser.parse_args()
    try:
        if asked.forward or asked.speed:
            clock.move(asked.forward, asked.speed)
    except Refusal as refusal:
        raise SystemExit(refusal.detail) from None
    print(f"平台时间 / platform time: {iso(clock.now())}, ×{clock.read()[2]:g}")


if __name__ == "__main__":
    main()
