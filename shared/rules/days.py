"""How a moment is written on the wire, and which day it is for people in Beijing."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")


def day_of(moment: datetime) -> date:
    """Give the day in Asia/Shanghai that an aware moment falls on."""
    return moment.astimezone(BEIJING).date()


def iso(moment: datetime) -> str:
    """Write a moment as everything of ours writes it: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"
