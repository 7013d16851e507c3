"""Who signs in: people, their roles and unit, sessions, second factors, and the security log.

Secrets (password hashes, TOTP keys, renewals) are never facts; names, logins and phones are words, kept beside the
history and masked by default (PIPL Art. 51).
"""

from marshmallow import fields, validate

from shared.contract import Call, Contract, Fact
from shared.contracts import fields as own
from shared.contracts.forms import Order, View
from shared.contracts.permissions import PERMISSIONS, ROLE_NAMES
from shared.contracts.roster import Nothing, Trace
from shared.contracts.tables import MOST_ROWS, CheckTable, GetTable, ListRows, Table, TableRow

REASONS = ("dismissed", "password", "locked", "signed_out", "moved", "adjusted", "suspended")
SUSPENSIONS = ("absent", "inquiry", "locked", "mistaken")
# Why somebody looks at another person's unmasked data; each view is in the security log (PIPL Arts 51, 54).
PURPOSES = ("contact", "verify", "correct", "inquiry", "petition")
# What the security log knows (GB/T 22239-2019: date and time, user, event type, success or not).
EVENTS = (
    *("signed_in", "sign_in_failed", "signed_out", "renewal_refused", "refused", "revealed", "exported", "imported"),
    *("password_changed", "password_reset", "totp_enrolled", "totp_dropped", "totp_reset", "linked"),
    *("admitted", "moved", "corrected", "suspended", "resumed", "revoked", "adjusted"),
)
FIRST = ("password", "totp")  # what a newcomer has to choose before anything else


def role_list():
    return fields.List(own.one_of(ROLE_NAMES), required=True, validate=[own.some(1, 5), own.distinct])


def permission_list(**options):
    return fields.List(
        own.one_of(sorted(PERMISSIONS)), load_default=list, validate=[own.some(0, 60), own.distinct], **options
    )


def password(**options):
    return fields.String(validate=validate.Length(8, 200, error="8–200 个字符 / 8–200 characters"), **options)


class SignIn(Order):
    """``code`` is the six digits of the second factor, or one of the recovery codes, for those who have one."""

    login = own.text(64, required=True)
    password = fields.String(required=True, validate=validate.Length(1, 200))
    code = fields.String(load_default="", validate=validate.Length(max=20), metadata={"description": "TOTP (RFC 6238)"})


class Renew(Order):
    renewal = fields.String(required=True, validate=validate.Length(20, 200, error="续期码不对 / not a renewal"))


class FinishOidc(Order):
    """What the provider sent the browser back with; both are good once.

    Who has a second factor here is asked for it (401, `totp` in `fields`): the same order again, with `totp`.
    """

    state = fields.String(required=True, validate=validate.Length(20, 200))
    code = fields.String(required=True, validate=validate.Length(1, 2000))
    totp = fields.String(load_default="", validate=validate.Length(max=20), metadata={"description": "as at sign-in"})


class ChangePassword(Order):
    old = fields.String(required=True, validate=validate.Length(1, 200))
    new = password(required=True)


class ResetPassword(Order):
    """The new password is good for one sign-in: its owner chooses another first."""

    id = own.an_id(required=True)
    password = password(required=True)


class ConfirmTotp(Order):
    code = fields.String(required=True, validate=own.Whole("^[0-9]{6}$", error="六位数字 / six digits"))


class DropTotp(Order):
    password = fields.String(required=True, validate=validate.Length(1, 200))


class OnePerson(Order):
    id = own.an_id(required=True, metadata={"description": "the person"})


class OneSession(Order):
    id = own.an_id(required=True, metadata={"description": "the session"})


class Link(Order):
    """Which account at the OIDC provider is this person's; empty for none."""

    id = own.an_id(required=True)
    external = own.text(200, required=True, least=0, metadata={"description": "the provider's `sub`"})


class Admit(Order):
    """A person let in; the name, login and phone are kept beside the history, the password only as its argon2id hash.

    Without a password they come in by the OIDC provider only, until somebody sets one.
    """

    id = own.an_id(required=True)
    district = own.code(own.DISTRICT_OR_NONE, required=True)
    login = own.text(64, required=True)
    name = own.text(40, required=True)
    password = password(load_default=None, allow_none=True)
    roles = role_list()
    unit = own.code(own.UNIT_OR_NONE, required=True)
    department = own.code(own.DEPARTMENT_OR_NONE, load_default="")
    phone = own.phone(load_default=None, allow_none=True)


