"""Whom a service helps and how sure that is: ages, interpreters, room, the day its data was assured.

Comes in: a cleaned HSDS service. Goes out: the fields of a Service that limit it. Must never invent a limit: what is
absent or unreadable limits nobody.
"""

from datetime import date, timedelta
from typing import Any

from producers.hsds.report import Where
from referrals.check import parse_time
from referrals.wanted import policy

LAST_SECOND = 2**31
NO_INTERPRETER = frozenset({"", "no", "none", "n/a", "na", "not available", "unavailable", "false"})


def limits(where: Where, body: dict[str, Any]) -> dict[str, Any]:
    """The fields of Service by name; what is unreadable is noted and left out of the record too."""
    return {
        "minimum_age": _age(where, body, "minimum_age"),
        "maximum_age": _age(where, body, "maximum_age"),
        "interpretation": _interpretation(body.get("interpretation_services")),
        "assured_date": _day(where, body, "assured_date"),
        **_capacity(body),
    }


def number(value: Any) -> float | None:
    """A number of reasonable size, also when written as a text."""
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and abs(found) < 1e9 else None


def _age(where: Where, body: dict[str, Any], field: str) -> float | None:
    if body.get(field) is None:
        return None
    years = number(body[field])
    if years is None:
        where.said(field, "not a number; left out", "give the age in years")
        body[field] = None
        return None
    # directories write 0 (and 999) for "no limit"
    return years if years > 0 else None


def _interpretation(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower().rstrip(".") not in NO_INTERPRETER


def _day(where: Where, body: dict[str, Any], field: str) -> str | None:
    value = body.get(field)
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value).strip()[:10]).isoformat()
    except ValueError:
        where.said(field, "not a date", "give it as YYYY-MM-DD")
        return None


def _capacity(body: dict[str, Any]) -> dict[str, Any]:
    """HSDS 3.1 capacities: any unit with room is room; none at all is a wait list where a wait time is given.

    Free places are counted while the source's own count is fresh, from the second at which it was made.
    """
    rows = [r for r in body.get("capacities") or () if isinstance(r, dict)] if _is_list(body) else []
    said = [(number(r.get("available")), r.get("updated")) for r in rows]
    known = [(n, str(at)) for n, at in said if n is not None and at is not None]
    if not known:
        return {}
    updated = max(at for _, at in known)
    free = int(sum(n for n, _ in known if n > 0))
    if not any(n > 0 for n, _ in known):
        return {
            "capacity_status": "waitlist" if body.get("wait_time") else "no-capacity",
            "capacity_updated": updated,
        }
    made = {"capacity_status": "capacity", "capacity_updated": updated}
    when = parse_time(updated)
    if when is None or not 0 <= when.timestamp() < LAST_SECOND or free < 1:
        return made
    until = when.date() + timedelta(days=policy().capacity_fresh_days)
    counted = {"capacity_available": free, "capacity_version": int(when.timestamp())}
    return made | counted | {"capacity_until": until.isoformat()}


def _is_list(body: dict[str, Any]) -> bool:
    return isinstance(body.get("capacities"), list)
