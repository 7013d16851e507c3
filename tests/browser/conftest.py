"""A town of its own to play in, and people who come to it with a browser."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from deploy import browser as machine
from deploy import seed
from shared.bus import Bus
from tests.conftest import HOME, end
from tests.make import PASSWORD, eventually

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
DESK = {"viewport": {"width": 1440, "height": 900}}
AT_BUILDING_3 = {"longitude": 116.3441, "latitude": 39.9312}
FIRST = {"110102": "110102009041", "110107": "110107001012"}
SHOTS = Path(__file__).parents[2] / "var" / "screenshots" / "tests"


@pytest.fixture(scope="session")
def town() -> Iterator[str]:
    """Give the address of a platform with two communities and their stations (``HUYING_URL``: one that runs)."""
    if os.environ.get("HUYING_URL"):
        yield os.environ["HUYING_URL"]
        return
    from deploy.local import Platform
    from deploy.settings import free_port

    # Beside the home of the other tests, which they clear when they begin.
    home = HOME.with_name(f"{HOME.name}-town")
    Platform(home).down()
    shutil.rmtree(home, ignore_errors=True)
    platform = Platform(home, port=free_port(), mode="test", environ={"RATE_LIMITS": "off"})
    try:
        platform.up(seed=True)
        settle_in(platform)
        yield platform.url
    finally:
        end(platform)


def settle_in(platform) -> None:
    """Give each of two communities its departments, places, rules and seats: of the demo's roster what they need."""
    bus = Bus(platform.settings.amqp_uri("gateway"), patience=10)
    try:
        eventually(lambda: bus.connected)
        for district, plan in seed.ROSTER["districts"].items():
            first = FIRST[district]
            for call, order in seed.acts(district, plan):
                if call.name != "appoint" or order["id"].partition("@")[2].startswith(first):
                    seed.ask(bus, call, order, district)
    finally:
        bus.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as player:
        found = player.chromium.launch(executable_path=machine.installed(), args=["--no-sandbox"])
        yield found
        found.close()


class Visitor:
    """Somebody with a browser: their page, and what went wrong in it."""

    def __init__(self, town: str, context: BrowserContext, login: str):
        self.town, self.context, self.login = town, context, login
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.wrong: list[str] = []
        self.page.on("console", lambda said: said.type == "error" and self.wrong.append(said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda asked: asked.url.startswith(town) or self.wrong.append(asked.url))

    def sign_in(self) -> "Visitor":
        """Come in through the door."""
        self.page.goto(f"{self.town}/sign-in")
        self.page.get_by_label("登录名").fill(self.login)
        self.page.get_by_label("密码", exact=True).fill(PASSWORD)
        self.press("登录")
        self.page.wait_for_url("**/home")
        return self

    def press(self, name: str, **options) -> None:
        self.page.get_by_role("button", name=name, **options).first.click()

    def follow(self, name: str, **options) -> None:
        self.page.get_by_role("link", name=name, **options).first.click()

    def opens(self, title: str) -> None:
        """Open the form of an act, unless it is open already."""
        form = self.page.locator("details.act").filter(has=self.page.locator("summary", has_text=title)).first
        if form.get_attribute("open") is None:
            form.locator("summary").first.click()

    def form(self, title: str):
        return self.page.locator("details.act").filter(has=self.page.locator("summary", has_text=title)).first

    def sees(self, text: str, seconds: float = 10) -> None:
        self.page.get_by_text(text).locator("visible=true").first.wait_for(timeout=seconds * 1000)


@pytest.fixture
def visit(town, chromium, request) -> Iterator[Callable[..., Visitor]]:
    """Let somebody come, on a phone or at a desk, with or without scripts; what they saw last is kept as a picture."""
    come: list[Visitor] = []

    def visitor(login: str, at=PHONE, scripts: bool = True, **options) -> Visitor:
        context = chromium.new_context(
            **at, locale="zh-CN", java_script_enabled=scripts, permissions=["geolocation"], geolocation=AT_BUILDING_3,
            **options,
        )  # fmt: skip
        come.append(Visitor(town, context, login))
        return come[-1].sign_in()

    yield visitor
    SHOTS.mkdir(parents=True, exist_ok=True)
    for each in come:
        each.page.screenshot(path=SHOTS / f"{request.node.name}-{each.login}.png")
        each.context.close()
    assert [each.wrong for each in come if each.wrong] == []


@pytest.fixture
def photo(tmp_path) -> Path:
    """Give a photo as a phone takes it."""
    file = tmp_path / "photo.jpg"
    Image.effect_noise((1200, 900), 60).convert("RGB").save(file, "JPEG")
    return file
