"""Times as people read them: relative to now and absolute in the local zone.

Comes in: aware datetimes or RFC 3339 text. Goes out: a small dict for the template. Never reads a clock.
"""

from datetime import UTC, date, datetime, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from api.pages.text import Text

ZONE = "America/Los_Angeles"
MONTHS = {
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    "es": ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"],
}
UNITS = ((86400 * 2, 86400, "time.days"), (3600, 3600, "time.hours"), (60, 60, "time.minutes"))
Moment = dict[str, Any]


@cache
def zone() -> tzinfo:
    """The zone times are shown in; UTC where the system has no time zone data."""
    try:
        return ZoneInfo(ZONE)
    except ZoneInfoNotFoundError:
        return UTC


def parsed(value: Any) -> datetime | None:
    """An aware datetime of what a view gave (datetime, RFC 3339 text or None)."""
    if not value:
        return None
    when = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def absolute(text: Text, when: datetime) -> str:
    """For example `Nov 22, 2026, 1:05 PM PST`, or `22 nov 2026, 13:05 PST`."""
    local = when.astimezone(zone())
    day, month, name = local.day, MONTHS[text.language][local.month - 1], local.tzname() or ""
    if text.language == "es":
        return f"{day} {month} {local.year}, {local.hour}:{local.minute:02} {name}"
    hour, half = local.hour % 12 or 12, "AM" if local.hour < 12 else "PM"
    return f"{month} {day}, {local.year}, {hour}:{local.minute:02} {half} {name}"


def span(text: Text, seconds: float) -> str:
    """A length of time in its largest sensible unit: `3 days`, `5 hours`, `1 minute`."""
    for least, unit, key in UNITS:
        if seconds >= least:
            return text.n(key, int(seconds // unit))
    return text("time.moment")


def moment(text: Text, value: Any, now: datetime) -> Moment | None:
    """A time in the past: `3 hours ago`, with the absolute time beside it."""
    if (when := parsed(value)) is None:
        return None
    seconds = (now - when).total_seconds()
    relative = text("time.now") if seconds < 60 else text("time.ago", span=span(text, seconds))
    return {"iso": when.isoformat(), "absolute": absolute(text, when), "relative": relative, "late": False}


def due(text: Text, value: Any, now: datetime) -> Moment | None:
    """A time to answer by: `due in 1 day` or `2 hours late`."""
    if (when := parsed(value)) is None:
        return None
    left = (when - now).total_seconds()
    relative = text("time.due" if left >= 0 else "time.late", span=span(text, abs(left)))
    return {"iso": when.isoformat(), "absolute": absolute(text, when), "relative": relative, "late": left < 0}


def local_day(now: datetime) -> date:
    """Today, where people are."""
    return now.astimezone(zone()).date()


def start_of(day: date) -> datetime:
    """The first instant of a day, where people are."""
    return datetime(day.year, day.month, day.day, tzinfo=zone())
