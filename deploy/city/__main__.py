"""Plays a day of Beijing on a platform of its own and writes what it saw: ``make city``."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from datetime import time as hour
from pathlib import Path

from deploy.city.day import Day
from deploy.city.people import Opening
from deploy.city.play import City, Playing
from deploy.city.report import Told, quantile, written
from deploy.local import Platform, say
from deploy.seed import PASSWORD
from deploy.settings import ROOT, free_port
from services.roster.store.districts import district_names
from shared.rules.calendar import YearUnknown
from shared.rules.days import BEIJING

# Measured on two cores with the simulator beside the platform; see the README's decision.
SCALE, SPEED = 0.01, 200
A_DAY = date(2026, 1, 19)  # a Monday in winter, of a year whose holidays are known
EVE = hour(20)


def days_of(text: str) -> date:
    """Read the day; only days of which the holidays are known can be played."""
    try:
        day = date.fromisoformat(text)
        Day("", day, 0)
    except YearUnknown as error:
        raise argparse.ArgumentTypeError(
            f"{error.year} 年放假安排未知 / holidays of {error.year} are unknown"
        ) from None
    except ValueError:
        raise argparse.ArgumentTypeError("日期,如 2026-01-19 / a date as 2026-01-19") from None
    return day


def districts_of(text: str) -> tuple[str, ...]:
    """Read which districts play: codes, or ``all``."""
    found = tuple(district_names()) if text == "all" else tuple(text.replace(",", " ").split())
    if strange := set(found) - set(district_names()):
        known = "、".join(f"{code} {name}" for code, name in district_names().items())
        raise argparse.ArgumentTypeError(f"北京没有这个区 / no such district: {', '.join(sorted(strange))}; {known}")
    return found


def hours_of(text: str) -> tuple[int, int]:
    """Read a part of the day: ``7-8`` is one hour."""
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and 0 <= int(first) < int(last) <= 24):
        raise argparse.ArgumentTypeError("几点到几点,如 7-8 / from and to a full hour, as 7-8")
    return int(first), int(last)


def share(text: str) -> float:
    """Read a share of the real volume."""
    found = float(text)
    if not 0 < found <= 10:
        raise argparse.ArgumentTypeError("0–10")
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make city")
    parser.add_argument("--seed", default="huying", help="同一种子同一天 / the same seed is the same day")
    parser.add_argument("--date", type=days_of, default=A_DAY, help="哪一天,星期有别 / which day; its weekday matters")
    parser.add_argument("--scale", type=share, default=SCALE, help="真实量的几成 / share of Beijing's real volume")
    parser.add_argument(
        "--speed", type=float, default=SPEED, help="最多几倍速 / platform seconds in a real one, at most"
    )
    parser.add_argument("--districts", type=districts_of, default=districts_of("all"), help="110102,110107 | all")
    parser.add_argument(
        "--hours", type=hours_of, default=(0, 24), help="只演几点到几点,如 7-8 / only a part of the day"
    )
    parser.add_argument("--home", type=Path, default=ROOT / "var" / "city", help="报告放哪里 / where the report goes")
    said = parser.parse_args()
    if not said.seed.replace("-", "").isalnum():
        raise SystemExit("种子只用字母数字 / a seed of letters and figures, please")
    return said


class Bar:
    """Shows how far the day has come: all the time on a terminal, now and then in a log."""

    def __init__(self):
        self.is_live, self.shown = sys.stdout.isatty(), 0.0

    def __call__(self, playing: Playing) -> None:
        if self.is_live or time.monotonic() - self.shown > 15:
            self.shown = time.monotonic()
            print(f"\r\033[K{self.line(playing)}" if self.is_live else self.line(playing), end=self.end, flush=True)

    @property
    def end(self) -> str:
        return "" if self.is_live else "\n"

    @staticmethod
    def line(playing: Playing) -> str:
        """Say what o'clock it is, how many whistles and orders, how fast, how late, and what waits."""
        seen, day = playing.seen, playing.day
        now = day.midnight + timedelta(hours=playing.hour_now())
        share = min(1, max(0, (now - day.begins) / (day.ends - day.begins)))
        recent = seen.done[-600:]
        recent = [each for each in recent if each.answered > recent[-1].answered - 20]
        lags = sorted(lag for each in recent if (lag := seen.lag(each)) is not None)
        span = max(1.0, recent[-1].answered - recent[0].clicked) if recent else 1.0
        depth = sum(seen.samples[-1].queues.values()) if seen.samples else 0
        bar = "█" * int(24 * share)
        return (
            f"  {bar:░<24} {now:%m-%d %H:%M}  哨 {len(playing.books.cases)}  办 {len(seen.done)}  "
            f"{len(recent) / span:5.1f}/s  p95 {1000 * quantile(lags, 0.95):4.0f} ms  队列 {depth}  "
            f"积压 {playing.waiting}"
        )


