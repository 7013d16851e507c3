"""The identity service's entrypoints."""

import uuid
from datetime import date, datetime, timedelta

from services import proof
from services.entrypoints import Records, Telling, on, rpc, timer
from services.identity import domain, keys, oidc, tokens, totp
from services.identity.store import Accounts, Books, People, PeopleTables, Places, Revocations, Roles, Security
from services.process import aside
from shared.contracts import identity, roster
from shared.contracts.permissions import GRANTS, PERMISSIONS, ROLE_NAMES, may, may_add, may_drop
from shared.contracts.rows import normal_login
from shared.errors import Conflict, Invalid, Unauthenticated
from shared.running import real_now

# The same for an unknown login, a wrong password, a wrong code, a locked and a suspended account: it tells nothing.
WRONG = (
    "登录名、密码或动态口令不对,或尝试过多,请稍后再试 / "
    "Wrong login, password or code, or too many tries: please try again later"
)
PROVE = "请再填动态口令,或尝试过多请稍后 / Your second factor too, please; or later, after too many tries"
NOT_LINKED = "没有人员绑定此统一认证账号 / Nobody here has this account at the provider"


def entered(store, district: str):
    """Give a store of the caller's own district, or narrowed to the one that an operator names."""
    return store if store.caller.district == district else store.enter(district)


