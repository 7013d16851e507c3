"""The JSON API under /v1: one table of rows for each resource, and the stream."""

from gateway.api import clock, districts, figures, people, roster, sessions, stream, whistles

BLUEPRINTS = (sessions.bp, people.bp, districts.bp, roster.bp, whistles.bp, figures.bp, clock.bp, stream.bp)
