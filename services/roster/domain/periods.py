"""Periods of Beijing days, both ends included; a day is its ISO text, and no end means for ever."""

from datetime import date, timedelta

EVER, NEVER = "0001-01-01", "9999-12-31"


def ends(period: dict) -> tuple[str, str]:
    """Give the first and the last day of a period."""
    return period.get("since") or EVER, period.get("until") or NEVER


def covers(period: dict, day: str) -> bool:
    """Say whether a day lies within."""
    since, until = ends(period)
    return since <= day <= until


def meet(one: dict, other: dict) -> bool:
    """Say whether two periods share a day; one that ends before it begins has none."""
    (since, until), (begins, stops) = ends(one), ends(other)
    return max(since, begins) <= min(until, stops)


def holds(outer: dict, inner: dict) -> bool:
    """Say whether every day of one period lies within the other."""
    (since, until), (begins, stops) = ends(outer), ends(inner)
    return since <= begins and stops <= until


def day_before(day: str) -> str:
    """Give the day before."""
    return str(date.fromisoformat(day) - timedelta(days=1))
