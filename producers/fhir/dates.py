"""FHIR's partial dates (2026, 2026-03) as whole ones; everything else is passed on for `check` to judge."""

import calendar
import re

_PARTIAL = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2]))?")


def first_day(text: str | None) -> str | None:
    """The first day of a year or month; a date or date-time unchanged."""
    match = _PARTIAL.fullmatch(text or "")
    return f"{match[1]}-{match[2] or '01'}-01" if match else text


def last_day(text: str | None) -> str | None:
    """The last day of a year or month; a date or date-time unchanged."""
    match = _PARTIAL.fullmatch(text or "")
    if match is None or match[1] == "0000":
        return text
    month = int(match[2] or 12)
    return f"{match[1]}-{month:02}-{calendar.monthrange(int(match[1]), month)[1]}"
