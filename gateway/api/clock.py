"""The platform's time: read by anyone, moved in demo and test only."""

from gateway.table import Row, blueprint
from shared.contracts import roster

bp = blueprint(
    "clock",
    [
        Row("GET", "/clock", roster.clock),
        Row("POST", "/clock", roster.move_clock, example={"forward": 3600, "speed": 60}),
    ],
)
