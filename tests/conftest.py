"""What tests stand on: a platform of their own, with its own broker, database, ports and folder."""

import os
import shutil
import time
from pathlib import Path

import pytest
import requests

from tests.make import Client

HOME = Path(os.environ.get("HUYING_TEST_HOME") or Path(__file__).parents[1] / "var" / "test")

ORDER = ("unit", "contract", "integration", "fault", "bench")


def pytest_collection_modifyitems(items):
    """Ask the quick questions first, and kill last: what faults leave behind makes the platform's lists long."""
    here = Path(__file__).parent
    items.sort(key=lambda item: ORDER.index(item.path.relative_to(here).parts[0]))


@pytest.fixture(scope="session")
def platform():
    """A whole platform in processes of its own, seeded, in test mode; stopped when the run is over."""
    from deploy.local import Platform
    from deploy.settings import free_port

    shutil.rmtree(HOME, ignore_errors=True)
    running = Platform(HOME, port=free_port(), mode="test", environ={"RATE_LIMITS": "off"})
    try:
        running.up(seed=True)
        yield running
    finally:
        running.down()


@pytest.fixture(scope="session")
def url(platform) -> str:
    return platform.url


@pytest.fixture(scope="session")
def sign_in(url):
    """Sign somebody in, each once a session."""
    known: dict[str, Client] = {}

    def signed(login: str) -> Client:
        if login not in known or time.time() - known[login].since > 600:
            known[login] = Client(url, login)
            known[login].since = time.time()
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
