"""What one home of the platform needs to know: its secrets, its ports, and the environment of each of its processes."""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import socket
import sys
import threading
from pathlib import Path
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("identity", "roster", "whistle", "evaluation", "figures", "plugins")
# The operator is the person who looks after parked messages; by the keeper's login plug-ins' users are made.
BROKER_USERS = (*SERVICES, "gateway", "operator", "keeper")
# What a person, or a test, may say about the gateway when starting the platform.
PASSED_ON = (
    *("RATE_LIMITS", "PATIENCE", "STREAMS_EACH", "STREAMS_MOST", "TRUSTED_PROXIES"),
    *("GATEWAY_WORKERS", "GATEWAY_WORKER_CLASS", "GATEWAY_THREADS", "DEMO_ACCOUNTS_FILE", "SECOND_DOOR"),
)
VHOST = "huying"
# What identity alone is told: its second door, and whether administrators need a second factor outside production.
OF_IDENTITY = (
    *("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_REDIRECT", "OIDC_SECOND_FACTORS"),
    "REQUIRE_TOTP",
)
MODES = ("demo", "test", "production")
KNOWN_SECRETS = {"guest", "admin", "root", "changeme", "change-me", "password", "secret", "huying", "test", "example"}
SHORTEST_SECRET = 16

_lock = threading.RLock()


def default_home() -> Path:
    """Return the home folder of this run: HUYING_HOME, else var/ in the project."""
    return Path(os.environ.get("HUYING_HOME") or ROOT / "var").resolve()


def free_port(besides=()) -> int:
    """Ask the kernel for a loopback port that nobody listens on, nor will: not one of those chosen before.

    Test workers choose at the same time, before anybody listens; HUYING_PORTS=1/2 leaves each a share of its own.
    """
    share, shares = (int(number) for number in os.environ.get("HUYING_PORTS", "0/1").split("/"))
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # The kernel gives odd ports to those who listen and even ones to those who connect.
        if port // 2 % shares == share and port not in besides:
            return port


def is_taken(port: int) -> bool:
    """Return whether somebody listens on this loopback port already."""
    with socket.socket() as probe:
        # A server that has just ended leaves its port in TIME_WAIT: that is not somebody else's.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


