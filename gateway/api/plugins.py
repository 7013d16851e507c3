"""Departments' own programs on the bus: let in, looked at, switched, and taken off."""

from gateway.table import Row, blueprint
from shared.contracts import plugins

CHANGE = "3f1c5a7e-9b2d-4e6f-8a01-b2c3d4e5f641"

bp = blueprint(
    "plugins",
    [
        Row(
            "POST",
            "/plugins",
            plugins.plug_in,
            201,
            example={
                "id": "3f1c5a7e-9b2d-4e6f-8a01-b2c3d4e5f640",
                "department": "chengguan",
                "name": "desk",
                "title": "城管接单系统",
                "facts": ["whistle.called", "whistle.called_off"],
                "calls": ["whistle.get", "whistle.sign", "whistle.report"],
                "quota": {"calls_a_second": 10, "backlog": 100000, "bytes": 104857600},
                "acts": True,
            },
        ),
        Row("GET", "/plugins", plugins.listing),
        Row("GET", "/plugins/<id>", plugins.get),
        Row(
            "POST",
            "/plugins/<id>/changes",
            plugins.change_terms,
            201,
            refuses=(404,),
            example={"change": CHANGE, "facts": ["whistle.called", "whistle.overdue"]},
        ),
        Row(
            "POST",
            "/plugins/<id>/switches",
            plugins.switch,
            201,
            refuses=(404,),
            example={"change": CHANGE, "acts": False},
        ),
        Row("POST", "/plugins/<id>/rotations", plugins.rotate, 201, refuses=(404,), example={"change": CHANGE}),
        Row("POST", "/plugins/<id>/revocations", plugins.unplug, 201, refuses=(404,), example={"change": CHANGE}),
        Row("GET", "/plugins/<id>/parked", plugins.parked, refuses=(404, 409)),
        Row("POST", "/plugins/<id>/replays", plugins.replay, 201, refuses=(404,), example={"change": CHANGE}),
        Row(
            "POST",
            "/plugins/<id>/drops",
            plugins.drop,
            201,
            refuses=(404,),
            example={"change": CHANGE, "reason": "handled"},
        ),
    ],
)