class ListPeople(Order):
    role = own.one_of(ROLE_NAMES, load_default=None, allow_none=True)
    unit = own.code(own.codes.UNIT, load_default=None, allow_none=True)
    department = own.code(own.DEPARTMENT_OR_NONE, load_default=None, allow_none=True)
    active = fields.Boolean(load_default=None, allow_none=True)
    login = own.text(64, least=0, load_default=None, allow_none=True, metadata={"description": "begins with"})
    limit = own.limit()
    after = own.cursor()


class Reveal(Order):
    """Looking at a person's unmasked data needs a purpose, and is written down before it is shown."""

    id = own.an_id(required=True)
    purpose = own.one_of(PURPOSES, required=True)
    note = own.text(200, least=0, load_default="", metadata={"description": "case number or the like"})


class Move(Order):
    """Other roles, another unit or department; sessions go on with what is new."""

    id = own.an_id(required=True, metadata={"description": "the person"})
    move = own.an_id(required=True, metadata={"description": "UUID of this move, chosen by the client"})
    roles = role_list()
    unit = own.code(own.UNIT_OR_NONE, required=True)
    department = own.code(own.DEPARTMENT_OR_NONE, load_default="")


class Correct(Order):
    """A name or phone put right; what it was is forgotten. What is not named stays."""

    id = own.an_id(required=True, metadata={"description": "the person"})
    correction = own.an_id(required=True, metadata={"description": "UUID of this correction, chosen by the client"})
    name = own.text(40, load_default=None, allow_none=True)
    phone = own.phone(load_default=None, allow_none=True)


class Suspend(Order):
    id = own.an_id(required=True, metadata={"description": "the person"})
    suspension = own.an_id(required=True, metadata={"description": "UUID of this suspension, chosen by the client"})
    reason = own.one_of(SUSPENSIONS, required=True)


class Resume(Order):
    id = own.an_id(required=True, metadata={"description": "the person"})
    resumption = own.an_id(required=True, metadata={"description": "UUID of this resumption, chosen by the client"})


class Revoke(Order):
    id = own.an_id(required=True, metadata={"description": "the person"})
    revocation = own.an_id(required=True, metadata={"description": "UUID of this revocation, chosen by the client"})
    reason = own.one_of(("dismissed", "locked"), required=True)


class Adjust(Order):
    """What this district adds to one role, and what it takes from it, whole; empty lists give the table as it is."""

    adjustment = own.an_id(required=True, metadata={"description": "UUID of this adjustment, chosen by the client"})
    role = own.one_of(ROLE_NAMES, required=True)
    add = permission_list()
    drop = permission_list()
    version = fields.Integer(load_default=None, allow_none=True, metadata={"description": "refuse if it has moved on"})


class ListSecurity(Order):
    """Newest first; ``since`` and ``until`` are moments of real time."""

    since = own.moment(load_default=None, allow_none=True)
    until = own.moment(load_default=None, allow_none=True)
    what = own.one_of(EVENTS, load_default=None, allow_none=True)
    who = own.an_id(load_default=None, allow_none=True)
    limit = own.limit(1000)
    after = own.cursor()


class Logins(Order):
    """For a table of seats on its way in: people sit by their ids, and are known to others by their logins."""

    logins = fields.List(own.text(64), required=True, validate=own.some(0, MOST_ROWS))


class Ids(Order):
    """For a table of seats on its way out."""

    ids = fields.List(own.an_id(), required=True, validate=own.some(0, MOST_ROWS))


class Note(Order):
    """What the gateway saw: somebody was refused, or took a table out."""

    what = own.one_of(("refused", "exported"), required=True)
    district = own.code(own.DISTRICT_OR_NONE, required=True)
    who = fields.String(required=True, validate=validate.Length(max=64))
    role = fields.String(load_default="", validate=validate.Length(max=40))
    address = fields.String(load_default="", validate=validate.Length(max=64))
    about = fields.String(load_default="", validate=validate.Length(max=200), metadata={"description": "route, table"})
    status = fields.Integer(load_default=200)


class Since(Order):
    since = own.moment(required=True)


class Session(View):
    """``token`` is a signed JWT (EdDSA, RFC 8037), ``expires`` seconds from now; ``renewal`` is good once.

    ``first`` names what a newcomer has to choose before anything else: a password, a second factor.
    """

    token = fields.String()
    renewal = fields.String()
    expires = fields.Integer()
    first = fields.List(own.one_of(FIRST))


class OpenSession(View):
    id = own.an_id()
    began_at = own.moment()
    seen_at = own.moment()
    address = fields.String()
    current = fields.Boolean()


class Redirect(View):
    """Where the browser goes; ``state`` comes back with it and must be the one that this browser was given."""

    url = fields.String()
    state = fields.String()


