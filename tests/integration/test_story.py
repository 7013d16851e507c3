"""The article is played on a platform of its own, in demo mode: its clock moves on by days, and by a year."""

import json
import subprocess
import sys

import pytest

from deploy.settings import ROOT
from tests.conftest import HOME


@pytest.fixture(scope="module")
def stage():
    """A platform with the demo's people in their seats, whose time is nobody else's."""
    import shutil

    from deploy.local import Platform
    from deploy.settings import free_port

    home = HOME.with_name(f"{HOME.name}-stage")
    shutil.rmtree(home, ignore_errors=True)
    running = Platform(home, port=free_port(), mode="demo", environ={"RATE_LIMITS": "off"})
    try:
        running.up(seed=True)
        yield running
    finally:
        running.down()


def played(stage, module: str, *words: str) -> str:
    """Play one of the programs that people start with make; gives what it printed."""
    argv = [sys.executable, "-m", module, *words]
    done = subprocess.run(argv, cwd=ROOT, env=stage.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return done.stdout


def test_the_main_job_is_played_for_two_districts_and_its_histories_hold(stage):
    said = played(stage, "deploy.demo")
    assert said.count("history verified") == 2
    assert said.count("已报到") == 3


def test_the_story_of_the_newspaper_is_played_and_every_word_of_it_comes_true(stage):
    said = played(stage, "deploy.story")
    assert "✓ 25.5 小时拆除" in said and "✓ 1 处 12.5 平方米" in said
    assert "✓ 再次退单,须会商" in said and "龙淑芬(专员)(代 马志强(专员))" in said
    assert said.count("history verified") == 3


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_small_year_is_played_and_a_recount_finds_exactly_its_sums(stage):
    said = played(stage, "deploy.year", "--scale=20")
    found = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    assert (found["whistles"], found["reports"], found["problems"]) == (21, 130, 25)
    assert (found["structures"], found["area"], found["home"]) == (19, "640.23", 21)
    assert found["differences"] == {} and found["kept"] > 10 * found["late"] > 0
    # What was played already is found again, and nothing is counted twice.
    assert "接着演" in played(stage, "deploy.year", "--scale=20")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_recount_says_which_sum_differs(stage):
    program = str(ROOT / "tests" / "recount" / "year.py")
    span = ["--street", "110102009", "--since", "2026-01-01", "--until", "2099-12-31"]
    argv = [sys.executable, program, stage.url, *span, "--whistles", "1"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 1
    assert "not 1" in json.loads(done.stdout)["differences"]["whistles"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_story_may_be_played_again(stage):
    assert played(stage, "deploy.story").count("history verified") == 3
