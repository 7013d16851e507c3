"""Distances are true to a third of a percent in Beijing, and a point off the globe is refused."""

from math import cos, hypot, radians, sin, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.places import distance, is_near

# WGS-84, NIMA TR8350.2: semi-major axis in metres, first eccentricity squared.
AXIS, ECCENTRICITY2 = 6_378_137.0, 0.006_694_379_990_14
IN_BEIJING = st.fixed_dictionaries({"lon": st.floats(115.4, 117.6), "lat": st.floats(39.4, 41.1)})
ANYWHERE = st.fixed_dictionaries({"lon": st.floats(-180, 180), "lat": st.floats(-90, 90)})
TIANANMEN = {"lon": 116.3974, "lat": 39.9087}
GULOU = {"lon": 116.3907, "lat": 39.9404}


def on_the_ellipsoid(a, b):
    """Measure a short way by the ellipsoid's two radii of curvature at its middle."""
    middle = radians((a["lat"] + b["lat"]) / 2)
    bend = 1 - ECCENTRICITY2 * sin(middle) ** 2
    north = radians(b["lat"] - a["lat"]) * AXIS * (1 - ECCENTRICITY2) / bend**1.5
    east = radians(b["lon"] - a["lon"]) * AXIS / sqrt(bend) * cos(middle)
    return hypot(north, east)


def test_a_degree_of_latitude_is_a_hundred_and_eleven_kilometres():
    assert distance({"lon": 116, "lat": 39.5}, {"lon": 116, "lat": 40.5}) == pytest.approx(111_195, abs=1)


def test_it_is_three_and_a_half_kilometres_from_tiananmen_to_the_drum_tower():
    assert distance(TIANANMEN, GULOU) == pytest.approx(on_the_ellipsoid(TIANANMEN, GULOU), rel=0.003)
    assert 3_500 < distance(TIANANMEN, GULOU) < 3_650


def test_half_way_round_the_globe_is_half_its_girth():
    assert distance({"lon": 0, "lat": 0}, {"lon": 180, "lat": 0}) == pytest.approx(20_015_114, abs=2)


@given(IN_BEIJING, st.floats(-0.05, 0.05), st.floats(-0.05, 0.05))
def test_in_beijing_the_error_stays_below_a_third_of_a_percent(a, east, north):
    b = {"lon": a["lon"] + east, "lat": a["lat"] + north}
    assert distance(a, b) == pytest.approx(on_the_ellipsoid(a, b), rel=0.003, abs=0.01)


@given(ANYWHERE, ANYWHERE)
def test_the_way_there_is_as_long_as_the_way_back(a, b):
    assert distance(a, b) == pytest.approx(distance(b, a), abs=1e-6)
    assert 0 <= distance(a, b) <= 20_015_115
    assert distance(a, a) == 0


@given(IN_BEIJING, IN_BEIJING, IN_BEIJING)
def test_no_detour_is_shorter_than_the_way(a, b, c):
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-6


def test_near_is_within_the_limit_and_the_limit_counts():
    way = distance(TIANANMEN, GULOU)
    assert is_near(TIANANMEN, GULOU, way)
    assert not is_near(TIANANMEN, GULOU, way - 0.001)


@pytest.mark.parametrize("odd", [{"lon": 181, "lat": 0}, {"lon": 0, "lat": -90.1}, {"lon": float("nan"), "lat": 0}])
def test_a_point_off_the_globe_is_refused(odd):
    with pytest.raises(ValueError, match="WGS-84"):
        distance(TIANANMEN, odd)
