"""吹哨报到: whistles, and what was done about them."""

from gateway.table import Row, blueprint
from shared.contracts import whistle

bp = blueprint(
    "whistles",
    [
        Row("GET", "/whistles", whistle.listing),
        Row(
            "POST",
            "/whistles",
            whistle.blow,
            201,
            refuses=(404,),
            example={
                "id": "9b2f4c1e-7d3a-4f60-8b1c-2a5d6e7f8091",
                "kind": "群众诉求",
                "category": "0102",
                "community": "110102009041",
                "departments": ["chengguan", "zhujian"],
                "title": "三号楼前垃圾成堆",
                "text": "三号楼前垃圾两天没有清运，请尽快处理。",
                "place": {"lon": 116.345, "lat": 39.925},
            },
        ),
        Row("GET", "/open-whistles", whistle.open_work),
        Row("GET", "/whistles/<id>", whistle.get, versioned=True),
        Row("GET", "/whistles/<id>/history", whistle.trace),
        Row(
            "POST",
            "/whistles/<id>/reports",
            whistle.report,
            201,
            example={
                "report": "1c8e5a70-3b9d-4e2f-a6c4-5d7e8f901234",
                "place": {"lon": 116.3451, "lat": 39.9251},
            },
        ),
        Row(
            "POST",
            "/whistles/<id>/settlements",
            whistle.settle,
            201,
            example={"settlement": "7e4d2b19-6a5c-4d8e-9f01-b2c3d4e5f607", "note": "垃圾已清运，现场已恢复。"},
        ),
        Row(
            "POST",
            "/whistles/<id>/erasures",
            whistle.erase,
            201,
            example={"erasure": "3f6a9c02-8e1b-4b7d-a5d4-c6e7f8091a2b", "reason": "requested"},
        ),
    ],
)
