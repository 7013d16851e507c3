"""Who signs in: people, their roles and unit, short signed tokens and their revocation.

A thin first form; issue B grows people, second factors and the security log.
"""

from marshmallow import fields, validate

from shared.contract import Call, Contract, Fact, Order, View
from shared.contracts import fields as own
from shared.contracts import roster
from shared.contracts.permissions import ROLES
from shared.contracts.roster import Nothing

ROLE_NAMES = tuple(sorted(set(ROLES) - {"plugin", "gateway", "timer"}))
REASONS = ("dismissed", "password", "locked", "signed_out")


class SignIn(Order):
    login = own.text(64, required=True)
    password = fields.String(required=True, validate=validate.Length(1, 200))


class Renew(Order):
    renewal = fields.String(required=True, validate=validate.Length(20, 200, error="续期码不对 / not a renewal"))


class Admit(Order):
    """A person let in; the name and login are kept beside the history, the password only as its argon2id hash."""

    id = own.an_id(required=True)
    district = own.code(own.codes.DISTRICT_OR_NONE, required=True)
    login = own.text(64, required=True)
    name = own.text(40, required=True)
    password = fields.String(required=True, validate=validate.Length(8, 200, error="8–200 个字符 / 8–200 characters"))
    roles = fields.List(own.one_of(ROLE_NAMES), required=True, validate=[own.some(1, 5), own.distinct])
    unit = own.code(own.codes.UNIT_OR_NONE, required=True)
    department = own.code(own.codes.DEPARTMENT_OR_NONE, load_default="")


class Revoke(Order):
    id = own.an_id(required=True, metadata={"description": "the person"})
    revocation = own.an_id(required=True, metadata={"description": "UUID of this revocation, chosen by the client"})
    reason = own.one_of(("dismissed", "locked"), required=True)


class Since(Order):
    since = own.moment(required=True)


class Session(View):
    """``token`` is a signed JWT (EdDSA, RFC 8037), ``expires`` seconds from now; ``renewal`` is good once."""

    token = fields.String()
    renewal = fields.String()
    expires = fields.Integer()


class Person(View):
    id = own.an_id()
    name = fields.String(allow_none=True)
    district = fields.String()
    roles = fields.List(fields.String())
    unit = fields.String()
    department = fields.String()
    active = fields.Boolean()


class Revocation(View):
    """Tokens of ``subject`` (a person, or one session) made before ``before`` are no longer good."""

    subject = fields.String()
    before = own.moment()


class Admitted(View):
    roles = fields.List(fields.String(), required=True)
    unit = fields.String(required=True)
    department = fields.String(required=True)


class Dismissed(View):
    revocation = own.an_id(required=True)
    before = own.moment(required=True)
    reason = own.one_of(REASONS, required=True)


class Revoked(View):
    reason = own.one_of(REASONS, required=True)
    subject = fields.String(required=True)
    before = own.moment(required=True)


SERVICE = "identity"
sign_in = Call(SERVICE, "sign_in", SignIn(), Session(), None, doc="登录 / Sign in by login and password")
renew = Call(SERVICE, "renew", Renew(), Session(), None, doc="续期 / Renew a session; each renewal is good once")
sign_out = Call(SERVICE, "sign_out", Nothing(), None, "person.self", doc="退出 / End this session everywhere, at once")
me = Call(SERVICE, "me", Nothing(), Person(), "person.self", doc="我 / Who I am here")
admit = Call(SERVICE, "admit", Admit(), Person(), "person.admit", doc="添加人员 / Let a person in")
revoke = Call(SERVICE, "revoke", Revoke(), Person(), "person.revoke", doc="停用 / Put a person out everywhere, at once")
revocations = Call(
    SERVICE, "revocations", Since(), Revocation(), "revocation.read", True, "停用名单 / What a gateway must refuse"
)

admitted = Fact(SERVICE, "admitted", Admitted(), "已加入 / A person was let in")
dismissed = Fact(SERVICE, "dismissed", Dismissed(), "已免职 / A person was put out")
revoked = Fact(SERVICE, "revoked", Revoked(), "已停用 / Tokens of a person or a session are no longer good")

CONTRACT = Contract(
    SERVICE,
    "身份: sign-in, tokens, revocation",
    (sign_in, renew, sign_out, me, admit, revoke, revocations),
    (admitted, dismissed, revoked),
    (dismissed, roster.opened),
)
