"""The identity service's entrypoints."""

import uuid
from datetime import datetime

from services.identity import domain, tokens
from services.identity.store import Accounts, People, Revocations
from services.process import aside
from shared.contracts import identity, roster
from shared.errors import Conflict, Unauthenticated
from shared.running import real_now
from shared.service import Records, Telling, on, rpc, timer


class IdentityService:
    """身份."""

    name = "identity"
    people = Records(People)
    revoked = Records(Revocations)
    accounts = Records(Accounts)
    tell = Telling()

    @rpc(identity.sign_in)
    def sign_in(self, login, password):
        account = self.accounts.find(login)
        # An unknown login costs the same time and gets the same words as a wrong password.
        if not aside(tokens.is_password, account and account["hash"], password) or not account:
            raise Unauthenticated("登录名或密码不对 / Wrong login or password")
        sid = str(uuid.uuid4())
        person = self.accounts.person(account["district"], account["person"])
        renewal = self.accounts.begin_session(account["district"], account["person"], sid)
        return tokens.session(account["district"], account["person"], person, sid, renewal)

    @rpc(identity.renew)
    def renew(self, renewal):
        session, fresh = self.accounts.renew(renewal)
        person = self.accounts.person(session["district"], session["person"])
        return tokens.session(session["district"], session["person"], person, session["_id"], fresh)

    @rpc(identity.sign_out)
    def sign_out(self):
        session = self.people.caller.session
        self.accounts.end(session)
        self.revoked.begin(session, domain.revoke, subject=session, before=real_now(), reason="signed_out")

    @rpc(identity.me)
    def me(self):
        return self.people.shown(self.people.get(self.people.caller.actor))

    @rpc(identity.admit)
    def admit(self, id, district, login, password, **order):
        people, accounts = self.people.enter(district), self.accounts.enter(district)
        accounts.must_be_open()
        # Decided before the login is taken: an order that is refused leaves it free.
        list(domain.admit(domain.Person(), caller=people.caller, now=people.now(), **order))
        known = accounts.make(login, id, aside(tokens.hashed, password))
        if known and not aside(tokens.is_password, known["hash"], password):
            raise Conflict("此人已有账号,密码不同 / This person has an account with another password")
        return people.shown(people.begin(id, domain.admit, **order))

    @rpc(identity.revoke)
    def revoke(self, id, revocation, reason):
        order = {"self_id": id, "revocation": revocation, "before": real_now(), "reason": reason}
        person = self.people.change(id, domain.dismiss, **order)
        self.put_out(id, revocation, **person.state.dismissals[revocation])
        return self.people.shown(person)

    @rpc(identity.revocations)
    def revocations(self, since):
        return {"items": self.revoked.since(since)}

    @on(roster.opened)
    def opened(self, fact):
        self.accounts.opened()

    @on(identity.dismissed)
    def dismissed(self, fact):
        """Finish a revocation whose call was cut off between the dismissal and the tokens."""
        self.put_out(fact["subject"], **fact["data"])

    @timer(interval=1)
    def tell_untold(self):
        self.tell(self.people)
        self.tell(self.revoked)

    def put_out(self, person, revocation, before, reason):
        # By person and revocation: an id that was used for somebody else must not leave this one signed in.
        id, order = f"{person}.{revocation}", {"subject": person, "reason": reason}
        self.revoked.begin(id, domain.revoke, before=datetime.fromisoformat(before), **order)
