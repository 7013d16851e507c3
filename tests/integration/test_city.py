"""A morning of two districts is played on a platform of its own; a recount finds each whistle as the books have it."""

import json
import subprocess
import sys
from datetime import date

import pytest

from deploy.city.day import Day
from deploy.settings import ROOT

MORNING = {"districts": ("110102", "110107"), "hours": (8, 12)}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_morning_of_two_districts_is_played_and_every_sum_is_right(tmp_path):
    argv = [sys.executable, "-m", "deploy.city", "--seed=morning", "--date=2026-01-19", "--scale=0.12", "--speed=160"]
    argv += ["--districts=110102,110107", "--hours=8-12", f"--home={tmp_path}"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "数目全对 / every sum is right" in done.stdout
    books = json.loads((tmp_path / "morning.json").read_text("utf-8"))
    day = Day("morning", date(2026, 1, 19), 0.12, **MORNING)
    assert set(books["whistles"]) == {acts[0].whistle for acts in day.whistles() if acts}
    told = books["facts"]["110102"]
    assert min(told[name] for name in ("blown", "signed", "reported", "fed_back", "confirmed", "settled", "rated")) > 0
    page = (tmp_path / "morning.html").read_text("utf-8")
    assert "数目全对" in page and page.count('<svg viewBox="0 0 400') >= 10
    # The platform it was played on is gone; what is left is what people read.
    assert {each.name for each in tmp_path.iterdir()} == {"morning.html", "morning.json"}
