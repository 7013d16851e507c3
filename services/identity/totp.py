"""The second factor: time-based codes (RFC 6238), and recovery codes that stand in for them."""

import secrets
import time

import pyotp

from services.identity import keys

ISSUER = "呼应"
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is read for another
CODES, LONG = 8, 10


def new_key() -> str:
    return pyotp.random_base32()


def uri(key: str, login: str) -> str:
    """Give the address that an authenticator reads as a QR code."""
    return pyotp.TOTP(key).provisioning_uri(name=login, issuer_name=ISSUER)


def step_of(key: str, code: str) -> int | None:
    """Give the time step that a code is of, now or a step beside it, or None."""
    totp, now = pyotp.TOTP(key), int(time.time()) // 30
    return next((step for step in (now, now - 1, now + 1) if secrets.compare_digest(totp.at(step * 30), code)), None)


def recovery_codes() -> list[str]:
    made = ("".join(secrets.choice(LETTERS) for _ in range(LONG)) for _ in range(CODES))
    return [f"{code[:5]}-{code[5:]}" for code in made]


def recovery_hash(code: str) -> str:
    """Give what is kept of a recovery code, however it was typed."""
    return keys.fingerprint("recovery", code.replace("-", "").replace(" ", "").casefold())
