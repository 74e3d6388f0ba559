"""Business time: open hours of a calendar added to an instant, and the open time between two instants.

Comes in: aware instants and a calendar (week, state holidays, closures, time zone). Goes out: aware UTC instants and
timedeltas of really elapsed time, exact over daylight saving. Pure; must never read a clock.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays
from msgspec import Struct, structs

NOTHING = timedelta(0)
YEARS = 5  # a calendar that does not open for so long has no business time
HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(([01]\d|2[0-3]):([0-5]\d)|24:00)")
Hours = tuple[str, ...]
WORKDAY: Hours = ("08:00-17:00",)


class Week(Struct, frozen=True, forbid_unknown_fields=True):
    """The open hours of each weekday, local wall time, ascending: `08:00-12:00`; the latest end is `24:00`."""

    mon: Hours = WORKDAY
    tue: Hours = WORKDAY
    wed: Hours = WORKDAY
    thu: Hours = WORKDAY
    fri: Hours = WORKDAY
    sat: Hours = ()
    sun: Hours = ()


class Calendar(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When business time passes. `state` names the US state whose public holidays count (None: no holidays);
    `closures` are [from, to] ISO dates, both included. Raises ValueError for hours nobody can keep."""

    time_zone: str
    state: str | None = None
    hours: Week = Week()
    closures: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        week = [span for day in structs.astuple(self.hours) for span in day]
        if not week or not all(HOURS.fullmatch(span) for span in week):
            raise ValueError("hours must be like 08:00-17:00, on at least one day of the week")

    def closed(self, closures: tuple[tuple[str, str], ...]) -> "Calendar":
        """The same calendar with a recipient's own closures."""
        return structs.replace(self, closures=(*self.closures, *closures)) if closures else self


class _Day(NamedTuple):
    """One local day with open hours, as UTC instants."""

    date: date
    spans: tuple[tuple[datetime, datetime], ...]


def add(calendar: Calendar | None, start: datetime, amount: timedelta) -> datetime:
    """The first instant at which `amount` (>= 0) of open time has passed since `start`; None = wall-clock time.

    Zero from a closed instant is the next opening. The end of a day's hours still belongs to that day.
    """
    if calendar is None:
        return start + amount
    left = amount
    for day in _days(calendar, start):
        for opens, closes in day.spans:
            since = max(opens, start)
            if since > closes:
                continue
            if left <= closes - since:
                return since + left
            left -= closes - since
    raise AssertionError("unreachable: _days raises first")


def add_days(calendar: Calendar, start: datetime, days: int) -> datetime:
    """The end of the n-th business day after the one `start` falls on, or that begins next."""
    left, first = days, add(calendar, start, NOTHING)
    for day in _days(calendar, first):
        if first > day.spans[-1][1]:
            continue
        if left == 0:
            return day.spans[-1][1]
        left -= 1
    raise AssertionError("unreachable: _days raises first")


def between(calendar: Calendar | None, start: datetime, end: datetime) -> timedelta:
    """The open time from `start` to `end`; negative when `end` comes first; None = wall-clock time."""
    if calendar is None:
        return end - start
    if end < start:
        return -between(calendar, end, start)
    passed = NOTHING
    for day in _days(calendar, start):
        if day.spans[0][0] >= end:
            return passed
        for opens, closes in day.spans:
            passed += max(min(closes, end) - max(opens, start), NOTHING)
    raise AssertionError("unreachable: _days raises first")


def opening(calendar: Calendar, day: date) -> datetime:
    """The first open instant on a local day or after it."""
    midnight = datetime.combine(day, time(), ZoneInfo(calendar.time_zone)).astimezone(UTC)
    return next(d.spans[0][0] for d in _days(calendar, midnight) if d.date >= day)


def is_open(calendar: Calendar, when: datetime) -> bool:
    """Whether an instant lies in open hours; both ends of the hours belong to them."""
    return add(calendar, when, NOTHING) == when


def _days(calendar: Calendar, start: datetime) -> Iterator[_Day]:
    """The business days from the local day before `start` on (its last hour may end at `start`)."""
    first = start.astimezone(ZoneInfo(calendar.time_zone)).date() - timedelta(days=1)
    for year in range(first.year, first.year + YEARS):
        days = _year(calendar, year)
        yield from days[bisect_left(days, first, key=lambda d: d.date) :]
    raise ValueError(f"the calendar does not open within {YEARS} years of {first}")


@lru_cache(maxsize=512)
def _year(calendar: Calendar, year: int) -> tuple[_Day, ...]:
    zone, free = ZoneInfo(calendar.time_zone), _holidays(calendar.state, year)
    week: tuple[Hours, ...] = structs.astuple(calendar.hours)
    made = []
    day = date(year, 1, 1)
    while day.year == year:
        text = day.isoformat()
        if day not in free and not any(a <= text <= b for a, b in calendar.closures):
            spans = tuple(_spans(zone, day, week[day.weekday()]))
            if spans:
                made.append(_Day(day, spans))
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