def start(platform: Platform, day: Day) -> None:
    """Start a platform that has never been used, on the eve of the day; its clock can only go forward from there."""
    home = platform.home
    platform.down()  # what a play that was killed has left
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o700)
    eve = datetime.combine(day.date - timedelta(days=1), EVE, BEIJING).timestamp()
    (home / "clock.json").write_text(json.dumps({"real": time.time(), "platform": eve, "speed": 1.0}))
    platform.up(seed=False)
    environment = platform.environment() | {"AMQP_URI": platform.settings.amqp_uri("gateway")}
    argv = [sys.executable, "-m", "deploy.operator", "operator", "城市演示"]
    subprocess.run(argv, cwd=ROOT, env=environment | {"OPERATOR_PASSWORD": PASSWORD}, check=True)


def recount(platform: Platform, day: Day, books: Path) -> dict:
    """Have a program that knows nothing of ours count the day over the API, and the histories verified."""
    argv = [sys.executable, str(ROOT / "tests" / "recount" / "city.py"), platform.url]
    argv += ["--books", str(books), "--day", str(day.date)]
    counted = subprocess.run(argv, capture_output=True, text=True)
    if not counted.stdout.startswith("{"):
        raise SystemExit(counted.stdout + counted.stderr)
    found = json.loads(counted.stdout)
    # A limit may ring while it looks, and what is told of that is late by a moment: what is broken stays broken.
    for _ in range(3):
        argv = [sys.executable, "-m", "deploy.verify"]
        proved = subprocess.run(argv, cwd=ROOT, env=platform.environment(), capture_output=True, text=True)
        if proved.returncode == 0:
            break
    return found | {"verified": proved.returncode == 0, "proof": (proved.stdout + proved.stderr).strip().splitlines()}


def main() -> None:
    """Play the day, have it recounted, and write the report; ends with 1 where anything differs."""
    said, began = arguments(), time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    day = Day(said.seed, said.date, said.scale, said.districts, said.hours)
    planned = [acts for acts in day.whistles() if acts]
    orders = sum(len(each) for each in planned)
    say("一天 / the day", f"{day.date} {len(planned)} 哨 / whistles, {orders} 项 / orders, ×{said.speed:g}")
    said.home.mkdir(parents=True, exist_ok=True)
    home = said.home / f"{said.seed}.platform"
    platform = Platform(home, port=free_port(), mode="demo", environ={"RATE_LIMITS": "off"})
    try:
        start(platform, day)
        on = City(platform.url)
        opened = Opening(on, day, say).everything()
        playing = Playing(platform, on, day, said.speed, Bar())
        seconds = (day.ends - day.begins).total_seconds() / said.speed
        playing.play(every=max(2.0, seconds / 150))
        print()
        say("演完 / played", f"{playing.seen.played:.0f} s, 排空 / drained {playing.seen.drained:.1f} s")
        books = said.home / f"{said.seed}.json"
        books.write_text(json.dumps(playing.books.written(), ensure_ascii=False))
        say("重新清点 / recount")
        told = Told(day, said.speed, opened, playing, recount(platform, day, books), orders, began)
        page = said.home / f"{said.seed}.html"
        page.write_text(written(told), encoding="utf-8")
    finally:
        platform.down()
        if not os.environ.get("KEEP"):
            shutil.rmtree(home, ignore_errors=True)
    for each in told.wrong[:20]:
        print(f"  ✗ {each}")
    verdict = "有差异 / a sum differs" if told.wrong else "数目全对 / every sum is right"
    print(f"{verdict}  {time.monotonic() - began:.0f} 秒 / seconds  {page}")
    sys.exit(bool(told.wrong))


if __name__ == "__main__":
    main()
