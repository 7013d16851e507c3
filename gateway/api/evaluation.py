"""评价: ratings of what departments gave back."""

from gateway.table import Row, blueprint
from shared.contracts import evaluation

INDICATORS = {"promptness": 5, "attendance": 5, "quality": 4, "cooperation": 4, "feedback": 5}

bp = blueprint(
    "evaluation",
    [
        Row("GET", "/whistles/<id>/ratings", evaluation.of_whistle),
        Row(
            "POST",
            "/whistles/<id>/ratings",
            evaluation.rate,
            201,
            refuses=(404,),
            example={
                "act": "3f1c5a7e-9b2d-4e6f-8a01-b2c3d4e5f607",
                "department": "chengguan",
                "indicators": INDICATORS,
                "note": "来得快,清得干净。",
            },
        ),
        Row("GET", "/ratings", evaluation.listing),
        Row(
            "POST",
            "/ratings/<id>/amendments",
            evaluation.amend,
            201,
            refuses=(404,),
            example={
                "act": "3f1c5a7e-9b2d-4e6f-8a01-b2c3d4e5f608",
                "indicators": INDICATORS | {"quality": 2},
                "reason": "雨后复查,仍有渗漏。",
            },
        ),
    ],
)
