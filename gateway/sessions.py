"""Which bearer tokens are good right now: signed by identity, not expired, not revoked."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from shared.caller import Caller
from shared.errors import Unauthenticated, Unavailable

# A revocation may be forgotten once no token made before it can still be alive, so no token may live longer than this.
LONGEST_LIFE = 3600.0
# Clocks of two machines differ a little (NTP keeps them within this).
LEEWAY = 2.0
MOST_KNOWN = 20_000
SIGN_IN_AGAIN = "登录已失效,请重新登录 / The session is no longer good, please sign in again"


@dataclass(frozen=True)
class Signed:
    """What a good token says: a person in a district, and the life of this token in real seconds."""

    actor: str
    session: str
    district: str
    roles: tuple[str, ...]
    unit: str
    department: str
    made_at: float
    ends_at: float
    adjusted: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Give what may be revoked of it: the person, the session, and whatever is of the person's district."""
        return (self.actor, self.session, self.district)

    def caller(self, trace: str, address: str = "") -> Caller:
        """Give the caller that services will see."""
        return Caller(
            district=self.district,
            actor=self.actor,
            roles=self.roles,
            unit=self.unit,
            department=self.department,
            session=self.session,
            trace=trace,
            address=address,
            adjusted=self.adjusted,
        )


class Sessions:
    """The revocations heard so far, beside the public key; one for each gateway process."""

    def __init__(self, public_key: bytes):
        self.key = load_pem_public_key(public_key)
        self.revoked: dict[str, float] = {}
        # Which ear hears revocations, counted from 0, and for which of them identity's list was loaded.
        self.ear, self.loaded_for = 0, -1
        # A signature is checked once for each token; its end and its revocation, each time.
        self.known: dict[str, Signed] = {}

    @property
    def is_loaded(self) -> bool:
        """Say whether every revocation is known: the list is here, and whatever came after it was heard."""
        return self.loaded_for == self.ear

    def lose_ear(self) -> None:
        """Know no more who is revoked, until the list is loaded for the next ear."""
        self.ear += 1

    def read(self, token: str) -> Signed:
        """Read a token; raises ``Unauthenticated`` when it is not good, ``Unavailable`` while we cannot know."""
        if not self.is_loaded:
            raise Unavailable("停用名单尚未就绪 / The list of revoked sessions is not here yet")
        signed = self.known.get(token)
        if signed is None or time.time() > signed.ends_at:
            signed = self.known[token] = self.checked(token)
            if len(self.known) > MOST_KNOWN:
                del self.known[next(iter(self.known))]
        if self.is_revoked(signed):
            raise Unauthenticated(SIGN_IN_AGAIN)
        return signed

    def checked(self, token: str) -> Signed:
        """Check a token's signature and life, and give what it says."""
        try:
            claims = jwt.decode(
                token,
                self.key,
                algorithms=["EdDSA"],
                leeway=LEEWAY,
                options={"require": ["sub", "sid", "iat", "exp"]},
            )
            signed = Signed(
                actor=claims["sub"],
                session=claims["sid"],
                district=claims.get("district", ""),
                roles=tuple(claims.get("roles", ())),
                unit=claims.get("unit", ""),
                department=claims.get("department", ""),
                made_at=float(claims["iat"]),
                ends_at=float(claims["exp"]),
                adjusted=tuple(claims.get("adjusted", ())),
            )
        except (jwt.InvalidTokenError, TypeError, ValueError):
            raise Unauthenticated(SIGN_IN_AGAIN) from None
        if signed.ends_at - signed.made_at > LONGEST_LIFE:
            raise Unauthenticated(SIGN_IN_AGAIN)
        return signed

    def is_revoked(self, signed: Signed) -> bool:
        """Say whether the person, the session or all of the district was revoked after this token was made."""
        return signed.made_at <= max(self.revoked.get(subject, 0.0) for subject in signed.subjects)

    def hear(self, subject: str, before: str) -> float:
        """Keep one revocation, the latest for each subject; gives the moment in real seconds."""
        moment = datetime.fromisoformat(before).timestamp()
        self.revoked[subject] = max(moment, self.revoked.get(subject, 0.0))
        return moment

    def load(self, revocations: list[dict], ear: int) -> None:
        """Take identity's list, which was asked for while an ear heard, and forget what can no longer matter."""
        for revocation in revocations:
            self.hear(revocation["subject"], revocation["before"])
        oldest = time.time() - 2 * LONGEST_LIFE
        for subject in [subject for subject, moment in list(self.revoked.items()) if moment < oldest]:
            self.revoked.pop(subject, None)
        self.loaded_for = max(self.loaded_for, ear)

    @staticmethod
    def since() -> str:
        """Say from when on identity's list is needed."""
        return (datetime.now(UTC) - timedelta(seconds=LONGEST_LIFE)).isoformat()