class IdentityService:
    """身份."""

    name = "identity"
    people = Records(People)
    roles = Records(Roles)
    revoked = Records(Revocations)
    accounts = Records(Accounts)
    places = Records(Places)
    security = Records(Security)
    books = Records(Books)
    people_tables = Records(PeopleTables)
    tell = Telling()

    # -- signing in and out ---------------------------------------------------------------------------------------

    @rpc(identity.sign_in)
    def sign_in(self, login, password, code):
        account = self.accounts.find(login)
        is_open = self.accounts.begin_try(login)
        # An unknown or locked login costs the same time and gets the same words as a wrong password.
        fits = aside(tokens.is_password, account and account["hash"], password)
        if not (is_open and fits and self.accounts.may_come(account) and self.accounts.spend_code(account, code)):
            tried = keys.fingerprint("login", normal_login(login))[:16]
            self.security.write("sign_in_failed", False, about=tried, **self.accounts.named(account))
            raise Unauthenticated(WRONG)
        self.accounts.forgive(login)
        return self.come_in(account, "password")

    @rpc(identity.begin_oidc)
    def begin_oidc(self):
        url, *journey = oidc.begin()
        self.accounts.begin_journey(*journey)
        return {"url": url, "state": journey[0]}

    @rpc(identity.finish_oidc)
    def finish_oidc(self, state, code, totp):
        oidc.configured()
        account = None
        try:
            account, attested = self.accounts.halfway(state, code), False
            if is_new := account is None:
                sub, attested = oidc.finish(code, *self.accounts.finish_journey(state))
                account = self.accounts.linked(sub)
            if account is None or not self.accounts.may_come(account):
                raise Unauthenticated(NOT_LINKED)
            if "totp" in account and not attested:
                self.must_prove(account, state, code, totp)
            if not is_new:
                self.accounts.leave_halfway(state, code)
        except Unauthenticated:
            self.security.write("sign_in_failed", False, about="oidc", **self.accounts.named(account))
            raise
        return self.come_in(account, "oidc", attested)

    def must_prove(self, account, state, code, totp):
        """Have who came by the provider prove their second factor, tries counted as at the first door."""
        is_open = not totp or self.accounts.begin_try(account["_id"])
        if not totp or not is_open or not self.accounts.spend_code(account, totp):
            self.accounts.wait_halfway(state, code, account)
            raise Unauthenticated(PROVE, {"totp": ["不对或未填 / wrong or missing"]})
        self.accounts.forgive(account["_id"])

    def come_in(self, account, about, attested=False):
        person = self.accounts.person(account["district"], account["person"])
        self.security.write("signed_in", about=about, role=person.roles[0], **self.accounts.named(account))
        session, renewal = self.accounts.begin_session(account, attested)
        return self.signed(session, account, person, renewal)

    def signed(self, session, account, person, renewal):
        states = {id: role.state for id, role in self.roles.here(session["district"]).items()}
        changed, has_totp = account.get("must_change", False), "totp" in account or session.get("attested", False)
        first = domain.first(person.roles, changed, has_totp, keys.is_totp_required())
        return tokens.session(session, person, domain.differs(person.roles, states), first, renewal)

    @rpc(identity.renew)
    def renew(self, renewal):
        try:
            session, fresh = self.accounts.renew(renewal)
            person = self.accounts.person(session["district"], session["person"])
        except Unauthenticated:
            self.security.write("renewal_refused", False)
            raise
        return self.signed(session, self.accounts.behind(session), person, fresh)

    @rpc(identity.sign_out)
    def sign_out(self):
        self.end(self.people.caller.session)

    @rpc(identity.sessions)
    def sessions(self):
        return {"items": self.accounts.sessions()}

    @rpc(identity.end_session)
    def end_session(self, id):
        self.accounts.own_session(id)
        self.end(id)

    def end(self, session):
        self.accounts.end(session)
        self.refuse_tokens(session, session, real_now(), "signed_out")
        self.security.write("signed_out", about=session)

    # -- oneself --------------------------------------------------------------------------------------------------

    @rpc(identity.me)
    def me(self):
        caller = self.people.caller
        mine = [each for each in sorted(PERMISSIONS) if may(caller.roles, each, caller.adjusted)]
        shown = self.people.shown(self.people.get(caller.actor), dict) | {"session": caller.session}
        return shown | {"permissions": mine, "has_totp": "totp" in self.accounts.of(caller.actor)}

    @rpc(identity.change_password)
    def change_password(self, old, new):
        id = self.people.caller.actor
        account = self.own_account(old, "old")
        if old == new:
            raise Invalid("请换一个密码 / Please choose another password", {"new": ["与原密码相同 / the old one"]})
        attested = self.accounts.is_attested(self.people.caller.session)
        self.accounts.set_password(id, aside(tokens.hashed, new), must_change=False)
        self.put_out(id, str(uuid.uuid4()), real_now(), "password")
        self.security.write("password_changed")
        person = self.accounts.person(account["district"], id)
        session, renewal = self.accounts.begin_session(account, attested)
        return self.signed(session, self.accounts.of(id), person, renewal)

    @rpc(identity.begin_totp)
    def begin_totp(self):
        account, key = self.accounts.of(self.people.caller.actor), totp.new_key()
        if "totp" in account:
            raise Conflict("已绑定动态口令,请先解除 / There is a second factor already: please drop it first")
        self.accounts.begin_totp(account["person"], key)
        return {"key": key, "uri": totp.uri(key, account["_id"])}

    @rpc(identity.confirm_totp)
    def confirm_totp(self, code):
        account, codes = self.accounts.of(self.people.caller.actor), totp.recovery_codes()
        if "totp_begun" not in account:
            raise Conflict("请先取得密钥 / Please ask for a key first")
        step = totp.step_of(keys.decrypted(account["totp_begun"], account["person"]), code)
        if step is None:
            raise Invalid("动态口令不对 / This is not the code", {"code": ["不对 / wrong"]})
        self.accounts.confirm_totp(account["person"], account["totp_begun"], step, codes)
        self.security.write("totp_enrolled")
        return {"codes": codes}

    @rpc(identity.drop_totp)
    def drop_totp(self, password):
        self.accounts.drop_totp(self.own_account(password, "password")["person"])
        self.security.write("totp_dropped")

    def own_account(self, password, field):
        """Give the caller's account to who knows its password: a stolen session is not enough, nor is guessing."""
        account = self.accounts.of(self.people.caller.actor)
        is_open = self.accounts.begin_try(account["_id"])
        if not aside(tokens.is_password, account["hash"], password) or not is_open:
            raise Invalid("密码不对,或尝试过多 / Wrong password, or too many tries", {field: ["不对 / wrong"]})
        self.accounts.forgive(account["_id"])
        return account

    # -- people ---------------------------------------------------------------------------------------------------

    @rpc(identity.admit)
    def admit(self, id, district, login, password, **order):
        stores = (self.people, self.accounts, self.places, self.security)
        people, accounts, places, security = (entered(store, district) for store in stores)
        places.must_be_open()
        place = places.place(order["unit"], order["department"])
        order |= {"login": normal_login(login), "place": place}
        # Decided before the login is taken: an order that is refused leaves it free.
        list(domain.admit(domain.Person(), caller=people.caller, now=people.now(), **order))
        known = accounts.make(order["login"], id, aside(tokens.hashed, password) if password else None)
        if known and not (aside(tokens.is_password, known["hash"], password) if password else not known["hash"]):
            raise Conflict("此人已有账号,密码不同 / This person has an account with another password")
        person = people.begin(id, domain.admit, **order)
        security.write("admitted", whom=id)
        return people.shown(person)

    @rpc(identity.people)
    def list_people(self, **asked):
        return self.people.page(**asked)

    @rpc(identity.person)
    def person(self, id):
        return self.people.shown(self.people.seen(id))

    @rpc(identity.reveal)
    def reveal(self, id, purpose, note):
        person = self.people.seen(id)
        domain.guard_person(self.people.caller, person.state)
        about = f"{purpose} {keys.fingerprint('note', note)[:16] if note else ''}".strip()
        self.security.write("revealed", whom=id, about=about)  # before it is shown
        return self.people.shown(person, dict)

    @rpc(identity.person_trace)
    def person_trace(self, id):
        return proof.trace(self.people, id)

    @rpc(identity.move)
    def move(self, id, move, **order):
        place = self.places.place(order["unit"], order["department"])
        order |= {"self_id": id, "move": move, "place": place, "before": real_now()}
        person = self.people.change(id, domain.move, **order)
        self.refuse_tokens(id, move, person.state.moves[move]["before"], "moved")
        self.security.write("moved", whom=id)
        return self.people.shown(person)

    @rpc(identity.correct)
    def correct(self, id, correction, **order):
        version, said = self.people.said(id, correction)
        order |= {"self_id": id, "correction": correction, "said": said}
        person = self.people.change(id, domain.correct, version, **order)
        self.people.forget_old(person)
        self.security.write("corrected", whom=id)
        return self.people.shown(person)

    @rpc(identity.suspend)
    def suspend(self, id, suspension, reason):
        order = {"self_id": id, "suspension": suspension, "before": real_now(), "reason": reason}
        person = self.people.change(id, domain.suspend, **order)
        self.put_out(id, suspension, person.state.suspensions[suspension]["before"], "suspended")
        self.security.write("suspended", whom=id, about=reason)
        return self.people.shown(person)

    @rpc(identity.resume)
    def resume(self, id, resumption):
        person = self.people.change(id, domain.resume, self_id=id, resumption=resumption)
        self.security.write("resumed", whom=id)
        return self.people.shown(person)

    @rpc(identity.revoke)
    def revoke(self, id, revocation, reason):
        order = {"self_id": id, "revocation": revocation, "before": real_now(), "reason": reason}
        person = self.people.change(id, domain.dismiss, **order)
        self.put_out(id, revocation, person.state.dismissals[revocation]["before"], reason)
        self.security.write("revoked", whom=id, about=reason)
        return self.people.shown(person)

    @rpc(identity.reset_password)
    def reset_password(self, id, password):
        person = self.reached(id)
        self.accounts.set_password(id, aside(tokens.hashed, password), must_change=True)
        self.put_out(id, str(uuid.uuid4()), real_now(), "password")
        self.security.write("password_reset", whom=id)
        return self.people.shown(person)

    @rpc(identity.reset_totp)
    def reset_totp(self, id):
        person = self.reached(id)
        self.accounts.drop_totp(id)
        self.security.write("totp_reset", whom=id)
        return self.people.shown(person)

    @rpc(identity.link)
    def link(self, id, external):
        person = self.reached(id)
        self.accounts.link(id, external)
        self.security.write("linked", whom=id, about="" if external else "none")
        return self.people.shown(person)

    def reached(self, id):
        """Load a person whose secrets are the caller's to reset: never their own."""
        person = self.people.get(id)
        domain.guard_active(person.state)
        domain.guard_person(self.people.caller, person.state, id)
        return person

    # -- what a district changes ----------------------------------------------------------------------------------

    @rpc(identity.access)
    def access(self):
        return {"items": [self.row(self.roles.get(role)) for role in ROLE_NAMES]}

    @rpc(identity.adjust)
    def adjust(self, role, adjustment, version, **order):
        order |= {"role": role, "adjustment": adjustment, "before": real_now()}
        record = self.roles.change(role, domain.adjust, version, **order)
        before = record.state.adjustments[adjustment]["before"]
        self.refuse_tokens(record.district, adjustment, before, "adjusted")
        self.security.write("adjusted", about=role)
        return self.row(record)

    @staticmethod
    def row(record):
        """Give one row of the table of roles as it stands here."""
        role, state = record.id, record.state
        sets = {"permissions": domain.permissions_of(role, state), "grants": GRANTS.get(role, ())}
        sets |= {"add": state.add, "drop": state.drop, "may_add": may_add(role), "may_drop": may_drop(role)}
        return {"role": role, "version": record.version} | {name: sorted(each) for name, each in sets.items()}

    # -- what gateways ask and say --------------------------------------------------------------------------------

    @rpc(identity.revocations)
    def revocations(self, since):
        return {"items": self.revoked.since(since)}

    @rpc(identity.security)
    def list_security(self, **asked):
        return self.security.newest(**asked)

    @rpc(identity.note)
    def note(self, what, status, about, **said):
        self.security.write(what, status < 400, about=f"{status} {about}".strip(), **said)

    @rpc(identity.ids_of)
    def ids_of(self, logins):
        return {"items": self.accounts.of_logins(logins)}

    @rpc(identity.logins_of)
    def logins_of(self, ids):
        return {"items": self.accounts.of_people(self.people.seen_of(ids))}

    # -- facts ----------------------------------------------------------------------------------------------------

    @on(identity.moved)
    def moved(self, fact):
        """Finish what a call that was cut off left undone, here and below."""
        self.refuse_tokens(fact["subject"], fact["data"]["move"], fact["data"]["before"], "moved")

    @on(identity.corrected)
    def corrected(self, fact):
        self.people.forget_old(self.people.get(fact["subject"]))

    @on(identity.suspended)
    def suspended(self, fact):
        self.put_out(fact["subject"], fact["data"]["suspension"], fact["data"]["before"], "suspended")

    @on(identity.dismissed)
    def dismissed(self, fact):
        self.put_out(fact["subject"], fact["data"]["revocation"], fact["data"]["before"], fact["data"]["reason"])

    @on(identity.adjusted)
    def adjusted(self, fact):
        self.refuse_tokens(fact["district"], fact["data"]["adjustment"], fact["data"]["before"], "adjusted")

    @on(roster.opened)
    def opened(self, fact):
        self.places.opened(fact["data"], fact["time"])

    @on(roster.unit_founded)
    def unit_founded(self, fact):
        self.places.unit_told(fact["data"]["unit"]["code"], fact["data"]["unit"].get("until"), fact["time"])

    @on(roster.unit_changed)
    def unit_changed(self, fact):
        self.places.unit_told(fact["data"]["unit"]["code"], fact["data"]["unit"].get("until"), fact["time"])

    @on(roster.unit_split)
    def unit_split(self, fact):
        self.places.unit_told(fact["data"]["new"], None, fact["time"])

    @on(roster.units_merged)
    def units_merged(self, fact):
        """Where communities became one their people go along, each by a move that is the same however often heard."""
        into, last_day = fact["data"]["into"], date.fromisoformat(fact["data"]["since"]) - timedelta(days=1)
        gone = [code for code in fact["data"]["communities"] if code != into]
        self.places.unit_told(into, None, fact["time"])
        for code in gone:
            self.places.unit_told(code, last_day.isoformat(), fact["time"])
        for id in self.people.of_units(gone):
            move = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{fact['id']}/{id}"))
            self.people.change(id, domain.follow, move=move, units=gone, into=into, before=real_now())
            self.security.write("moved", whom=id, about="units_merged")

    @on(roster.department_set)
    def department_set(self, fact):
        self.places.department_told(fact["data"]["code"], fact["data"].get("until"), fact["time"])

    # -- tables in and out ----------------------------------------------------------------------------------------

    @rpc(identity.check_people)
    def check_people(self, id, rows):
        return self.people_tables.check(id, rows)

    @rpc(identity.import_people)
    def import_people(self, id):
        table = self.people_tables.begin(id)
        self.security.write("imported", about=f"people {id}")
        return table

    @rpc(identity.people_table)
    def people_table(self, id):
        return self.people_tables.find(id)

    @rpc(identity.export_people)
    def export_people(self, limit, after):
        return self.people_tables.export(limit, after)

    # -- timers ---------------------------------------------------------------------------------------------------

    @timer(interval=1)
    def tell_untold(self):
        for ledger in (self.people, self.revoked, self.roles, self.books):
            self.tell(ledger)

    @timer(interval=1)
    def carry_tables_out(self):
        self.people_tables.run()

    @timer(interval=5)
    def seal(self):
        for book, (n, head) in self.security.grown().items():
            self.books.change(book, domain.seal, book_id=book, n=n, head=head)

    # -- out, everywhere ------------------------------------------------------------------------------------------

    def refuse_tokens(self, subject, id, before, reason):
        """Have the tokens of a person, a session or a district refused that were made before a moment."""
        before = datetime.fromisoformat(before) if isinstance(before, str) else before
        # By subject and order: an id that was used for somebody else must not leave this one signed in.
        key = subject if subject == id else f"{subject}.{id}"
        self.revoked.begin(key, domain.revoke, subject=subject, before=before, reason=reason)

    def put_out(self, person, id, before, reason):
        self.refuse_tokens(person, id, before, reason)
        before = datetime.fromisoformat(before) if isinstance(before, str) else before
        self.accounts.end_all(person, before)