class Settings:
    """The settings of one home, kept in its settings.json, which only its owner can read."""

    def __init__(self, home: Path | str | None = None):
        self.home = Path(home).resolve() if home else default_home()
        self.path = self.home / "settings.json"
        self.data = json.loads(self.path.read_text()) if self.path.exists() else {}

    @property
    def mark(self) -> str:
        """Return a short name that no other home on this machine has."""
        return hashlib.sha256(str(self.home).encode()).hexdigest()[:10]

    def save(self) -> None:
        """Write the settings whole or not at all."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self.path.with_suffix(f".{os.getpid()}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.data, file, indent=1, sort_keys=True)
        new.replace(self.path)

    def secret(self, name: str) -> str:
        """Return the secret of this name, made at random when first asked for."""
        return self._kept("secrets", name, lambda: secrets.token_hex(20))

    def port(self, name: str) -> int:
        """Return the port of this name, chosen by the kernel when first asked for."""
        return self._kept("ports", name, lambda: free_port(self.data["ports"].values()))

    def choose_again(self, names=None) -> list[str]:
        """Choose new ports for those that a stranger has taken meanwhile; call it only while ours are down."""
        with self._alone():
            ports = self.data.get("ports", {})
            taken = [name for name in ports if (names is None or name in names) and is_taken(ports[name])]
            for name in taken:
                ports[name] = free_port(ports.values())
            if taken:
                self.save()
        return taken

    def complete(self) -> "Settings":
        """Choose every port and secret now, so that processes which start together find them made."""
        for name in ("amqp", "management", "dist", "epmd", "database", *(f"health.{each}" for each in SERVICES)):
            self.port(name)
        for name in (
            "amqp.admin",
            "mongo.admin",
            "erlang",
            "identity.sealing",
            *(f"mongo.{each}" for each in SERVICES),
        ):
            self.secret(name)
        self.passwords()
        self.keys()
        return self

    def adopt(self, environ=os.environ, port: int | None = None, mode: str | None = None) -> "Settings":
        """Take over what the person said in the environment: PORT, HUYING_MODE, and servers of their own."""
        with self._alone():
            self.data["port"] = int(port or environ.get("PORT") or self.data.get("port") or 8000)
            self.data["mode"] = mode or environ.get("HUYING_MODE") or self.data.get("mode") or "demo"
            if self.data["mode"] not in MODES:
                raise SystemExit(f"HUYING_MODE 应为 / must be one of {', '.join(MODES)}")
            names = ("AMQP_URI", "AMQP_MANAGEMENT", "MONGO_URI", "BLOBS")
            self.data["given"] = {name: environ[name] for name in names if environ.get(name)}
            self.data["passed_on"] = {name: environ[name] for name in PASSED_ON if environ.get(name)}
            self.data["of_identity"] = {name: environ[name] for name in OF_IDENTITY if environ.get(name)}
            self.save()
        return self

    @property
    def given(self) -> dict:
        """Return the addresses of servers that are not ours: AMQP_URI, AMQP_MANAGEMENT, MONGO_URI, BLOBS."""
        return self.data.get("given", {})

    @property
    def mode(self) -> str:
        """Return demo, test or production."""
        return self.data.get("mode", "demo")

    def passwords(self) -> dict[str, str]:
        """Return the broker password of each service, of the gateway, of the operator and of the keeper."""
        return {name: self.secret(f"amqp.{name}") for name in BROKER_USERS}

    def keys(self) -> tuple[Path, Path]:
        """Return the private and the public Ed25519 key file that tokens are signed and checked with."""
        private, public = self.home / "keys" / "private.pem", self.home / "keys" / "public.pem"
        if not public.exists():
            make_keys(private, public)
        return private, public

    def amqp_uri(self, user: str) -> str:
        """Return the broker's address for one of our users."""
        return self._amqp(user, self.secret(f"amqp.{user}"))

    def amqp_admin_uri(self) -> str:
        """Return the broker's address for its administrator."""
        if "AMQP_URI" in self.given:
            parts = urlsplit(self.given["AMQP_URI"])
            return self._amqp(parts.username or "guest", parts.password or "guest", quoted=True)
        return self._amqp("admin", self.secret("amqp.admin"))

    def management(self) -> str:
        """Return the management API's address, its administrator's name and password in it."""
        if "AMQP_MANAGEMENT" in self.given:
            return self.given["AMQP_MANAGEMENT"].rstrip("/")
        if "AMQP_URI" in self.given:
            parts = urlsplit(self.given["AMQP_URI"])
            user, password = parts.username or "guest", parts.password or "guest"
            return f"http://{user}:{password}@{_bracketed(parts.hostname)}:15672"
        return f"http://admin:{self.secret('amqp.admin')}@127.0.0.1:{self.port('management')}"

    @property
    def vhost(self) -> str:
        """Return the virtual host: the one AMQP_URI names, else huying."""
        return urlsplit(self.given.get("AMQP_URI", "")).path.lstrip("/") or VHOST

    def health_port(self, name: str) -> int:
        """Return the port where this process tells its health; the gateway tells it on its own port."""
        return self.data.get("port", 8000) if name == "gateway" else self.port(f"health.{name}")

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of one process: a service, one half of it (whistle.facts), or the gateway."""
        service = name.partition(".")[0]
        if service not in (*SERVICES, "gateway"):
            raise KeyError(name)
        private, public = self.keys()
        env = {
            "HUYING_HOME": str(self.home),
            "HUYING_MODE": self.mode,
            "CLOCK_FILE": str(self.home / "clock.json"),
            "BLOBS": self.given.get("BLOBS", f"file:{self.home / 'photos'}"),
            "AMQP_URI": self.amqp_uri(service),
            "TOKEN_PUBLIC_KEY_FILE": str(public),
            "EVENTLET_NO_GREENDNS": "yes",
            "PYTHONUNBUFFERED": "1",
            **self.data.get("passed_on", {}),
        }
        if service == "gateway":
            # The landing page shows whom a visitor may sign in as: in demo mode only.
            demo = (
                {"DEMO_ACCOUNTS_FILE": str(ROOT / "deploy" / "data" / "demo_people.json")}
                if self.mode == "demo"
                else {}
            )
            return {**env, "PORT": str(self.data.get("port", 8000))} | demo
        from deploy import database

        env |= {
            "MONGO_URI": database.service_uri(self, service),
            "MONGO_DB": f"huying_{service}",
            "HEALTH_PORT": str(self.health_port(name)),
        }
        if service == "plugins":
            parts = urlsplit(self.management())
            login = f"keeper:{self.secret('amqp.keeper')}"
            env["AMQP_MANAGEMENT"] = f"{parts.scheme}://{login}@{parts.netloc.rpartition('@')[2]}{parts.path}"
        if service == "identity":
            env |= {"TOKEN_PRIVATE_KEY_FILE": str(private), "IDENTITY_SEALING_SECRET": self.secret("identity.sealing")}
            env |= self.data.get("of_identity", {})
        return env

    def _kept(self, kind, name, make):
        if name not in self.data.get(kind, {}):
            with self._alone():
                if name not in self.data.setdefault(kind, {}):
                    self.data[kind][name] = make()
                    self.save()
        return self.data[kind][name]

    @contextlib.contextmanager
    def _alone(self):
        """Read the file anew and keep every other process of this home away from it meanwhile."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _lock, open(self.home / "settings.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.path.exists():
                self.data = json.loads(self.path.read_text())
            yield

    def _amqp(self, user, password, quoted=False):
        scheme, where = "amqp", None
        if "AMQP_URI" in self.given:
            parts = urlsplit(self.given["AMQP_URI"])
            scheme = parts.scheme
            where = f"{_bracketed(parts.hostname)}:{parts.port or (5671 if scheme == 'amqps' else 5672)}"
        else:
            where = f"127.0.0.1:{self.port('amqp')}"
        if not quoted:
            user, password = quote(user, safe=""), quote(password, safe="")
        return f"{scheme}://{user}:{password}@{where}/{self.vhost}"


