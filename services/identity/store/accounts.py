"""Logins with their secrets, sessions with their renewals, tries that failed, and journeys to the OIDC provider."""

import hashlib
import secrets
import uuid
from contextlib import suppress
from datetime import datetime, timedelta

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from services.identity import domain, keys, totp
from services.ledger import Store
from shared.contracts.rows import normal_login
from shared.errors import Conflict, NotFound, Unauthenticated
from shared.running import real_now

SESSION = timedelta(hours=12)
FORGIVEN = timedelta(hours=1)  # how long tries are remembered after the last one
JOURNEY = timedelta(minutes=10)
OVER = Unauthenticated("登录已失效,请重新登录 / This session is over: please sign in again")


def sealed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class Accounts(Store):
    """Logins with their password hashes, and sessions with their renewals. A login is one across all districts."""

    indexes = {
        "accounts": [
            ([("person", ASCENDING), ("district", ASCENDING)], {"unique": True}),
            ([("external", ASCENDING)], {"unique": True, "sparse": True}),
        ],
        "sessions": [([("expires_at", ASCENDING)], {"expireAfterSeconds": 0}), ([("person", ASCENDING)], {})],
        "tries": [([("expires_at", ASCENDING)], {"expireAfterSeconds": 0})],
        "journeys": [([("expires_at", ASCENDING)], {"expireAfterSeconds": 0})],
    }

    # -- accounts -------------------------------------------------------------------------------------------------

    def find(self, login: str) -> dict | None:
        """Find an account by its login, however it is written."""
        return self.wide("accounts").find_one({"_id": normal_login(login)})

    def of(self, person: str) -> dict:
        """Find the account of a person of the caller's district."""
        account = self.rows("accounts").find_one({"person": person})
        if account is None:
            raise NotFound("此人没有账号 / This person has no account")
        return account

    def behind(self, session: dict) -> dict:
        """Give the account behind a session, which may be of any district."""
        return self.wide("accounts").find_one({"person": session["person"], "district": session["district"]}) or {}

    def of_logins(self, logins: list[str]) -> list[dict]:
        """Give whose logins these are, of the caller's district."""
        rows = self.rows("accounts").find({"_id": {"$in": sorted(set(map(normal_login, logins)))}}, {"person": 1})
        return [{"login": row["_id"], "person": row["person"]} for row in rows]

    def of_people(self, people: list[str]) -> list[dict]:
        """Give the logins of people of the caller's district."""
        rows = self.rows("accounts").find({"person": {"$in": sorted(people)}}, {"person": 1})
        return [{"login": row["_id"], "person": row["person"]} for row in rows]

    @staticmethod
    def named(account: dict | None) -> dict:
        """Say for the security log whose account it is; nobody's where there is none."""
        return {"who": account["person"], "district": account["district"]} if account else {}

    def make(self, login: str, person: str, hashed: str | None) -> dict | None:
        """Make an account, and give the one that this person has under this login already.

        One login is one person's, and a person has one login: anything else raises ``Conflict``.
        """
        row = {"_id": login, "person": person, "hash": hashed}
        try:
            self.rows("accounts").insert_one(row)
        except DuplicateKeyError:
            known = self.find(login) or {}
            if (known.get("person"), known.get("district")) != (person, self.caller.district):
                raise Conflict("登录名或人员已有账号 / This login, or this person, has an account already") from None
            return known
        return None

    def set_password(self, person: str, hashed: str, must_change: bool) -> None:
        """Give a person another password; ``must_change`` when it is good for one sign-in only."""
        change = {"$set": {"hash": hashed, "must_change": must_change}}
        self.rows("accounts").update_one({"person": person}, change)

    def link(self, person: str, external: str) -> None:
        """Name the person's account at the OIDC provider, or none."""
        change = {"$set": {"external": external}} if external else {"$unset": {"external": ""}}
        try:
            self.rows("accounts").update_one({"person": person}, change)
        except DuplicateKeyError:
            raise Conflict("此统一认证账号已属于他人 / This account at the provider is another person's") from None

    def linked(self, external: str) -> dict | None:
        """Find an account by the name that the OIDC provider has for it."""
        return self.wide("accounts").find_one({"external": external})

    def person(self, district: str, id: str) -> domain.Person:
        """Give the person behind an account or a session, who may be of any district; refuses who was put out."""
        row = self.wide("people").find_one({"_id": f"{district}/{id}"}, {"state": 1})
        person = domain.Person(**row["state"]) if row else domain.Person()
        if not person.active or person.suspended:
            raise Unauthenticated("账号已停用 / This account is no longer active")
        return person

    def may_come(self, account: dict) -> bool:
        """Say whether the person behind an account is neither suspended nor put out."""
        with suppress(Unauthenticated):
            return bool(self.person(account["district"], account["person"]))
        return False

    # -- second factors -------------------------------------------------------------------------------------------

    def begin_totp(self, person: str, key: str) -> None:
        """Keep a key that is not in force until its first code is known."""
        secret = keys.encrypted(key, person)
        self.rows("accounts").update_one({"person": person}, {"$set": {"totp_begun": secret}})

    def confirm_totp(self, person: str, key: bytes, step: int, codes: list[str]) -> None:
        """Put the key that was begun into force, with the recovery codes that stand in for it."""
        kept = {"key": key, "step": step, "codes": [totp.recovery_hash(code) for code in codes]}
        change = {"$set": {"totp": kept}, "$unset": {"totp_begun": ""}}
        self.rows("accounts").update_one({"person": person, "totp_begun": key}, change)

    def drop_totp(self, person: str) -> None:
        """Take a second factor away."""
        self.rows("accounts").update_one({"person": person}, {"$unset": {"totp": "", "totp_begun": ""}})

    def spend_code(self, account: dict, code: str) -> bool:
        """Spend a code of the second factor: each time step and each recovery code is good once."""
        if not (known := account.get("totp")):
            return True
        rows, id = self.wide("accounts"), account["_id"]
        step = totp.step_of(keys.decrypted(known["key"], account["person"]), code.strip())
        if step is not None:
            asked = {"_id": id, "totp.step": {"$lt": step}}
            return rows.update_one(asked, {"$set": {"totp.step": step}}).matched_count == 1
        used = totp.recovery_hash(code)
        return rows.update_one({"_id": id, "totp.codes": used}, {"$pull": {"totp.codes": used}}).matched_count == 1

    # -- tries ----------------------------------------------------------------------------------------------------

    def begin_try(self, login: str) -> bool:
        """Count one more try for a login, of anybody's or nobody's; False while it is locked.

        Counted before the password is looked at, so that many at once are not as good as one after the other.
        """
        rows, id = self.wide("tries"), keys.fingerprint("login", normal_login(login))
        for _ in range(20):
            now = real_now()
            known = rows.find_one({"_id": id})
            if known and known["until"] > now:
                return False
            count = (known["count"] if known else 0) + 1
            row = {"count": count, "until": now + timedelta(seconds=domain.wait_after(count))}
            row["expires_at"] = row["until"] + FORGIVEN
            if known and rows.update_one({"_id": id, "count": known["count"]}, {"$set": row}).matched_count:
                return True
            if not known:
                with suppress(DuplicateKeyError):
                    rows.insert_one({"_id": id, **row})
                    return True
        return False

    def forgive(self, login: str) -> None:
        """Forget the tries of a login: its owner came in."""
        self.wide("tries").delete_one({"_id": keys.fingerprint("login", normal_login(login))})

    # -- sessions -------------------------------------------------------------------------------------------------

    def begin_session(self, account: dict, attested: bool = False) -> tuple[dict, str]:
        """Begin a session; gives it with its renewal, ``<session>.<secret>``, good once.

        ``attested``: another door has asked for a second factor.
        """
        secret, now = secrets.token_urlsafe(32), real_now()
        row = {"_id": str(uuid.uuid4()), "district": account["district"], "person": account["person"]}
        row |= {"address": self.caller.address, "began_at": now, "seen_at": now, "expires_at": now + SESSION}
        row |= {"attested": attested}
        self.database["sessions"].insert_one(row | {"renewal": sealed(secret)})
        return row, f"{row['_id']}.{secret}"

    def renew(self, renewal: str) -> tuple[dict, str]:
        """Take a renewal, give its session and the next renewal; one that was used or revoked is refused."""
        sid, _, secret = renewal.partition(".")
        fresh, now = secrets.token_urlsafe(32), real_now()
        rows = self.wide("sessions")
        seen = {"renewal": sealed(fresh), "seen_at": now, "address": self.caller.address}
        changed = rows.update_one({"_id": sid, "renewal": sealed(secret)}, {"$set": seen})
        row = rows.find_one({"_id": sid})
        if not changed.matched_count or not row or row["expires_at"] < now:
            raise OVER
        return row, f"{sid}.{fresh}"

    def sessions(self) -> list[dict]:
        """Give the caller's own open sessions, newest first."""
        asked = {"person": self.caller.actor, "expires_at": {"$gte": real_now()}}
        rows = sorted(self.rows("sessions").find(asked), key=lambda row: row["began_at"], reverse=True)
        return [row | {"id": row["_id"], "current": row["_id"] == self.caller.session} for row in rows]

    def own_session(self, id: str) -> None:
        """Refuse a session that is not the caller's own."""
        if not self.rows("sessions").find_one({"_id": id, "person": self.caller.actor}):
            raise NotFound("您没有这次登录 / You have no such session")

    def is_attested(self, id: str) -> bool:
        """Say whether a session began by another door that has asked for a second factor."""
        row = self.rows("sessions").find_one({"_id": id})
        return bool(row and row.get("attested"))

    def end(self, sid: str) -> None:
        """End a session: it cannot be renewed."""
        self.database["sessions"].delete_one({"_id": sid})

    def end_all(self, person: str, before: datetime) -> None:
        """End a person's sessions that began before a moment: what is told late does not end what began since."""
        asked = {"district": self.caller.district, "person": person, "began_at": {"$lte": before}}
        self.database["sessions"].delete_many(asked)

    # -- the second door ------------------------------------------------------------------------------------------

    def begin_journey(self, state: str, nonce: str, verifier: str) -> None:
        """Remember who went to the provider, for ten minutes."""
        row = {"_id": sealed(state), "nonce": nonce, "verifier": verifier, "expires_at": real_now() + JOURNEY}
        self.database["journeys"].insert_one(row)

    def finish_journey(self, state: str) -> tuple[str, str]:
        """Take a journey's nonce and verifier, once."""
        rows, asked = self.wide("journeys"), {"_id": sealed(state)}
        row = rows.find_one(asked)
        if not row or rows.delete_one(asked).deleted_count != 1 or row["expires_at"] < real_now():
            raise OVER
        return row["nonce"], row["verifier"]

    def wait_halfway(self, state: str, code: str, account: dict) -> None:
        """Remember, for ten minutes, who has come by the provider and has still to prove their second factor."""
        row = {"_id": sealed(f"{state} {code}"), "login": account["_id"], "expires_at": real_now() + JOURNEY}
        with suppress(DuplicateKeyError):  # a wrong code before this one
            self.database["journeys"].insert_one(row)

    def halfway(self, state: str, code: str) -> dict | None:
        """Give the account of who came by the provider and waits to prove their second factor."""
        row = self.wide("journeys").find_one({"_id": sealed(f"{state} {code}")})
        return self.find(row["login"]) if row and row["expires_at"] > real_now() else None

    def leave_halfway(self, state: str, code: str) -> None:
        """End such a journey: it is good for one session; of two at once the other is refused."""
        if self.wide("journeys").delete_one({"_id": sealed(f"{state} {code}")}).deleted_count != 1:
            raise OVER
