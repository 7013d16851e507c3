"""People who may sign in: letting them in and putting them out."""

from gateway.table import Row, blueprint
from shared.contracts import identity

bp = blueprint(
    "people",
    [
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
        Row(
            "POST",
            "/people/<id>/revocations",
            identity.revoke,
            201,
            example={"revocation": "0d9a2f6b-52c4-4a39-8a55-6ce2f3f1b7d2", "reason": "dismissed"},
        ),
    ],
)
