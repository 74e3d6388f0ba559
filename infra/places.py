"""ZIP codes with their centre and county, from the zipcodes package; read once per process.

Goes out: postal code -> Place. Must never be asked for a person, only for places.
"""

from functools import cache
from zoneinfo import ZoneInfo

import zipcodes

from referrals.directory import Place, county_key


@cache
def places() -> dict[str, Place]:
    """Every ZIP of the United States that has a position."""
    found: dict[str, Place] = {}
    for row in zipcodes.list_all():  # type: ignore[no-untyped-call]
        if row["lat"] and row["long"]:
            found[row["zip_code"]] = Place(float(row["lat"]), float(row["long"]), county_key(row["county"]))
    return found


HOME_ZONE = "America/Los_Angeles"
"""Where a ZIP is not known."""


def zone(postal_code: str) -> ZoneInfo:
    """The time zone of a ZIP."""
    return ZoneInfo(_zones().get(postal_code) or HOME_ZONE)


@cache
def _zones() -> dict[str, str]:
    return {row["zip_code"]: row["timezone"] for row in zipcodes.list_all()}  # type: ignore[no-untyped-call]
