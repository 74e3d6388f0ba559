"""What is recorded or shown, in the words of a story, and how it is compared with what was expected.

Comes in: data of facts or views with ids in it, and an expectation. Goes out: differences in words. Pure.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, get_args

from referrals import events

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
CALENDAR, ANY_TIME = "calendar ", "any time"
_RELATIVE = re.compile(r"(today|now)(?:([+-]\d+)([mhd]))?")
Fact = tuple[str, dict[str, Any], datetime]
# What a fact leaves out when it has nothing to say.
FIELDS: dict[str, dict[str, Any]] = {
    str(event.__struct_config__.tag): {f.rstrip("_"): None for f in event.__struct_fields__}
    for event in get_args(events.Event)
}


def duration(text: str) -> timedelta:
    """90m, 2h or 3d."""
    return int(text[:-1]) * UNITS[text[-1]]


def by_calendar(value: Any, exact: bool) -> Any:
    """`value` with every `calendar T` as T where the run has the story's own clock, else as any time at all."""
    if isinstance(value, dict):
        return {k: by_calendar(v, exact) for k, v in value.items()}
    if isinstance(value, list):
        return [by_calendar(v, exact) for v in value]
    if not isinstance(value, str) or not value.startswith(CALENDAR):
        return value
    return value.removeprefix(CALENDAR) if exact else ANY_TIME


def dated(value: Any, now: datetime) -> Any:
    """`value` with every `today`, `today+7d` or `now-2h` in it as a date or a time, counted from `now`."""
    if isinstance(value, dict):
        return {k: dated(v, now) for k, v in value.items()}
    if isinstance(value, list):
        return [dated(v, now) for v in value]
    if not isinstance(value, str) or (found := _RELATIVE.fullmatch(value)) is None:
        return value
    when = now + (int(found[2]) * UNITS[found[3]] if found[2] else timedelta())
    return when.date().isoformat() if found[1] == "today" else when.isoformat().replace("+00:00", "Z")


def named(value: Any, names: Mapping[str, str | int]) -> Any:
    """`value` with every known id as its name."""
    if isinstance(value, dict):
        return {k.rstrip("_"): named(v, names) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [named(v, names) for v in value]
    return names.get(str(value), value)


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """Where `found` is not as expected: of an object the expected fields alone, of all else the whole."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            d
            for name, value in expected.items()
            for d in (
                differences(value, found[name], f"{where}/{name}")
                if name in found
                else [f"{where}/{name} is missing; there are {sorted(found)}"]
            )
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [d for n, (e, f) in pairs for d in differences(e, f, f"{where}/{n}")]
    return [] if _same(expected, found) else [f"{where}: {found!r}, expected {expected!r}"]


def _same(expected: Any, found: Any) -> bool:
    if isinstance(expected, str) and isinstance(found, str) and expected != found:
        if expected == ANY_TIME:
            return _moment(found) is not None
        return _moment(expected) is not None and _moment(expected) == _moment(found)
    return bool(expected == found)


def _moment(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else None


def wrong_facts(expected: list[dict[str, dict[str, Any]]], found: list[Fact]) -> list[str]:
    """Where the facts are not those expected, in order: other types, or other data. Dates count from each fact."""
    types = [type for fact in expected for type in fact]
    if types != [type for type, _, _ in found]:
        return [f"facts are {[type for type, _, _ in found]}, expected {types}"]
    return [
        d
        for fact, (type, data, at) in zip(expected, found, strict=True)
        for d in differences(dated(fact[type], at), FIELDS.get(type, {}) | data, type)
    ]