def environment(name: str, home: Path | str | None = None) -> dict[str, str]:
    """Return the environment of one process of this home."""
    return Settings(home).environment(name)


def make_keys(private: Path, public: Path) -> None:
    """Make an Ed25519 key pair; the private half is readable by its owner alone."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pkcs8 = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))


def weak_secrets(environ: dict) -> list[str]:
    """Name every variable whose secret is missing, short or known to everybody."""
    weak = []
    for name, value in environ.items():
        if name.endswith(("_PASSWORD", "_SECRET")):
            found = [value]
        elif name in ("AMQP_URI", "MONGO_URI", "AMQP_MANAGEMENT"):
            found = [urlsplit(value).password or ""]
        else:
            continue
        weak += [name for secret in found if len(secret) < SHORTEST_SECRET or secret.lower() in KNOWN_SECRETS]
    return sorted(weak)


def refuse_weak(environ: dict) -> None:
    """Refuse to start in production with secrets that are missing, short or known, or with a private key missing."""
    if environ.get("HUYING_MODE", "production") != "production":
        return
    weak = weak_secrets(environ)
    for name in ("TOKEN_PRIVATE_KEY_FILE", "TOKEN_PUBLIC_KEY_FILE"):
        if name in environ and not (os.path.isfile(environ[name]) and os.path.getsize(environ[name])):
            weak.append(name)
    if weak:
        raise SystemExit(
            f"拒绝启动：密钥缺失、过短或是众所周知的默认值：{', '.join(weak)}\n"
            f"Refusing to start: missing, short (< {SHORTEST_SECRET}) or well-known secrets: {', '.join(weak)}"
        )


def compose_secrets() -> list[str]:
    """Name the secrets that docker-compose.yml asks for."""
    names = ["BROKER_ADMIN_PASSWORD", "BROKER_COOKIE_SECRET", "MONGO_ADMIN_PASSWORD", "MONGO_KEYFILE_SECRET"]
    names += [f"AMQP_{user.upper()}_PASSWORD" for user in BROKER_USERS]
    return [*names, *(f"MONGO_{service.upper()}_PASSWORD" for service in SERVICES), "IDENTITY_SEALING_SECRET"]


def _bracketed(host):
    return f"[{host}]" if host and ":" in host else host or "127.0.0.1"


def main(words: list[str]) -> None:
    """Run `guard COMMAND…` (check the secrets, then become it), or make what containers need: `secrets`, `keys`."""
    if words[:1] == ["guard"] and len(words) > 1:
        refuse_weak(dict(os.environ))
        os.execvp(words[1], words[1:])
    elif words == ["secrets"]:
        print("\n".join(f"{name}={secrets.token_hex(20)}" for name in compose_secrets()))
    elif words[:1] == ["keys"] and len(words) == 3:
        make_keys(Path(words[1]), Path(words[2]))
    else:
        raise SystemExit("python -m deploy.settings guard COMMAND… | secrets | keys PRIVATE PUBLIC")


if __name__ == "__main__":
    main(sys.argv[1:])
