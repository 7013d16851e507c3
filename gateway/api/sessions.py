"""Signing in and out, and who one is."""

from gateway.table import Row, blueprint
from shared.contracts import identity

bp = blueprint(
    "sessions",
    [
        Row(
            "POST",
            "/sessions",
            identity.sign_in,
            201,
            refuses=(401,),
            example={"login": "wmy", "password": "huying-demo"},
        ),
        Row(
            "POST",
            "/sessions/renewals",
            identity.renew,
            201,
            refuses=(401,),
            example={"renewal": "b3JkaW5hcnktbG9va2luZy1yZW5ld2Fs"},
        ),
        Row("POST", "/sessions/oidc", identity.begin_oidc, 201, refuses=(404,)),
        Row(
            "POST",
            "/sessions/oidc/returns",
            identity.finish_oidc,
            201,
            refuses=(401, 404),
            example={"state": "what-begin-gave-and-came-back", "code": "what-the-provider-gave"},
        ),
        Row("DELETE", "/sessions/current", identity.sign_out, 204),
        Row("GET", "/me", identity.me, refuses=(404,)),
        Row("GET", "/me/sessions", identity.sessions),
        Row("DELETE", "/me/sessions/<id>", identity.end_session, 204),
        Row(
            "POST",
            "/me/password",
            identity.change_password,
            201,
            refuses=(404,),
            example={"old": "原来的那个口令", "new": "九个字以上的新口令"},
        ),
        Row("POST", "/me/totp", identity.begin_totp, 201, refuses=(404,)),
        Row(
            "POST",
            "/me/totp/confirmations",
            identity.confirm_totp,
            201,
            refuses=(404,),
            example={"code": "123456"},
        ),
        Row(
            "POST",
            "/me/totp/removals",
            identity.drop_totp,
            204,
            refuses=(404,),
            example={"password": "现在的那个口令"},
        ),
    ],
)
