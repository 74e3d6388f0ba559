"""Business time: open hours of a calendar added to an instant, and the open time between two instants.

Comes in: aware instants and a calendar (week, state holidays, closures, time zone). Goes out: aware UTC instants and
timedeltas of really elapsed time, exact over daylight saving. Pure; must never read a clock.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from referrals.open_days import days, opened

NOTHING = timedelta(0)
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


class Calendar(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, cache_hash=True):
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


def add(calendar: Calendar | None, start: datetime, amount: timedelta) -> datetime:
    """The first instant at which `amount` (>= 0) of open time has passed since `start`; None = wall-clock time.

    Zero from a closed instant is the next opening. The end of a day's hours still belongs to that day.
    """
    if calendar is None:
        return start + amount
    if (found := opened(calendar, start).add(start, amount)) is not None:
        return found
    left = amount
    for day in days(calendar, start):
        for opens, closes in day.spans:
            since = max(opens, start)
            if since > closes:
                continue
            if left <= closes - since:
                return since + left
            left -= closes - since
    raise AssertionError("unreachable: days raises first")


def add_days(calendar: Calendar, start: datetime, count: int) -> datetime:
    """The end of the n-th business day after the one `start` falls on, or that begins next."""
    left, first = count, add(calendar, start, NOTHING)
    if (found := opened(calendar, start).end_of_day(first, count)) is not None:
        return found
    for day in days(calendar, first):
        if first > day.spans[-1][1]:
            continue
        if left == 0:
            return day.spans[-1][1]
        left -= 1
    raise AssertionError("unreachable: days raises first")


def between(calendar: Calendar | None, start: datetime, end: datetime) -> timedelta:
    """The open time from `start` to `end`; negative when `end` comes first; None = wall-clock time."""
    if calendar is None:
        return end - start
    if end < start:
        return -between(calendar, end, start)
    table = opened(calendar, start)
    before, after = table.until(start), table.until(end)
    if before is not None and after is not None:
        return after - before
    passed = NOTHING
    for day in days(calendar, start):
        if day.spans[0][0] >= end:
            return passed
        for opens, closes in day.spans:
            passed += max(min(closes, end) - max(opens, start), NOTHING)
    raise AssertionError("unreachable: days raises first")


def opening(calendar: Calendar, day: date) -> datetime:
    """The first open instant on a local day or after it."""
    midnight = datetime.combine(day, time(), ZoneInfo(calendar.time_zone)).astimezone(UTC)
    return next(d.spans[0][0] for d in days(calendar, midnight) if d.date >= day)


def is_open(calendar: Calendar, when: datetime) -> bool:
    """Whether an instant lies in open hours; both ends of the hours belong to them."""
    return add(calendar, when, NOTHING) == when
