"""ZIP codes with their centre and county, from the zipcodes package; read once per process.

Goes out: postal code -> Place. Must never be asked for a person, only for places.
"""

from functools import cache

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
