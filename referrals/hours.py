"""Whether a service is open at a moment, by the schedules of its HSDS record and its own closures.

Comes in: the record, the dates it is closed, an aware moment, the zone of the place. Goes out: yes, or no where it is
closed or nothing is known. Pure. Opening hours help a person to choose; routing must never exclude by them.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from referrals.directory import Service

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
Row = Mapping[str, Any]


def open_at(service: Service, body: Row, moment: datetime, zone: tzinfo) -> bool:
    """Whether it is open; a schedule's own zone wins over that of the place."""
    if service.closed_on(moment.astimezone(zone).date()):
        return False
    return any(
        _open(schedule, moment, _zone(schedule.get("timezone")) or zone) for schedule in schedules(body)
    )


def schedules(body: Row) -> list[Row]:
    """The schedules of a service; where it has none, those of the places where it is given."""
    for owners in ([body], _objects(body, "service_at_locations"), _places(body)):
        if found := [s for owner in owners for s in _objects(owner, "schedules")]:
            return found
    return []


def postal_code(body: Row) -> str:
    """The ZIP of the first place where a service is given; empty without one."""
    found = (a.get("postal_code") for place in _places(body) for a in _objects(place, "addresses"))
    return next((code[:5] for code in found if isinstance(code, str)), "")


def _open(schedule: Row, moment: datetime, zone: tzinfo) -> bool:
    """Whether one of the days around holds the moment; a day may end after midnight, or be said in UTC."""
    opens, closes = _time(schedule.get("opens_at")), _time(schedule.get("closes_at"))
    if opens is None or closes is None:
        return False
    today = moment.astimezone(zone).date()
    for day in (today + timedelta(days=n) for n in (-1, 0, 1)):
        if not _is_on(schedule, day):
            continue
        start = datetime.combine(day, opens, opens.tzinfo or zone)
        end = datetime.combine(day, closes, closes.tzinfo or zone)
        if end.astimezone(UTC) <= start.astimezone(UTC):
            end = datetime.combine(day + timedelta(days=1), closes, closes.tzinfo or zone)
        if start.astimezone(UTC) <= moment < end.astimezone(UTC):
            return True
    return False


def _is_on(schedule: Row, day: date) -> bool:
    """Whether the schedule's recurrence holds the day (RFC 5545 as far as HSDS uses it)."""
    first = [d for name in ("valid_from", "dtstart") if (d := _date(schedule.get(name)))]
    last = [d for name in ("valid_to", "until") if (d := _date(schedule.get(name)))]
    if any(day < d for d in first) or any(day > d for d in last):
        return False
    start, every = _date(schedule.get("dtstart")), _count(schedule.get("interval"))
    if schedule.get("freq") == "MONTHLY":
        months = (day.year - start.year) * 12 + day.month - start.month if start else 0
        return months % every == 0 and _in_month(schedule, day, start)
    weeks = (_monday(day) - _monday(start)).days // 7 if start else 0
    named = _listed(schedule.get("byday")) or ([DAYS[start.weekday()]] if start else list(DAYS))
    return weeks % every == 0 and any(d.endswith(DAYS[day.weekday()]) for d in named)


def _in_month(schedule: Row, day: date, start: date | None) -> bool:
    length = ((day.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
    numbers = _listed(schedule.get("bymonthday"))
    if numbers:
        return {str(day.day), f"+{day.day}", str(day.day - length - 1)} & set(numbers) != set()
    weekday, nth, nth_last = DAYS[day.weekday()], (day.day + 6) // 7, (length - day.day) // 7 + 1
    if named := _listed(schedule.get("byday")):
        ways = {weekday, f"{nth}{weekday}", f"+{nth}{weekday}", f"-{nth_last}{weekday}"}
        return bool(ways & set(named))
    return start is not None and start.day == day.day


def _listed(value: Any) -> list[str]:
    return [part.strip() for part in str(value).split(",") if part.strip()] if value is not None else []


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _date(value: Any) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def _time(value: Any) -> time | None:
    try:
        return time.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _count(value: Any) -> int:
    number = int(value) if isinstance(value, int | float) and 1 <= value <= 1000 else 1
    return max(1, number)


def _zone(value: Any) -> tzinfo | None:
    """A zone by name, or an offset from UTC in hours; None for what is neither."""
    try:
        if isinstance(value, str) and "/" in value:
            return ZoneInfo(value)
        hours = float(value) if not isinstance(value, bool) else None
        return timezone(timedelta(hours=hours)) if hours is not None else None
    except (ValueError, TypeError, OverflowError, KeyError, OSError):
        return None


def _places(body: Row) -> list[Row]:
    return [p for at in _objects(body, "service_at_locations") if isinstance(p := at.get("location"), dict)]


def _objects(owner: Row, key: str) -> list[Row]:
    found = owner.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
