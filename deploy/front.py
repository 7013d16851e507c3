"""What the pages load beside our own script: fetched at set-up by npm's lock, checked by it, never committed.

Pages work without it, so a machine that is offline is told so and goes on. Where there is no npm, the package index's
own build of Node brings one.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
VENDOR = ROOT / "gateway" / "static" / "vendor"
FILES = {"htmx.org/dist/htmx.min.js": "htmx.min.js"}
LOCK = ("package.json", "package-lock.json", ".npmrc")
PATIENCE = 120  # seconds


def install(venv: Path, say: Callable[[str, str], None]) -> bool:
    """Bring the scripts of the pages; when nothing changed since, do nothing."""
    wanted = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in LOCK)).hexdigest()
    stamp = VENDOR / "stamp"
    if stamp.exists() and stamp.read_text() == wanted and all((VENDOR / name).exists() for name in FILES.values()):
        return True
    say("页面脚本 / the pages' script", "npm")
    try:
        bring(npm(venv))
    except (OSError, subprocess.SubprocessError):
        say("没有取到页面脚本，页面照常可用 / the pages' script could not be fetched; pages work without it", "")
        return False
    stamp.write_text(wanted)
    return True


def npm(venv: Path) -> list[str]:
    """Give npm: the machine's, else that of the package index's build of Node, put into the environment."""
    if shutil.which("npm") and shutil.which("node"):
        return ["npm"]
    if not (venv / "bin" / "npm").exists():
        argv = [str(venv / "bin" / "pip"), "install", "--quiet", "--require-hashes", "--no-input"]
        subprocess.run([*argv, "-r", str(ROOT / "requirements-front.txt")], check=True, capture_output=True)
    return [str(venv / "bin" / "npm")]


def bring(npm: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in LOCK:
            shutil.copy(ROOT / name, folder)
        env = {**os.environ, "PATH": os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", os.defpath)])}
        argv = [*npm, "ci", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=20000", "--loglevel=error"]
        subprocess.run(argv, cwd=folder, env=env, check=True, capture_output=True, timeout=PATIENCE)
        VENDOR.mkdir(parents=True, exist_ok=True)
        for found, kept in FILES.items():
            shutil.copy(Path(folder) / "node_modules" / found, VENDOR / kept)