class TotpKey(View):
    """A new second factor, not yet in force: shown once, as a key and as the address that makes the QR code."""

    key = fields.String()
    uri = fields.String()


class Recovery(View):
    """Codes that stand in for the second factor, each good once; shown once."""

    codes = fields.List(fields.String())


class Person(View):
    id = own.an_id()
    version = fields.Integer()
    name = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    login = fields.String(allow_none=True)
    district = fields.String()
    roles = fields.List(fields.String())
    unit = fields.String()
    department = fields.String()
    active = fields.Boolean()
    suspended = fields.Boolean()


class Myself(Person):
    """Who I am here: unmasked, and what I may do."""

    permissions = fields.List(fields.String())
    has_totp = fields.Boolean()
    session = fields.String()


class Access(View):
    """One row of the table of roles as it stands in this district: what is usual, what was added and taken."""

    role = fields.String()
    permissions = fields.List(fields.String())
    add = fields.List(fields.String())
    drop = fields.List(fields.String())
    may_add = fields.List(fields.String())
    may_drop = fields.List(fields.String())
    grants = fields.List(fields.String())
    version = fields.Integer()


class Login(View):
    login = fields.String()
    person = own.an_id()


class SecurityEntry(View):
    """One line of the security log: linked by ``hash`` to the one before it in its ``book``."""

    id = fields.String()
    book = fields.String()
    n = fields.Integer()
    at = own.moment()
    what = own.one_of(EVENTS)
    ok = fields.Boolean()
    who = fields.String()
    role = fields.String()
    whom = fields.String(metadata={"description": "the person it was done to"})
    address = fields.String()
    about = fields.String()
    prev = fields.String()
    hash = fields.String()


class Revocation(View):
    """Tokens of ``subject`` (a person, one session, or a district) made before ``before`` are no longer good."""

    subject = fields.String()
    before = own.moment()


class Admitted(View):
    roles = fields.List(fields.String(), required=True)
    unit = fields.String(required=True)
    department = fields.String(required=True)


class Moved(View):
    move = own.an_id(required=True)
    roles = fields.List(fields.String(), required=True)
    unit = fields.String(required=True)
    department = fields.String(required=True)
    before = own.moment(required=True)


class Corrected(View):
    correction = own.an_id(required=True)


class Suspended(View):
    suspension = own.an_id(required=True)
    before = own.moment(required=True)
    reason = own.one_of(SUSPENSIONS, required=True)


class Resumed(View):
    resumption = own.an_id(required=True)


class Dismissed(View):
    revocation = own.an_id(required=True)
    before = own.moment(required=True)
    reason = own.one_of(REASONS, required=True)


class Revoked(View):
    reason = own.one_of(REASONS, required=True)
    subject = fields.String(required=True)
    before = own.moment(required=True)


class Adjusted(View):
    adjustment = own.an_id(required=True)
    role = fields.String(required=True)
    add = fields.List(fields.String(), required=True)
    drop = fields.List(fields.String(), required=True)
    before = own.moment(required=True)


class Sealed(View):
    """How far one book of the security log had come: whoever cuts its end off is found out by this witness."""

    book = fields.String(required=True)
    n = fields.Integer(required=True)
    head = fields.String(required=True)


SERVICE = "identity"


def call(name, takes, gives, needs, doc, many=False):
    return Call(SERVICE, name, takes, gives, needs, many, doc)


