"""What tests stand on: a platform of their own, with its own broker, database, ports and folder."""

import contextlib
import os
import shutil
from pathlib import Path

import psutil
import pytest
import requests

from tests.make import Client

# Each worker of `make test` has a home of its own, and its own share of the ports.
WORKER, WORKERS = os.environ.get("PYTEST_XDIST_WORKER", ""), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
HOME = Path(os.environ.get("HUYING_TEST_HOME") or Path(__file__).parents[1] / "var" / "test") / WORKER
if WORKER:
    os.environ["HUYING_PORTS"] = f"{int(WORKER.removeprefix('gw')) % int(WORKERS)}/{WORKERS}"

ORDER = ("unit", "contract", "integration", "browser", "fault", "bench", "chaos")
# Of the last folder the longest go first, so that no worker is left alone with one of them.
LONGEST = ("test_kills.py", "test_imports.py", "test_away.py", "test_facts.py")


def pytest_collection_modifyitems(items):
    """Ask the quick questions first, and kill last: what faults leave behind makes the platform's lists long."""
    here = Path(__file__).parent

    def turn(item) -> tuple[int, int]:
        folder, file = ORDER.index(item.path.relative_to(here).parts[0]), item.path.name
        return folder, LONGEST.index(file) if file in LONGEST else len(LONGEST)

    items.sort(key=turn)


def pytest_sessionfinish():
    """Stop what a worker that crashed has left running."""
    from deploy.local import Platform

    for home in [] if WORKER else HOME.glob("gw*"):
        Platform(home).down()


def pytest_terminal_summary(terminalreporter):
    """Print what tests measured, one table for each name that they recorded rows under, whichever worker ran them."""
    tables: dict[str, list[dict]] = {}
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        if getattr(report, "when", "") == "call":
            for name, row in report.user_properties:
                if isinstance(row, dict):
                    tables.setdefault(name, []).append(row)
    for name, rows in tables.items():
        terminalreporter.section(name)
        for cells in (rows[0], *(row.values() for row in rows)):
            terminalreporter.write_line("  ".join(f"{cell!s:>9}" for cell in cells))


@pytest.fixture(scope="session")
def platform():
    """A whole platform in processes of its own, seeded, in test mode; stopped when the run is over."""
    from deploy.local import Platform
    from deploy.settings import free_port

    Platform(HOME).down()  # what a run that was interrupted has left
    shutil.rmtree(HOME, ignore_errors=True)
    running = Platform(HOME, port=free_port(), mode="test", environ={"RATE_LIMITS": "off"})
    try:
        running.up(seed=True)
        yield running
    finally:
        end(running)


def end(platform) -> None:
    """End a platform at once: nothing of it has to be saved, and its broker alone would take ten seconds over that."""
    from deploy import ours
    from tests.fault.harm import tree

    supervisor = ours.pid(platform.home, "supervisor")
    for process in tree(supervisor) if supervisor else []:  # the supervisor first, which would start them again
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    platform.down()


@pytest.fixture(scope="session")
def url(platform) -> str:
    return platform.url


@pytest.fixture(scope="session")
def sign_in(url):
    """Sign somebody in, each once a run."""
    known: dict[str, Client] = {}

    def signed(login: str) -> Client:
        if login not in known:
            known[login] = Client(url, login).staying()
        return known[login]

    return signed


@pytest.fixture(scope="session")
def wmy(sign_in) -> Client:
    """The secretary of 万明园 (西城区)."""
    return sign_in("wmy")


@pytest.fixture(scope="session")
def chengguan(sign_in) -> Client:
    """西城区's specialist for urban management."""
    return sign_in("xc-cg")


@pytest.fixture(scope="session")
def sjy(sign_in) -> Client:
    """The secretary of 四季园 (石景山区)."""
    return sign_in("sjy")


def ready(url: str) -> bool:
    """Say whether the gateway says that it is ready."""
    try:
        return requests.get(f"{url}/readyz", timeout=2).ok
    except requests.RequestException:
        return False
