"""Snapshots of the directory: the next one equals one made anew, the one before stays as it was."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from referrals.directory import Directory, Place, Service
from tests.support.referrals import service

PLACES = {"94607": Place(37.8, -122.3, "alameda"), "94102": Place(37.78, -122.42, "san francisco")}
SERVICES = st.builds(
    lambda n, **changes: service(f"cbo-{n}", **changes),
    st.integers(0, 5),
    domains=st.sampled_from([("food-insecurity",), ("homelessness", "food-insecurity"), ()]),
    counties=st.sampled_from([(), ("alameda",), ("alameda", "napa", "alameda")]),
    postal_codes=st.sampled_from([(), ("94607",), ("94607", "94102")]),
    statewide=st.booleans(),
    latitude=st.sampled_from([None, 37.8, 40.0]),
    active=st.booleans(),
    capacity_available=st.sampled_from([None, 0, 3]),
)


def seen(directory: Directory) -> dict[str, Any]:
    """All that can be looked up."""
    asked = [(d, z) for d in ("food-insecurity", "homelessness") for z in ("94607", "94102", None)]
    return {
        "services": directory.services,
        "needed": [directory.needed(d) for d, _ in asked],
        "reach": [directory.in_reach(d, z, c) for d, z in asked for c in ("alameda", "napa", None)],
        "around": [list(directory.around(d, z)) for d, z in asked],
        "of": [sorted(s.id for s in directory.of(d, f"cbo-{n}")) for d, _ in asked for n in range(6)],
    }


def copied(found: dict[str, Any]) -> dict[str, Any]:
    return {k: dict(v) if isinstance(v, dict) else [*v] for k, v in found.items()}


@given(st.lists(SERVICES, max_size=6), st.lists(st.lists(SERVICES, max_size=3), max_size=3))
@settings(deadline=None)
def test_the_next_snapshot_is_as_one_made_anew_and_the_one_before_stays(
    first: list[Service], batches: list[list[Service]]
) -> None:
    known = {s.id: s for s in first}
    directory = Directory(1, first, PLACES)
    for number, batch in enumerate(batches, 2):
        before, kept = directory, copied(seen(directory))
        directory = directory.changed(number, batch)
        known |= {s.id: s for s in batch}
        assert directory.version == number
        assert seen(directory) == seen(Directory(number, known.values(), PLACES))
        assert seen(before) == kept
