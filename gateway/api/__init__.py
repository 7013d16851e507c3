"""The JSON API under /v1: one table of rows for each resource, and the stream."""

from gateway.api import (
    catalogue,
    clock,
    districts,
    evaluation,
    figures,
    people,
    plugins,
    roster,
    security,
    sessions,
    stream,
    whistles,
)

BLUEPRINTS = (
    sessions.bp,
    people.bp,
    security.bp,
    districts.bp,
    roster.bp,
    catalogue.bp,
    whistles.bp,
    evaluation.bp,
    figures.bp,
    plugins.bp,
    clock.bp,
    stream.bp,
)
