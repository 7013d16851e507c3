"""Which facts count, on which day, and in which bucket their rows lie."""

from datetime import date, datetime
from zlib import crc32

from shared.errors import Invalid
from shared.rules.days import day_of

SHARDS = 64  # a day's rows of one kind lie in this many documents, so that none grows large


def bucket(district: str, fact: str, at: datetime, id: str) -> dict:
    """Give the bucket of one fact: ``{_id, district, fact, day}``; the day is Asia/Shanghai's."""
    day = day_of(at).isoformat()
    return {"_id": f"{district}/{fact}/{day}/{crc32(id.encode()) % SHARDS}", "fact": fact, "day": day}


def must_be_of_our_time(**days: date | None) -> None:
    """A day lies in the years that this platform can know of."""
    wrong = {name: ["2001–2199"] for name, day in days.items() if day and not 2000 < day.year < 2200}
    if wrong:
        raise Invalid("年份须在 2001–2199 / A year from 2001 to 2199, please", wrong)


def must_be_a_span(since, until) -> None:
    """A span of days goes forward and is no longer than a leap year."""
    if until < since or (until - since).days > 366:
        raise Invalid("起止日期须顺序且不超过一年 / From earlier to later, a year at most", {"until": ["范围 / span"]})
