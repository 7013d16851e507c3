"""What is harmed: platforms of their own, with a small disk for photos, behind a slow line, or on three brokers."""

import contextlib
import ctypes
import os
import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil

from deploy import database
from deploy.local import Platform
from deploy.settings import free_port
from tests.chaos.brokers import Brokers, stop
from tests.chaos.proxy import Proxy
from tests.fault.harm import quietly

DISK = 3_000_000  # bytes of the disk for photos
TINY = 4_000  # bytes of the largest file, where a limit stands in for a full disk


class Disk:
    """A small disk for photos: a tmpfs of its own for root; else a limit on the size of the gateway's files.

    Either way the write fails in the place where a full disk makes it fail, with the error of the operating system.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.is_mounted = os.geteuid() == 0 and mount(folder, DISK)

    @property
    def kind(self) -> str:
        return "tmpfs" if self.is_mounted else "RLIMIT_FSIZE"

    def fill(self, platform: Platform) -> None:
        """Leave no room for one more photo."""
        if self.is_mounted:
            with contextlib.suppress(OSError), open(self.folder / "ballast", "wb", buffering=0) as file:
                while True:
                    file.write(b"\0" * 4096)
            return
        for process in gateway(platform):
            process.rlimit(resource.RLIMIT_FSIZE, (TINY, resource.RLIM_INFINITY))

    def free(self, platform: Platform) -> None:
        """Make room again."""
        (self.folder / "ballast").unlink(missing_ok=True)
        for process in [] if self.is_mounted else gateway(platform):
            process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self) -> None:
        if self.is_mounted:
            libc().umount2(os.fsencode(self.folder), 2)  # MNT_DETACH: also where somebody still looks into it


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def mount(folder: Path, size: int) -> bool:
    """Mount a tmpfs of so many bytes; says whether that is allowed here."""
    return libc().mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={size}".encode()) == 0


def gateway(platform: Platform) -> list[psutil.Process]:
    process = psutil.Process(platform.pids()["gateway"])
    return [process, *process.children(recursive=True)]


@dataclass
class Ground:
    """A platform that is harmed, and what it is harmed by."""

    platform: Platform
    home: Path
    disk: Disk | None = None
    line: Proxy | None = None
    brokers: Brokers | None = None
    books: Path = field(init=False)

    def __post_init__(self):
        self.books = self.home / "books"
        self.books.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def up(home: Path, given: dict[str, str]) -> Iterator[Platform]:
    """Have a seeded platform, and no trace of its processes afterwards."""
    platform = Platform(home, port=free_port(), mode="test", environ={"RATE_LIMITS": "off"} | given)
    try:
        print("  启动平台 / starting a platform …", flush=True)
        with quietly(home.with_suffix(".log")):
            platform.up(seed=True)
        yield platform
    finally:
        platform.down()


@contextlib.contextmanager
def plain(home: Path) -> Iterator[Ground]:
    """A platform as `make up` has it, its photos on a small disk."""
    disk = Disk(home / "photos")
    try:
        with up(home / "house", {"BLOBS": f"file:{disk.folder}"}) as platform:
            yield Ground(platform, home, disk=disk)
    finally:
        disk.close()


@contextlib.contextmanager
def slow(home: Path) -> Iterator[Ground]:
    """A platform that reaches its database over a line on which we can delay everything."""
    apart = database.start(home / "database")
    line = Proxy(free_port(), [apart.port])
    try:
        parts = urlsplit(apart.admin_uri)
        login = parts.netloc.rpartition("@")[0]
        # Directly: the database would else name itself where it is, and nobody would go by our line.
        uri = urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{line.port}")) + "&directConnection=true"
        with up(home / "house", {"MONGO_URI": uri}) as platform:
            yield Ground(platform, home, line=line)
    finally:
        line.close()
        database.stop(home / "database")


@contextlib.contextmanager
def three(home: Path) -> Iterator[Ground]:
    """A platform on a cluster of three brokers."""
    with Brokers(home / "brokers") as brokers, up(home / "house", brokers.given) as platform:
        yield Ground(platform, home, brokers=brokers)


GROUNDS = {"plain": plain, "slow": slow, "three": three}


@contextlib.contextmanager
def ground(name: str, home: Path) -> Iterator[Ground]:
    """Have one of these grounds, empty at first."""
    place = home / name
    clear(place)
    place.mkdir(parents=True)
    with GROUNDS[name](place) as found:
        yield found


def clear(place: Path) -> None:
    """End what a run that was killed has left, and remove it."""
    Platform(place / "house").down()
    database.stop(place / "database")
    stop(place / "brokers")
    if os.path.ismount(place / "photos"):
        libc().umount2(os.fsencode(place / "photos"), 2)
    shutil.rmtree(place, ignore_errors=True)
