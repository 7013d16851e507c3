"""``make screenshots``: every page as a picture, on a phone and at a desk, in plain looks, dark and large.

It looks at the platform that ``make up`` runs, with whatever is there; ``make demo`` and ``make story`` fill it.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from deploy import browser as machine
from tests.browser.conftest import DESK, PHONE
from tests.make import PASSWORD

ROOT = Path(__file__).parents[2]
SIZES = {"phone": PHONE, "desk": DESK}
# Who looks at what; a whistle is the first that is found on the page before it.
FIRST_WHISTLE = "first whistle"
SEEN = {
    "": ("/", "/sign-in", "/design", "/nowhere"),
    "xc-res": ("/home", "/mine", FIRST_WHISTLE, "/blow", "/people-here", "/me"),
    "wmy": ("/home", FIRST_WHISTLE, "/blow", "/people-here"),
    "xc-cg": ("/home", FIRST_WHISTLE),
    "xc-cgl": ("/home", FIRST_WHISTLE),
    "zll": ("/home", FIRST_WHISTLE),
    "xc-admin": ("/home", FIRST_WHISTLE, "/me"),
    "xc-look": ("/home", FIRST_WHISTLE),
}
LOOKS = {
    "": {},
    "-dark": {"huying-light": "dark"},
    "-large": {"huying-text": "large"},
    "-english": {"huying-language": "en"},
}


def pages(page: Page, url: str, login: str) -> Iterator[str]:
    """Go through what somebody sees, and give each page's name when it is there."""
    for path in SEEN[login]:
        if path == FIRST_WHISTLE:
            page.goto(f"{url}/home")
            found = page.locator("a[href^='/whistles/']")
            if not found.count():
                continue
            path = found.first.get_attribute("href")
            page.goto(url + path)
            yield "whistle"
            page.goto(f"{url}{path}/sheet")
            yield "whistle-sheet"
        else:
            page.goto(url + path)
            yield path.strip("/") or "front"


def look(browser: Browser, url: str, folder: Path) -> int:
    """Take all pictures; gives how many."""
    taken = 0
    for size, options in SIZES.items():
        for suffix, cookies in LOOKS.items():
            for login in SEEN:
                context = browser.new_context(**options, locale="zh-CN", reduced_motion="reduce")
                context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
                page = context.new_page()
                if login:
                    page.goto(f"{url}/sign-in")
                    page.locator("#login").fill(login)
                    page.locator("#password").fill(PASSWORD)
                    page.locator("form[action='/sign-in'] button").click()
                    page.wait_for_url("**/home")
                for name in pages(page, url, login):
                    page.screenshot(path=folder / f"{size}-{login or 'anybody'}-{name}{suffix}.png", full_page=True)
                    taken += 1
                context.close()
    return taken


def main() -> None:
    """Take the pictures of the platform at ``HUYING_URL``."""
    url, folder = os.environ["HUYING_URL"].rstrip("/"), Path(sys.argv[1] if sys.argv[1:] else ROOT / "var/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=machine.installed(), args=["--no-sandbox"])
        print(f"{look(browser, url, folder)} 张 / pictures: {folder}")
        browser.close()


if __name__ == "__main__":
    main()
