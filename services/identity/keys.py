"""What is configured for identity alone, and the keys that it derives from a secret of its own."""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import Conflict

UNREADABLE = (
    "动态口令的密钥已无法读取,请管理员解除后重新绑定 / "
    "The second factor's key can no longer be read: have an administrator take it away, then enrol anew"
)


@dataclass(frozen=True)
class Oidc:
    """The second door: a provider that knows our people by names of its own; without an issuer it is shut."""

    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    redirect: str = ""
    # Words of ``amr`` (RFC 8176) by which this provider says that it has asked for a second factor itself.
    second_factors: frozenset[str] = frozenset()


@cache
def oidc() -> Oidc:
    names = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_REDIRECT")
    trusted = frozenset(os.environ.get("OIDC_SECOND_FACTORS", "").split())
    return Oidc(*(os.environ.get(name, "") for name in names), trusted)


@cache
def is_totp_required() -> bool:
    """Say whether administrators must have a second factor: in production, and wherever it is asked for."""
    return os.environ.get("HUYING_MODE", "production") == "production" or os.environ.get("REQUIRE_TOTP") == "1"


@cache
def private_key() -> bytes:
    return Path(os.environ["TOKEN_PRIVATE_KEY_FILE"]).read_bytes()


@cache
def derived(purpose: str) -> bytes:
    """Derive a key for one purpose (RFC 5869), not from the key that signs tokens: that one may be changed any day."""
    secret = os.environ["IDENTITY_SEALING_SECRET"].encode()
    return HKDF(SHA256(), length=32, salt=None, info=f"huying {purpose}".encode()).derive(secret)


def fingerprint(purpose: str, text: str) -> str:
    """Give a keyed hash: the same for the same text, and worth nothing to who reads the database."""
    return hmac.new(derived(purpose), text.encode(), hashlib.sha256).hexdigest()


def encrypted(text: str, owner: str) -> bytes:
    """Encrypt a secret that must be read again; it opens for its owner's record only."""
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(derived("encrypted")).encrypt(nonce, text.encode(), owner.encode())


def decrypted(data: bytes, owner: str) -> str:
    """Read an encrypted secret; raises ``Conflict`` where it was encrypted under another secret than today's."""
    try:
        return AESGCM(derived("encrypted")).decrypt(data[:12], data[12:], owner.encode()).decode()
    except InvalidTag:
        raise Conflict(UNREADABLE) from None
