"""The database: the one that MONGO_URI names, else SecantusDB as a process of its own in this home, on loopback only.

What SecantusDB 0.7.0b3 enforces with --auth, tried with the users made here: a service's user reads, writes, indexes,
watches and merges in its own database only; another database, `local` and `admin` are refused (error 13), a wrong
password too (error 18). What it does not enforce: a database's *owner* may make users with roles on any database, so no
service's user is an owner here, they only have `readWrite`; and hello, ping and buildInfo answer anybody.
"""

import os
import sys
import time
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from deploy import ours
from deploy.settings import SERVICES, Settings, free_port

PROMISES = {"w": "majority", "journal": "true"}
PATIENCE = {"serverSelectionTimeoutMS": "3000", "connectTimeoutMS": "2000", "socketTimeoutMS": "20000"}
# The embedded database prunes the records of retryable writes by a full scan, which slows every write fourfold.
EMBEDDED = {"retryWrites": "false"}
USER_EXISTS = 51003


class Node(NamedTuple):
    """Where a database is to be found."""

    port: int
    admin_uri: str
    pid: int | None


def is_embedded(settings: Settings) -> bool:
    """Return whether this home uses the embedded database."""
    return "MONGO_URI" not in settings.given


def service_uri(settings: Settings, service: str) -> str:
    """Return the address by which one service reaches its own database, with our promises and time-outs in it."""
    if not is_embedded(settings):
        return with_options(settings.given["MONGO_URI"], {**PROMISES, **PATIENCE})
    login = f"{service}:{settings.secret(f'mongo.{service}')}"
    bare = f"mongodb://{login}@127.0.0.1:{settings.port('database')}/huying_{service}"
    return with_options(bare, {**PROMISES, **EMBEDDED, **PATIENCE})


def admin_uri(settings: Settings) -> str:
    """Return the administrator's address (the given one, where MONGO_URI is given)."""
    if not is_embedded(settings):
        return with_options(settings.given["MONGO_URI"], {**PROMISES, **PATIENCE})
    bare = f"mongodb://admin:{settings.secret('mongo.admin')}@127.0.0.1:{settings.port('database')}/admin"
    return with_options(bare, {**PROMISES, **EMBEDDED, **PATIENCE})


def with_options(uri: str, options: dict[str, str]) -> str:
    """Return a MongoDB address with these options; what it says itself about time-outs is kept, never less safety."""
    parts = urlsplit(uri)
    said = dict(parse_qsl(parts.query))
    kept = {name: value for name, value in said.items() if name not in PROMISES}
    return urlunsplit(parts._replace(path=parts.path or "/", query=urlencode({**options, **kept})))


def command(settings: Settings, port: int | None = None, auth: bool = True) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment of the embedded database."""
    folder = settings.home / "db"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    argv = [sys.executable, "-m", "secantus", "--host", "127.0.0.1", "--port", str(port or settings.port("database"))]
    # Without the flag an acknowledged write can be lost when the process is killed.
    argv += ["--storage-path", str(folder), "--sync-on-commit", "--cache-size", "256M", "--log-level", "WARNING"]
    env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(settings.home), "LANG": "C.UTF-8", "TZ": "UTC"}
    # NumPy's linear algebra starts a thread with a buffer per core; the database has no use for it.
    env |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}
    return argv + (["--auth"] if auth else []), env


def prepare(settings: Settings) -> None:
    """Make the administrator, once, on a private start without authentication, before anybody knows the port."""
    marker = settings.home / "db.ready"
    if not is_embedded(settings) or marker.exists():
        return
    port = free_port()
    ours.start(settings.home, "database-setup", *command(settings, port, auth=False))
    try:
        client = _connected(f"mongodb://127.0.0.1:{port}/?directConnection=true&retryWrites=false", 30)
        _grant(client, "admin", "admin", settings.secret("mongo.admin"), "root")
        client.close()
    finally:
        ours.stop(settings.home, "database-setup")
    marker.touch()


def grant(settings: Settings, services=SERVICES) -> None:
    """Make or renew each service's own user, who may read and write its own database and nothing else."""
    if not is_embedded(settings):
        return
    client = _connected(admin_uri(settings), 30)
    for service in services:
        database = f"huying_{service}"
        _grant(client, database, service, settings.secret(f"mongo.{service}"), "readWrite")
    client.close()


def node(settings: Settings) -> Node:
    """Return where the database of this home is, started or not."""
    port = settings.port("database") if is_embedded(settings) else 0
    return Node(port, admin_uri(settings), ours.pid(settings.home, "database"))


def start(home, patience: float = 30) -> Node:
    """Start this home's database outside any supervisor (for tests) and wait for it; one that runs is kept."""
    settings = Settings(home).complete()
    if is_embedded(settings) and not ours.pid(settings.home, "database"):
        settings.choose_again({"database"})
        prepare(settings)
        ours.start(settings.home, "database", *command(settings))
    wait(settings, patience)
    grant(settings)
    return node(settings)


def stop(home) -> None:
    """Stop what start() started for this home."""
    ours.stop(Settings(home).home, "database")


def is_up(settings: Settings) -> bool:
    """Return whether the database answers its administrator."""
    try:
        _connected(admin_uri(settings), 1).close()
    except SystemExit:
        return False
    return True


def wait(settings: Settings, patience: float = 30) -> None:
    """Wait until the database answers its administrator; say clearly when it does not."""
    # A database of the person's own is up already or not: nothing is gained by waiting long for it.
    given = "MONGO_URI" in settings.given
    try:
        _connected(admin_uri(settings), min(patience, 5) if given else patience).close()
    except SystemExit as failure:
        ways = "\n  · 用自带的数据库：去掉 MONGO_URI / run our own: leave MONGO_URI= away" if given else ""
        raise SystemExit(f"{failure}{ways}") from None


def _connected(uri, patience):
    import pymongo

    deadline = time.monotonic() + patience
    while True:
        client = pymongo.MongoClient(uri, serverSelectionTimeoutMS=500)
        try:
            client.admin.command("ping")
            client.admin.command("usersInfo", 1) if "@" in uri else None
            return client
        except pymongo.errors.OperationFailure:
            # It answers; what this user may do is for MongoDB to say.
            return client
        except pymongo.errors.PyMongoError as failure:
            client.close()
            if time.monotonic() > deadline:
                where = urlsplit(uri).netloc.rpartition("@")[2]
                raise SystemExit(
                    f"数据库没有应答：{where}（{failure.__class__.__name__}）\n"
                    f"The database does not answer: {where} ({failure.__class__.__name__})"
                ) from failure
            time.sleep(0.1)


def _grant(client, database, user, password, role):
    import pymongo

    roles = [{"role": role, "db": database}]
    try:
        client[database].command("createUser", user, pwd=password, roles=roles)
    except pymongo.errors.OperationFailure as failure:
        if failure.code != USER_EXISTS:
            raise
        client[database].command("updateUser", user, pwd=password, roles=roles)
