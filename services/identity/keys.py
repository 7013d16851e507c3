"""What is configured for identity alone, and the keys that it derives from the one that signs tokens."""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


@dataclass(frozen=True)
class Oidc:
    """The second door: a provider that knows our people by names of its own; without an issuer it is shut."""

    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    redirect: str = ""


@cache
def oidc() -> Oidc:
    names = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_REDIRECT")
    return Oidc(*(os.environ.get(name, "") for name in names))


@cache
def is_totp_required() -> bool:
    """Say whether administrators must have a second factor: in production, and wherever it is asked for."""
    return os.environ.get("HUYING_MODE", "production") == "production" or os.environ.get("REQUIRE_TOTP") == "1"


@cache
def private_key() -> bytes:
    return Path(os.environ["TOKEN_PRIVATE_KEY_FILE"]).read_bytes()


@cache
def derived(purpose: str) -> bytes:
    """Derive a key for one purpose (RFC 5869)."""
    return HKDF(SHA256(), length=32, salt=None, info=f"huying {purpose}".encode()).derive(private_key())


def fingerprint(purpose: str, text: str) -> str:
    """Give a keyed hash: the same for the same text, and worth nothing to who reads the database."""
    return hmac.new(derived(purpose), text.encode(), hashlib.sha256).hexdigest()


def encrypted(text: str, owner: str) -> bytes:
    """Encrypt a secret that must be read again; it opens for its owner's record only."""
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(derived("encrypted")).encrypt(nonce, text.encode(), owner.encode())


def decrypted(data: bytes, owner: str) -> str:
    return AESGCM(derived("encrypted")).decrypt(data[:12], data[12:], owner.encode()).decode()
