"""The dispatch catalogue: categories, who handles what where, and who answers for it now."""

from gateway.table import Row, blueprint
from shared.contracts import roster, suggestions, whistle

bp = blueprint(
    "catalogue",
    [
        Row("GET", "/categories", roster.categories),
        Row(
            "POST",
            "/categories",
            roster.set_category,
            201,
            refuses=(404,),
            example={"code": "010101", "change": "2f6a1b9e-4c7d-4e0a-9b35-8d1c0e7f2a46", "name": "私搭阳台"},
        ),
        Row("GET", "/catalogue", roster.catalogue),
        Row("GET", "/rules", roster.rules),
        Row(
            "POST",
            "/rules",
            roster.set_rule,
            201,
            refuses=(404,),
            example={
                "category": "0101",
                "unit": "110102",
                "change": "8c3d7e15-0a9b-4f62-b4d8-6e2f1c5a9073",
                "lead": "chengguan",
                "assists": ["zhujian"],
                "never_community": True,
            },
        ),
        Row(
            "POST",
            "/rules/removals",
            roster.remove_rule,
            201,
            refuses=(404,),
            example={"category": "0101", "unit": "110102", "change": "d4b8f062-7e1c-4a95-8f3e-0b6d2c9a5e17"},
        ),
        Row("GET", "/responsible", whistle.responsible, refuses=(404,)),
        # With a body: two thousand characters are too long for an address, and addresses are kept in logs.
        Row("POST", "/suggestions", suggestions.suggest, example={"text": "三楼阳台向外扩，是违建。"}),
    ],
)
