"""Our gateway with three more rows: the floor beside the house, in the same workers."""

from flask import Flask

from gateway import create_app
from gateway.asking import declare
from gateway.table import Row, blueprint
from tests.bench.floor import contract


def create() -> Flask:
    """Make the gateway with the floor's rows and one route that asks nobody."""
    app = create_app()
    rows = [Row("POST", "/floor", contract.insert, 201), Row("GET", "/floor", contract.nothing)]
    app.register_blueprint(blueprint("floor", rows))
    app.add_url_rule("/v1/empty", "empty", declare(lambda: ("", 204), public=True))
    return app
