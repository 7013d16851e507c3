"""Our gateway with three more rows: the floor beside the house, in the same workers."""

from flask import Flask

from gateway import create_app, read_environment
from gateway.asking import declare
from gateway.table import Row, blueprint
from shared.bus import Bus
from tests.bench.floor import contract


class Deaf(Bus):
    """A bus that asks and hears nothing: a gateway's streams are listeners, too."""

    def watch(self, on_fact, on_connected, on_lost=None):
        on_connected()


def create(listens: bool = True) -> Flask:
    """Make the gateway with the floor's rows and one route that asks nobody."""
    config = read_environment()
    app = create_app(config, None if listens else Deaf(config["AMQP_URI"]))
    rows = [Row("POST", "/floor", contract.insert, 201), Row("GET", "/floor", contract.nothing)]
    app.register_blueprint(blueprint("floor", rows))
    app.add_url_rule("/v1/empty", "empty", declare(lambda: ("", 204), public=True))
    return app
