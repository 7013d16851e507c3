"""Set-up fetches the pages' script by its lock, and a machine that is offline goes on without."""

import json
import subprocess
from pathlib import Path

from deploy import front

ROOT = Path(__file__).parents[2]


def said_by(install, venv) -> tuple[bool, str]:
    lines: list[str] = []
    return install(venv, lambda what, more="": lines.append(f"{what} {more}")), "\n".join(lines)


def fetch(monkeypatch, tmp_path, bring):
    monkeypatch.setattr(front, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(front, "npm", lambda venv: ["npm"])
    monkeypatch.setattr(front, "bring", bring)


def test_what_is_there_is_not_fetched_again(monkeypatch, tmp_path):
    fetched = []

    def bring(npm):
        fetched.append(npm)
        front.VENDOR.mkdir(exist_ok=True)
        for name in front.FILES.values():
            (front.VENDOR / name).write_text("script")

    fetch(monkeypatch, tmp_path, bring)
    assert said_by(front.install, tmp_path)[0] and said_by(front.install, tmp_path) == (True, "")
    assert len(fetched) == 1
    (front.VENDOR / "htmx.min.js").unlink()
    assert said_by(front.install, tmp_path)[0] and len(fetched) == 2


def test_offline_it_says_that_pages_work_without_and_goes_on(monkeypatch, tmp_path):
    def bring(npm):
        raise subprocess.CalledProcessError(1, npm)

    fetch(monkeypatch, tmp_path, bring)
    is_there, said = said_by(front.install, tmp_path)
    assert not is_there and "pages work without it" in said
    assert not (front.VENDOR / "stamp").exists(), "it is tried again the next time"


def test_the_lock_holds_each_package_by_its_digest_and_names_no_registry():
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert packages and all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert not any("resolved" in each for each in packages.values())
    wanted = {name.removeprefix("node_modules/") for name in packages}
    assert {"/".join(path.split("/")[:1]) for path in front.FILES} <= wanted


def test_nothing_of_others_is_committed():
    listed = subprocess.run(["git", "ls-files", "gateway/static"], cwd=ROOT, capture_output=True, text=True).stdout
    assert "vendor" not in listed
