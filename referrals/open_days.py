"""The open days of a calendar as UTC instants: one after the other, and as a table to look up in.

Comes in: a calendar, an instant. Goes out: days with their open spans; a table of two years, kept per calendar. What
a table does not reach is None, and the caller goes by the days. Pure; must never read a clock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import holidays
from msgspec import structs

if TYPE_CHECKING:
    from referrals.business_time import Calendar, Hours

YEARS = 5  # a calendar that does not open for so long has no business time
FARTHEST = timedelta(days=2)  # the local day before an instant begins later than so long before it
NOTHING = timedelta(0)


class Day(NamedTuple):
    """One local day with open hours, as UTC instants."""

    date: date
    spans: tuple[tuple[datetime, datetime], ...]


class Opened:
    """Open spans in ascending order with the open time before and after each, to be found by bisection."""

    def __init__(self, found: Sequence[Day]) -> None:
        spans = [span for day in found for span in day.spans]
        if any(later[0] < earlier[1] for earlier, later in pairwise(spans)):
            found, spans = (), []  # hours that overlap: go by the days
        self._opens, self._closes = [s[0] for s in spans], [s[1] for s in spans]
        self._ends = [day.spans[-1][1] for day in found]
        self._before: list[timedelta] = []
        self._after: list[timedelta] = []
        passed = NOTHING
        for opens, closes in spans:
            self._before.append(passed)
            passed += closes - opens
            self._after.append(passed)

    def until(self, when: datetime) -> timedelta | None:
        """The open time before an instant, since the table begins."""
        n = bisect_left(self._closes, when)
        if n == len(self._closes):
            return None
        opens = self._opens[n]
        return self._before[n] + (when - opens) if when > opens else self._before[n]

    def add(self, start: datetime, amount: timedelta) -> datetime | None:
        """The first instant at which `amount` of open time has passed since `start`."""
        n = bisect_left(self._closes, start)
        if n == len(self._closes):
            return None
        since = max(self._opens[n], start)
        if amount <= self._closes[n] - since:
            return since + amount
        target = self._before[n] + (since - self._opens[n]) + amount
        n = bisect_left(self._after, target, n)
        return self._opens[n] + (target - self._before[n]) if n < len(self._after) else None

    def end_of_day(self, first: datetime, count: int) -> datetime | None:
        """The end of the n-th open day after the one an open instant lies in."""
        n = bisect_left(self._ends, first) + count
        return self._ends[n] if n < len(self._ends) else None


def opened(calendar: Calendar, start: datetime) -> Opened:
    """The table for an instant: from the year of the local day before it on."""
    return _opened(calendar, (start - FARTHEST).year)


@lru_cache(maxsize=256)
def _opened(calendar: Calendar, year: int) -> Opened:
    return Opened((*_year(calendar, year), *_year(calendar, year + 1)))


def days(calendar: Calendar, start: datetime) -> Iterator[Day]:
    """The business days from the local day before `start` on (its last hour may end at `start`)."""
    first = start.astimezone(ZoneInfo(calendar.time_zone)).date() - timedelta(days=1)
    for year in range(first.year, first.year + YEARS):
        found = _year(calendar, year)
        yield from found[bisect_left(found, first, key=lambda d: d.date) :]
    raise ValueError(f"the calendar does not open within {YEARS} years of {first}")


@lru_cache(maxsize=512)
def _year(calendar: Calendar, year: int) -> tuple[Day, ...]:
    zone, free = ZoneInfo(calendar.time_zone), _holidays(calendar.state, year)
    week: tuple[Hours, ...] = structs.astuple(calendar.hours)
    made = []
    day = date(year, 1, 1)
    while day.year == year:
        text = day.isoformat()
        if day not in free and not any(a <= text <= b for a, b in calendar.closures):
            spans = tuple(_spans(zone, day, week[day.weekday()]))
            if spans:
                made.append(Day(day, spans))
        day += timedelta(days=1)
    return tuple(made)


def _spans(zone: ZoneInfo, day: date, hours: Hours) -> Iterator[tuple[datetime, datetime]]:
    """The open spans of one day in UTC; what daylight saving skips has no length."""
    for span in hours:
        opens, closes = (_instant(zone, day, clock) for clock in span.split("-"))
        if closes > opens:
            yield opens, closes


def _instant(zone: ZoneInfo, day: date, clock: str) -> datetime:
    """When a wall clock first shows that time; a time that is skipped, when the clocks change."""
    if clock == "24:00":
        day, clock = day + timedelta(days=1), "00:00"
    wall = datetime.combine(day, time.fromisoformat(clock))
    when = min(wall.replace(tzinfo=zone, fold=f).astimezone(UTC) for f in (0, 1))
    while when.astimezone(zone).replace(tzinfo=None) < wall:
        when += timedelta(minutes=1)
    return when


@lru_cache(maxsize=512)
def _holidays(state: str | None, year: int) -> frozenset[date]:
    """The public holidays of a US state; dates such as a Sunday's observed Monday included."""
    return frozenset(holidays.country_holidays("US", subdiv=state, years=year)) if state else frozenset()