sign_in = call("sign_in", SignIn(), Session(), None, "登录 / Sign in by login and password")
renew = call("renew", Renew(), Session(), None, "续期 / Renew a session; each renewal is good once")
begin_oidc = call("begin_oidc", Nothing(), Redirect(), None, "统一认证登录 / Begin to sign in by the OIDC provider")
finish_oidc = call("finish_oidc", FinishOidc(), Session(), None, "统一认证返回 / Come back from the OIDC provider")
sign_out = call("sign_out", Nothing(), None, "person.self", "退出 / End this session everywhere, at once")
me = call("me", Nothing(), Myself(), "person.self", "我 / Who I am here")
sessions = call("sessions", Nothing(), OpenSession(), "person.self", "我的登录 / Where I am signed in", True)
end_session = call("end_session", OneSession(), None, "person.self", "结束登录 / End one of my sessions, at once")
change_password = call(
    "change_password", ChangePassword(), Session(), "person.self", "改密码 / Change my password; all other sessions end"
)
begin_totp = call("begin_totp", Nothing(), TotpKey(), "person.self", "绑定动态口令 / Begin with a second factor")
confirm_totp = call(
    "confirm_totp",
    ConfirmTotp(),
    Recovery(),
    "person.self",
    "确认动态口令 / Confirm the second factor by its first code",
)
drop_totp = call("drop_totp", DropTotp(), None, "person.self", "解除动态口令 / Drop my second factor")
admit = call("admit", Admit(), Person(), "person.admit", "添加人员 / Let a person in")
people = call("people", ListPeople(), Person(), "person.read", "人员 / People, masked, by their login", True)
person = call("person", OnePerson(), Person(), "person.read", "一位人员 / One person, masked")
reveal = call("reveal", Reveal(), Person(), "person.reveal", "查看完整信息 / A person unmasked, for a purpose; logged")
person_trace = call("person_trace", OnePerson(), Trace(), "person.revoke", "人员留痕 / A person's history, with proof")
move = call("move", Move(), Person(), "person.change", "调动 / Give a person other roles or another unit")
correct = call("correct", Correct(), Person(), "person.change", "更正 / Put a person's name or phone right")
suspend = call("suspend", Suspend(), Person(), "person.change", "暂停 / Suspend a person, everywhere, at once")
resume = call("resume", Resume(), Person(), "person.change", "恢复 / End a suspension")
revoke = call("revoke", Revoke(), Person(), "person.revoke", "停用 / Put a person out everywhere, at once")
reset_password = call(
    "reset_password",
    ResetPassword(),
    Person(),
    "person.change",
    "重置密码 / Set a password that is good for one sign-in",
)
reset_totp = call("reset_totp", OnePerson(), Person(), "person.revoke", "重置动态口令 / Take a lost second factor away")
link = call("link", Link(), Person(), "person.change", "绑定统一认证 / Name a person's account at the OIDC provider")
access = call(
    "access", Nothing(), Access(), "access.read", "角色权限表 / Roles and permissions as they stand here", True
)
adjust = call("adjust", Adjust(), Access(), "access.adjust", "调整权限 / Adjust one role in this district")
security = call("security", ListSecurity(), SecurityEntry(), "security.read", "安全日志 / The security log", True)
note = call("note", Note(), None, "security.note", "记入安全日志 / What the gateway saw, into the security log")
revocations = call(
    "revocations", Since(), Revocation(), "revocation.read", "停用名单 / What a gateway must refuse", True
)
ids_of = call("ids_of", Logins(), Login(), "seat.import", "登录名是谁 / Whose logins these are, in the district", True)
logins_of = call("logins_of", Ids(), Login(), "seat.export", "登录名 / The logins of people whom one may see", True)
check_people = call(
    "check_people",
    CheckTable(),
    Table(),
    "person.import",
    "检查人员表 / Check a table of people whole, changing nothing",
)
import_people = call("import_people", GetTable(), Table(), "person.import", "导入人员 / Carry a checked table out")
people_table = call("people_table", GetTable(), Table(), "person.import", "人员导入进度 / How far an import has come")
export_people = call("export_people", ListRows(), TableRow(), "person.export", "导出人员 / People as rows", True)

admitted = Fact(SERVICE, "admitted", Admitted(), "已加入 / A person was let in")
moved = Fact(SERVICE, "moved", Moved(), "已调动 / A person has other roles or another unit")
corrected = Fact(SERVICE, "corrected", Corrected(), "已更正 / A person's name or phone was put right")
suspended = Fact(SERVICE, "suspended", Suspended(), "已暂停 / A person was suspended")
resumed = Fact(SERVICE, "resumed", Resumed(), "已恢复 / A suspension has ended")
dismissed = Fact(SERVICE, "dismissed", Dismissed(), "已免职 / A person was put out")
revoked = Fact(SERVICE, "revoked", Revoked(), "已停用 / Tokens of a person or a session are no longer good")
adjusted = Fact(SERVICE, "adjusted", Adjusted(), "权限已调整 / A district adjusted a role")
sealed = Fact(SERVICE, "sealed", Sealed(), "日志已封存 / How far a book of the security log had come")

CONTRACT = Contract(
    SERVICE,
    "身份: sign-in, people, roles, tokens, security log",
    (sign_in, renew, begin_oidc, finish_oidc, sign_out, me, sessions, end_session, change_password, begin_totp)
    + (confirm_totp, drop_totp, admit, people, person, reveal, person_trace, move, correct, suspend, resume)
    + (revoke, reset_password, reset_totp, link, access, adjust, security, note, revocations, ids_of, logins_of)
    + (check_people, import_people, people_table, export_people),
    (admitted, moved, corrected, suspended, resumed, dismissed, revoked, adjusted, sealed),
)
