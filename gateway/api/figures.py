"""Figures, and the rows behind each of them."""

from gateway.table import Row, blueprint
from shared.contracts import figures

bp = blueprint(
    "figures",
    [
        Row("GET", "/figures", figures.sums),
        Row("GET", "/figures/heard", figures.heard),
    ],
)
