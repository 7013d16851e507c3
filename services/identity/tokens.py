"""Passwords as argon2id hashes (RFC 9106), sessions as short Ed25519-signed tokens (RFC 7519, RFC 8037)."""

import time

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.identity.domain import Person
from services.identity.keys import private_key

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


def session(session: dict, person: Person, adjusted: list[str], first: list[str], renewal: str) -> dict:
    """Sign a session: ``{token, renewal, expires, first}``; a newcomer may do nothing but what comes first."""
    now = time.time()
    claims = {
        "sub": session["person"], "sid": session["_id"], "iat": int(now * 1000) / 1000, "exp": int(now) + EXPIRES,
        "district": session["district"], "roles": ["newcomer"] if first else person.roles, "unit": person.unit,
        "department": person.department, "adjusted": [] if first else adjusted,
    }  # fmt: skip
    return {
        "token": jwt.encode(claims, private_key(), "EdDSA"), "renewal": renewal, "expires": EXPIRES, "first": first
    }  # fmt: skip
