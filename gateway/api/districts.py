"""Districts that are open, their settings, their streets and communities."""

from gateway.table import Row, blueprint
from shared.contracts import roster

bp = blueprint(
    "districts",
    [
        Row("GET", "/districts", roster.districts),
        Row("POST", "/districts", roster.open_district, 201, refuses=(404,), example={"code": "110105"}),
        Row(
            "POST",
            "/districts/current/settings",
            roster.change_settings,
            201,
            refuses=(404,),
            example={
                "change": "5b0f6c9e-9a51-4a0f-8a7e-0f2a4c8d1b33",
                "settings": {"departments": ["chengguan", "zhujian", "xiaofang"]},
            },
        ),
        Row("GET", "/divisions", roster.divisions, refuses=(404,)),
    ],
)
