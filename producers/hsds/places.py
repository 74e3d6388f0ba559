"""Service areas in plain words -> ZIP codes, counties, statewide.

Comes in: the text of an area ("Alameda and Contra Costa Counties", "94601, 94607", "statewide").
Goes out: what routing compares. Must never turn "Alameda County, California" into all of California.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import zipcodes
from msgspec import Struct

from referrals.directory import county_key

STATE = "CA"
MAX_TEXT = 10_000  # the longest text searched for county names
_ZIP = re.compile(r"(?<![\d-])(\d{5})(?:-\d{4})?(?![\d-])")
_WHOLE_STATE = re.compile(r"\b(state-?wide|all of california|entire state|california)\b", re.IGNORECASE)


class Area(Struct, frozen=True):
    """Where a service helps."""

    postal_codes: tuple[str, ...] = ()
    counties: tuple[str, ...] = ()
    statewide: bool = False

    def __bool__(self) -> bool:
        return bool(self.postal_codes or self.counties or self.statewide)


def area(texts: Iterable[str]) -> Area:
    """The union of several areas; each text is read for ZIPs and counties, else for the whole state."""
    zips: set[str] = set()
    counties: set[str] = set()
    statewide = False
    for text in texts:
        found_zips = set(_ZIP.findall(text))
        found_counties = set(_counties_in(text))
        zips |= found_zips
        counties |= found_counties
        statewide = statewide or (not found_zips and not found_counties and bool(_WHOLE_STATE.search(text)))
    return Area(tuple(sorted(zips)), tuple(sorted(counties)), statewide)


def counties() -> dict[str, list[str]]:
    """Every county of the state (lower case, no suffix) with its ZIPs."""
    return _by_county()


def centre(postal_code: str) -> tuple[float, float]:
    """Latitude and longitude of a known ZIP."""
    row = _zip(postal_code)
    return float(row["lat"]), float(row["long"])


def city(postal_code: str) -> str:
    """The city of a known ZIP."""
    return str(_zip(postal_code)["city"])


def _zip(postal_code: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = zipcodes.matching(postal_code)  # type: ignore[no-untyped-call]
    return found[0]


def _counties_in(text: str) -> list[str]:
    """Known counties in a list before "County" or "Counties" or after "County of", or alone in the text."""
    plain = " ".join(text[:MAX_TEXT].lower().split())
    one, listed = _patterns()
    if one.fullmatch(plain):
        return [plain]
    return [name for found in listed.finditer(plain) for name in one.findall(found[0])]


@cache
def _by_county() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in zipcodes.filter_by(state=STATE, active=True):  # type: ignore[no-untyped-call]
        found.setdefault(county_key(row["county"]), []).append(row["zip_code"])
    return {name: sorted(zips) for name, zips in sorted(found.items()) if name}


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    names = "|".join(sorted(map(re.escape, _by_county()), key=len, reverse=True))
    several = rf"\b(?:{names})\b(?:(?:\s*[,;/&]\s*|\s+)(?:and\s+)?\b(?:{names})\b)*"
    return re.compile(rf"\b(?:{names})\b"), re.compile(
        rf"{several}\s+count(?:y|ies)\b|\bcount(?:y|ies)(?:\s+of|:)\s+{several}"
    )
