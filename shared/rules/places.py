"""How far apart two points of a city are, for report-ins on the spot and neighbours' whistles."""

from collections.abc import Mapping
from math import asin, cos, radians, sin, sqrt

# Mean radius (2a + b) / 3 of the WGS-84 ellipsoid, metres (H. Moritz, Geodetic Reference System 1980, J. Geodesy 74).
RADIUS = 6_371_008.8


def distance(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """Give the metres between two points ``{lon, lat}`` in WGS-84 degrees; ``ValueError`` where one is off the globe.

    Haversine formula (R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68:2, 1984, 159). A sphere for the
    ellipsoid: wrong by at most 0.6 % anywhere, by less than 0.3 % between points of Beijing (latitude 39.4–41.1), that
    is 30 cm in 100 m, below what a phone's position is worth.
    """
    for point in (a, b):
        if not (-180 <= point["lon"] <= 180 and -90 <= point["lat"] <= 90):
            raise ValueError(f"不是经纬度 / not WGS-84 degrees: {dict(point)}")
    north, east = radians(b["lat"] - a["lat"]), radians(b["lon"] - a["lon"])
    h = sin(north / 2) ** 2 + cos(radians(a["lat"])) * cos(radians(b["lat"])) * sin(east / 2) ** 2
    return 2 * RADIUS * asin(min(1.0, sqrt(h)))


def is_near(a: Mapping[str, float], b: Mapping[str, float], metres: float) -> bool:
    """Say whether two points lie within so many metres, the limit itself included."""
    return distance(a, b) <= metres
