"""ZIP codes with their centre and county, from the zipcodes package; read once per process.

Goes out: postal code -> Place. Must never be asked for a person, only for places.
"""

from collections.abc import Iterator
from functools import cache
from sys import intern
from typing import Any
from zoneinfo import ZoneInfo

import zipcodes

from referrals.directory import Place, county_key


@cache
def places() -> dict[str, Place]:
    """Every ZIP of the United States that has a position."""
    found: dict[str, Place] = {}
    for row in _rows():
        if row["lat"] and row["long"]:
            county = intern(county_key(row["county"]))
            found[row["zip_code"]] = Place(float(row["lat"]), float(row["long"]), county)
    return found


def _rows() -> Iterator[dict[str, Any]]:
    """Every row of the package, a few hundred at a time: the list of all would stay in memory, 120 MiB a process."""
    for beginning in range(100):
        yield from zipcodes.similar_to(f"{beginning:02}")  # type: ignore[no-untyped-call]


HOME_ZONE = "America/Los_Angeles"
"""Where a ZIP is not known."""


def zone(postal_code: str) -> ZoneInfo:
    """The time zone of a ZIP."""
    return ZoneInfo(_zones().get(postal_code) or HOME_ZONE)


@cache
def _zones() -> dict[str, str]:
    return {row["zip_code"]: intern(row["timezone"] or "") for row in _rows()}
