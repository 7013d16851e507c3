"""Builds a gateway for tests: the real application on a bus of our own that answers what a test tells it to."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from flask.testing import FlaskClient

from gateway import create_app
from shared.caller import Caller
from shared.contract import Call
from shared.errors import NotFound

KEY = Ed25519PrivateKey.generate()
PUBLIC_KEY = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
XICHENG, SHIJINGSHAN = "110102", "110107"
COMMUNITY = "110102009041"


class FakeBus:
    """A bus without a broker: orders are checked by contract, as by a service, and answered as a test says."""

    def __init__(self):
        self.connected = True
        self.asked: list[tuple[str, dict, Caller]] = []
        self.noted: list[dict] = []
        self.answers: dict[str, Callable[[dict, Caller], Any] | Any] = {"identity.revocations": {"items": []}}
        self.on_fact: Callable[[dict], None] = lambda envelope: None
        self.on_connected: Callable[[], None] = lambda: None
        self.on_lost: Callable[[], None] = lambda: None

    def ask(self, call: Call, order: dict, caller: Caller, patience: float | None = None) -> Any:
        """Judge the order as the service would, and answer."""
        name = f"{call.service}.{call.name}"
        if name == "identity.note":  # said in the gateway's own name, beside what was asked
            if isinstance(self.answers.get(name), Exception):
                raise self.answers[name]
            self.noted.append(call.load(order))
            return None
        self.asked.append((name, order, caller))
        call.load(order)
        answer = self.answers.get(name, NotFound(f"测试没有准备 / {name} was not prepared"))
        answer = answer(order, caller) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    def watch(self, on_fact: Callable, on_connected: Callable, on_lost: Callable = lambda: None) -> None:
        """Be connected at once."""
        self.on_fact, self.on_connected, self.on_lost = on_fact, on_connected, on_lost
        on_connected()

    def close(self) -> None:
        """Nothing to close."""

    def order_for(self, name: str) -> dict:
        """Give the last order that a call got."""
        return [order for asked, order, _ in self.asked if asked == name][-1]


def a_gateway(bus: FakeBus | None = None, **config: Any) -> Flask:
    """Make a gateway on a fake bus, its revocations loaded unless the bus does not answer."""
    usual = {"TOKEN_PUBLIC_KEY": PUBLIC_KEY, "RATE_LIMITS": "off", "BLOBS": "file:/nonexistent", "TESTING": False}
    bus = bus or FakeBus()
    app = create_app(usual | config, bus)
    if not isinstance(bus.answers["identity.revocations"], Exception):
        limit = time.time() + 5
        while not app.extensions["huying"].sessions.is_loaded and time.time() < limit:
            time.sleep(0.005)
    return app


def a_token(roles: tuple[str, ...] = ("secretary",), key: Ed25519PrivateKey = KEY, **claims: Any) -> str:
    """Sign a token, by default of a community's secretary in 西城区."""
    now = time.time()
    usual = {
        "sub": str(uuid.uuid4()), "sid": str(uuid.uuid4()), "district": XICHENG, "roles": list(roles),
        "unit": COMMUNITY, "department": "", "iat": now, "exp": now + 900,
    }  # fmt: skip
    kept = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(kept, key, algorithm="EdDSA")


def signed_in(app: Flask, *roles: str, **claims: Any) -> FlaskClient:
    """Give a client that carries a token."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {a_token(roles or ('secretary',), **claims)}"
    return client


def a_blow(**changes: Any) -> dict:
    """Give an order to blow a whistle that fits the contract."""
    usual = {
        "id": str(uuid.uuid4()), "kind": "群众诉求", "category": "0102", "community": COMMUNITY,
        "departments": ["water"], "title": "楼前暴露垃圾",
    }  # fmt: skip
    return usual | changes


def a_whistle(**changes: Any) -> dict:
    """Give a whistle as the service answers."""
    usual = {
        "id": str(uuid.uuid4()), "version": 1, "stage": "blown", "kind": "群众诉求", "category": "0102",
        "community": COMMUNITY, "called": ["water"], "reports": [],
    }  # fmt: skip
    return usual | changes


def a_fact(type: str = "reported", n: int = 1, **changes: Any) -> dict:
    """Give a fact's envelope as it comes from the bus."""
    subject = str(uuid.uuid4())
    usual = {
        "specversion": "1.0", "id": f"whistle/{XICHENG}/{subject}/{n}", "source": "/whistle", "type": type,
        "subject": subject, "time": "2026-11-24T02:20:13.000Z", "datacontenttype": "application/json",
        "district": XICHENG, "to": "all", "actor": str(uuid.uuid4()), "traceparent": "00-" + "1" * 32 + "-" + "2" * 16
        + "-01", "hash": "f" * 64, "data": {"department": "water"},
    }  # fmt: skip
    return usual | changes
