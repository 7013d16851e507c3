"""What the identity service asks Mongo: people, their accounts and sessions, and what was revoked.

Secrets are not facts: password hashes and renewals lie in plain collections, never in a history.
"""

import hashlib
import secrets
from contextlib import suppress
from datetime import datetime, timedelta

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from services.identity import domain
from shared.errors import Conflict, NotFound, Unauthenticated
from shared.ledger import Ledger, Store
from shared.rules.days import iso
from shared.running import real_now

SESSION = timedelta(hours=12)


def sealed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class People(Ledger):
    """The people of one district; operators are people of none."""

    service, collection, kind, evolve = "identity", "people", domain.Person, staticmethod(domain.evolve_person)

    def shown(self, record) -> dict:
        said = record.words.get(record.state.words, {})
        return vars(record.state) | {"id": record.id, "district": record.district, "name": said.get("name")}


class Revocations(Ledger):
    """What was revoked: one record each, for there is no end to them."""

    service, collection, kind = "identity", "revocations", domain.Revocation
    evolve = staticmethod(domain.evolve_revocation)
    indexes = {"revocations": [([("state.before", ASCENDING)], {})]}

    def since(self, moment: datetime) -> list[dict]:
        """Give what was revoked since a moment, in every district: a gateway must refuse all of it."""
        asked = {"state.before": {"$gte": iso(moment)}}
        rows = self.wide("revocations").find(asked, {"state": 1}, batch_size=1000)
        return [row["state"] | {"before": datetime.fromisoformat(row["state"]["before"])} for row in rows]


class Accounts(Store):
    """Logins with their password hashes, and sessions with their renewals. A login is one across all districts."""

    indexes = {
        "accounts": [([("person", ASCENDING), ("district", ASCENDING)], {"unique": True})],
        "sessions": [([("expires_at", ASCENDING)], {"expireAfterSeconds": 0})],
    }

    def find(self, login: str) -> dict | None:
        """Find an account by its login, whatever the case."""
        return self.wide("accounts").find_one({"_id": login.strip().casefold()})

    def make(self, login: str, person: str, hashed: str) -> dict | None:
        """Make an account, and give the one that this person has under this login already.

        One login is one person's, and a person has one login: anything else raises ``Conflict``.
        """
        row = {"_id": login.strip().casefold(), "person": person, "hash": hashed}
        try:
            self.rows("accounts").insert_one(row)
        except DuplicateKeyError:
            known = self.find(login) or {}
            if (known.get("person"), known.get("district")) != (person, self.caller.district):
                raise Conflict("登录名或人员已有账号 / This login, or this person, has an account already") from None
            return known
        return None

    def opened(self) -> None:
        """Remember that the caller's district is open."""
        with suppress(DuplicateKeyError):
            self.rows("open").insert_one({"_id": self.caller.district})

    def must_be_open(self) -> None:
        """Refuse a district that is not open; an operator belongs to none."""
        if self.caller.district and not self.rows("open").find_one({"_id": self.caller.district}):
            raise NotFound("该区尚未开通 / This district is not open yet")

    def person(self, district: str, id: str) -> domain.Person:
        """Give the person behind an account or a session, who may be of any district; refuses who was put out."""
        row = self.wide("people").find_one({"_id": f"{district}/{id}"}, {"state": 1})
        if not row or not row["state"]["active"]:
            raise Unauthenticated("账号已停用 / This account is no longer active")
        return domain.Person(**row["state"])

    def begin_session(self, district: str, person: str, sid: str) -> str:
        """Begin a session; gives its renewal, ``<session>.<secret>``, good once."""
        secret = secrets.token_urlsafe(32)
        row = {"_id": sid, "district": district, "person": person, "renewal": sealed(secret)}
        self.database["sessions"].insert_one(row | {"expires_at": real_now() + SESSION})
        return f"{sid}.{secret}"

    def renew(self, renewal: str) -> tuple[dict, str]:
        """Take a renewal, give its session and the next renewal; one that was used or revoked is refused."""
        sid, _, secret = renewal.partition(".")
        fresh = secrets.token_urlsafe(32)
        rows = self.wide("sessions")
        changed = rows.update_one({"_id": sid, "renewal": sealed(secret)}, {"$set": {"renewal": sealed(fresh)}})
        row = rows.find_one({"_id": sid})
        if not changed.matched_count or not row or row["expires_at"] < real_now():
            raise Unauthenticated("登录已失效,请重新登录 / This session is over: please sign in again")
        return row, f"{sid}.{fresh}"

    def end(self, sid: str) -> None:
        """End a session: it cannot be renewed."""
        self.database["sessions"].delete_one({"_id": sid})
