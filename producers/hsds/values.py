"""Kinds of values in HSDS fields: each a reader that raises ValueError, and what is expected in words.

Comes in: a cell or a JSON value. Goes out: the value as nested JSON has it. Must never guess what was meant.
"""

import math
import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

from producers.languages import two_letters

STATUSES = ("active", "inactive", "defunct", "temporarily closed")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_URL = re.compile(r"https?://[^\s/]+\S*", re.IGNORECASE)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DAYS = r"[+-]?\d{0,2}(MO|TU|WE|TH|FR|SA|SU)"
_BYDAY = re.compile(rf"{_DAYS}(\s*,\s*{_DAYS})*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_]\w+)*")


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or not low <= value <= high:
            raise ValueError(text)
        return int(value) if value.is_integer() and "." not in text else value

    return read


def _one_of(*values: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    return read


def _like(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text

    return read


def _date(text: str) -> str:
    date.fromisoformat(_like(_DATE)(text))
    return text


def _moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


def _time(text: str) -> str:
    if ":" not in text:
        raise ValueError(text)
    time.fromisoformat(text)
    return text


def _language(text: str) -> str:
    if not _LANGUAGE.fullmatch(text) or not (two_letters(text) or len(text) == 3):
        raise ValueError(text)
    return text


def _zone(text: str) -> float | str:
    return text if re.fullmatch(r"[A-Za-z_]+(/[A-Za-z_+-]+)*|[+-]\d\d:\d\d", text) else _number(-14, 14)(text)


KINDS: dict[str, tuple[Callable[[str], Any], str]] = {
    "status": (_one_of(*STATUSES), f"one of {', '.join(STATUSES)}"),
    "place": (_one_of("physical", "postal", "virtual"), "one of physical, postal, virtual"),
    "extent": (_one_of("geojson", "topojson", "kml", "text"), "one of geojson, topojson, kml, text"),
    "freq": (_one_of("WEEKLY", "MONTHLY"), "WEEKLY or MONTHLY"),
    "weekday": (_one_of("MO", "TU", "WE", "TH", "FR", "SA", "SU"), "one of MO, TU, WE, TH, FR, SA, SU"),
    "byday": (_like(_BYDAY), "days such as MO,WE or 2TU"),
    "email": (_like(_EMAIL), "an e-mail address"),
    "url": (_like(_URL), "a web address that begins with http:// or https://"),
    "uri": (_like(_URI), "a URI"),
    "country": (_like(re.compile("[A-Z]{2}")), "two capital letters (ISO 3166-1)"),
    "currency": (_like(re.compile("[A-Za-z]{3}")), "three letters (ISO 4217)"),
    "language": (_language, "an ISO 639-1 or 639-3 code"),
    "date": (_date, "a date, YYYY-MM-DD"),
    "moment": (_moment, "a date and time in ISO 8601"),
    "time": (_time, "a time, HH:MM"),
    "zone": (_zone, "an offset from UTC in hours, or a time zone's name"),
    "number": (_number(-1e15, 1e15), "a number"),
    "count": (_number(0, 1e9), "a number, 0 or more"),
    "age": (_number(0, 150), "an age in years"),
    "year": (_number(1000, 2200), "a year"),
    "latitude": (_number(-90, 90), "degrees, -90..90"),
    "longitude": (_number(-180, 180), "degrees, -180..180"),
}


def read(kind: str, value: Any) -> Any:
    """The value as its kind has it; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(value)
    if not kind:
        return value
    return KINDS[kind][0](value if isinstance(value, str) else str(value))
