"""Passwords as argon2id hashes (RFC 9106), sessions as short Ed25519-signed tokens (RFC 7519, RFC 8037)."""

import os
import time
from functools import cache
from pathlib import Path

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.identity.domain import Person

EXPIRES = 900  # seconds; short, since a gateway that cannot hear revocations must not trust for long
# OWASP's second argon2id setting: 19 MiB, two passes, one lane; a sign-in costs about 25 ms and little memory.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
NOBODY = HASHER.hash("nobody has this password")


def hashed(password: str) -> str:
    """Give a password's argon2id hash."""
    return HASHER.hash(password)


def is_password(known: str | None, password: str) -> bool:
    """Say whether a password fits its hash; without a hash the same work is done for nothing."""
    try:
        return HASHER.verify(known or NOBODY, password) and known is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def private_key() -> bytes:
    return Path(os.environ["TOKEN_PRIVATE_KEY_FILE"]).read_bytes()


def session(district: str, id: str, person: Person, sid: str, renewal: str) -> dict:
    """Sign a session: ``{token, renewal, expires}``."""
    now = time.time()
    claims = {
        "sub": id, "sid": sid, "iat": int(now * 1000) / 1000, "exp": int(now) + EXPIRES, "district": district,
        "roles": person.roles, "unit": person.unit, "department": person.department,
    }  # fmt: skip
    return {"token": jwt.encode(claims, private_key(), "EdDSA"), "renewal": renewal, "expires": EXPIRES}
