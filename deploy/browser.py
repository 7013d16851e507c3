"""The browser that tests of the pages are played in: the machine's Chromium, else Debian's package."""

import os
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome")
FONT = "fonts-noto-cjk"  # without it Chinese is drawn as boxes
MISSING = "没有 Chromium，页面测试跑不了 / No Chromium, which the tests of the pages need:  apt-get install -y chromium"


def installed() -> str | None:
    """Return where this machine's Chromium is, or nothing."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def see_to(say) -> None:
    """Make sure that there is a Chromium: installed if it may be, else said how."""
    if installed():
        return
    say("Chromium（Debian 软件包，约 1 分钟） / Chromium from Debian's package, about a minute", "")
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    quiet = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    install = [*quiet, "install", "-y", "--no-install-recommends", "chromium", FONT]
    try:
        if subprocess.run(install, capture_output=True).returncode:
            subprocess.run([*quiet, "update"], capture_output=True)
            subprocess.run(install, capture_output=True)
    except OSError:
        pass
    if not installed():
        raise SystemExit(MISSING)
