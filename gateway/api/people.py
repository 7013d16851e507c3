"""People who may sign in: letting them in, what becomes of them, and putting them out."""

from gateway.table import Row, blueprint
from shared.contracts import identity

bp = blueprint(
    "people",
    [
        Row("GET", "/people", identity.people, refuses=(404,)),
        Row(
            "POST",
            "/people",
            identity.admit,
            201,
            refuses=(404,),
            example={
                "id": "6f1d2a34-0b6e-4a5e-9d0c-3f5b7a9c1e01",
                "district": "110102",
                "login": "wmy.2",
                "name": "郑桂兰",
                "password": "八个字以上的口令",
                "roles": ["secretary"],
                "unit": "110102009041",
            },
        ),
        Row("GET", "/people/<id>", identity.person, versioned=True),
        Row("GET", "/people/<id>/history", identity.person_trace),
        Row(
            "POST",
            "/people/<id>/views",
            identity.reveal,
            201,
            example={"purpose": "contact", "note": "110102-2026-0117"},
        ),
        Row(
            "POST",
            "/people/<id>/moves",
            identity.move,
            201,
            example={
                "move": "2c7d9e14-5a3b-4c6f-8d21-7e9f0a1b2c3d",
                "roles": ["worker"],
                "unit": "110102009041",
            },
        ),
        Row(
            "POST",
            "/people/<id>/corrections",
            identity.correct,
            201,
            example={"correction": "5e7f9a1b-3c4d-4e5f-8a6b-7c8d9e0f1a2b", "phone": "13800005678"},
        ),
        Row(
            "POST",
            "/people/<id>/suspensions",
            identity.suspend,
            201,
            example={"suspension": "4a6b8c0d-1e2f-4a3b-9c5d-6e7f8091a2b3", "reason": "absent"},
        ),
        Row(
            "POST",
            "/people/<id>/resumptions",
            identity.resume,
            201,
            example={"resumption": "8e0f1a2b-3c4d-4e5f-a6b7-c8d9e0f1a2b3"},
        ),
        Row(
            "POST",
            "/people/<id>/revocations",
            identity.revoke,
            201,
            example={"revocation": "0d9a2f6b-52c4-4a39-8a55-6ce2f3f1b7d2", "reason": "dismissed"},
        ),
        Row("POST", "/people/<id>/password", identity.reset_password, 201, example={"password": "只用一次的临时口令"}),
        Row("DELETE", "/people/<id>/totp", identity.reset_totp, refuses=(409,)),
        Row("POST", "/people/<id>/external", identity.link, 201, example={"external": "248289761001"}),
    ],
)
