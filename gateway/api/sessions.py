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
        Row("DELETE", "/sessions/current", identity.sign_out, 204),
        Row("GET", "/me", identity.me, refuses=(404,)),
    ],
)
