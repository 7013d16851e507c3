"""The working calendar: holidays, make-up days and office hours, for every limit that is counted in working time.

Days are Beijing's days; moments are aware, and come out in UTC.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType

import chinese_calendar

from shared.rules.days import BEIJING

DAY = timedelta(days=1)
HOURS = ((time(9), time(12)), (time(13), time(18)))

Hours = tuple[tuple[time, time], ...]


class YearUnknown(ValueError):
    """The State Council's holiday notice of that ``year`` is in no table that we have: said, never guessed."""

    def __init__(self, year: int):
        self.year = year
        super().__init__(
            f"{year} 年的放假安排尚未录入:请在工作日历表 extra 填写节假日与调休日,并在 known_years 注明 {year} / "
            f"No holidays known for {year}: fill the calendar's table `extra` and name {year} in `known_years`"
        )


@lru_cache(4096)
def is_national_workday(day: date) -> bool:
    """Say what the State Council's notice says of a day; raises ``YearUnknown``."""
    try:
        return chinese_calendar.is_workday(day)
    except NotImplementedError:
        raise YearUnknown(day.year) from None


class Calendar:
    """A district's calendar: the national one, and the district's own days, which win.

    ``extra`` maps a day to True (worked) or False (rest); ``known_years`` are the years that it covers wholly, so that
    their other days are worked from Monday to Friday.
    """

    def __init__(self, extra: Mapping[date, bool] | None = None, known_years: Iterable[int] = ()):
        self.extra, self.known_years = MappingProxyType(dict(extra or {})), frozenset(known_years)

    def is_workday(self, day: date) -> bool:
        """Say whether a Beijing day is worked; raises ``YearUnknown``."""
        if day in self.extra:
            return self.extra[day]
        return day.weekday() < 5 if day.year in self.known_years else is_national_workday(day)

    def workdays_between(self, first: date, last: date) -> int:
        """Count the working days after ``first``, up to and with ``last``; 0 where ``last`` is not later."""
        return sum(self.is_workday(first + n * DAY) for n in range(1, (last - first).days + 1))

    def add_working(self, moment: datetime, amount: float, unit: str = "hours", hours: Hours = HOURS) -> datetime:
        """Give the moment at which a limit of working ``hours`` or whole working ``days`` runs out, in UTC.

        Hours run only within office hours. Days leave out the day of the beginning and end when the office closes on
        the last one (Civil Code Art. 201 and 203). Nothing added is the moment itself. Raises ``YearUnknown``, and
        ``ValueError`` for a naive moment, a negative amount, part of a day, another unit or no office hours.
        """
        if {"hours": 0, "days": amount % 1}.get(unit, 1) or not 0 <= amount <= 100_000 or not hours:
            raise ValueError(f"不能这样计算期限 / no such limit: {amount} {unit}, {hours}")
        start = in_beijing(moment)
        if amount == 0:
            return start.astimezone(UTC)
        if unit == "days":
            day = start.date()
            while amount:
                day += DAY
                amount -= self.is_workday(day)
            return datetime.combine(day, hours[-1][1], BEIJING).astimezone(UTC)
        left = timedelta(hours=amount)
        for opens, closes in self.open_from(start, date.max, hours):
            if opens + left <= closes:
                return (opens + left).astimezone(UTC)
            left -= closes - opens

    def working_between(self, begins: datetime, ends: datetime, hours: Hours = HOURS) -> timedelta:
        """Measure the office hours between two aware moments; negative where the second is the earlier one."""
        if ends < begins:
            return -self.working_between(ends, begins, hours)
        start, end = in_beijing(begins), in_beijing(ends)
        spans = self.open_from(start, end.date(), hours)
        return sum((max(min(closes, end) - opens, timedelta()) for opens, closes in spans), timedelta())

    def open_from(self, start: datetime, last: date, hours: Hours) -> Iterator[tuple[datetime, datetime]]:
        """Yield the spans in which the office is open, from ``start`` on, to the end of the Beijing day ``last``."""
        day = start.date()
        while day <= last:
            if self.is_workday(day):
                for opens, closes in hours:
                    end = datetime.combine(day, closes, BEIJING)
                    if end > start:
                        yield max(datetime.combine(day, opens, BEIJING), start), end
            day += DAY


def in_beijing(moment: datetime) -> datetime:
    """Give an aware moment in Beijing's time; a naive one is refused (``ValueError``)."""
    if moment.utcoffset() is None:
        raise ValueError("时间须带时区 / a moment must carry its zone")
    return moment.astimezone(BEIJING)
