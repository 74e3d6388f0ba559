"""Synthetic people: repeatable, valid at every door, and marked as synthetic."""

import json
import re
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers import csv_file, demo_directory, fhir, people
from producers.people_bundle import NOT_CARRIED
from referrals import check

NOW = datetime(2026, 6, 1, tzinfo=UTC)
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
CBOS = [row["id"] for row in demo_directory.table()]
SOME = [people.Simulated(11, START).submission(n) for n in range(300)]


def carried(submission: dict[str, Any]) -> dict[str, Any]:
    """The submission without what FHIR has no place for."""
    left: dict[str, Any] = json.loads(json.dumps(submission))
    for place in NOT_CARRIED:
        *parents, last = place.split("/")
        part = left
        for parent in parents:
            part = part.get(parent, {})
        part.pop(last, None)
    return left


@given(seed=st.integers(0, 9999), number=st.integers(0, 99_999), dated=st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_bundle_reads_back_to_an_equivalent_submission(seed: int, number: int, dated: bool) -> None:
    submission = people.Simulated(seed, START if dated else None).submission(number)
    now = datetime(2027, 1, 1, tzinfo=UTC)
    (referral,) = fhir.submissions(people.as_fhir_bundle(submission), now, cbos=CBOS, payers=people.PAYERS)
    assert carried(referral.body) == carried(submission)


def test_same_seed_same_bytes_whatever_was_asked_before() -> None:
    first = json.dumps(list(islice(people.Simulated(5), 50)))
    assert json.dumps([people.Simulated(5).submission(n) for n in range(50)]) == first
    assert json.dumps(list(islice(people.Simulated(6), 50))) != first


def test_every_submission_passes_the_check_and_is_marked_synthetic() -> None:
    for submission in SOME:
        made = check.submission(submission, NOW)
        assert made.person.family_name.endswith("-Test")
        assert made.person.phone is None or re.fullmatch(r"\d{3}-555-01\d\d", made.person.phone)


def test_optional_things_are_sometimes_there_and_sometimes_not() -> None:
    for name in ("coverage", "referrer", "service_area"):
        assert 0 < sum(name in s for s in SOME) < len(SOME)
    assert {s["consent"]["status"] for s in SOME} == {"active", "absent", "refused"}
    assert {s["person"]["spoken_language"] for s in SOME} == {"en", "es", "zh", "vi"}
    assert len({s["person"]["person_id"] for s in SOME}) < len(SOME)


def test_every_need_simulated_is_served_in_every_county_of_the_demo() -> None:
    assert set(people.NEEDS) == set(demo_directory.SERVICES)
    assert {county.lower() for county in people.PLACES} == {
        c for r in demo_directory.table() for c in r["counties"]
    }


@pytest.mark.parametrize("number", range(5))
def test_a_csv_row_reads_back(number: int) -> None:
    row = people.as_csv_row(SOME[number])
    lines = [",".join(row), ",".join(f'"{cell}"' for cell in row.values())]
    (read,) = csv_file.read(["\n".join(lines).encode()], NOW)
    assert read.body is not None
    assert read.body["person"]["person_id"] == SOME[number]["person"]["person_id"]
    assert read.body["need"]["domain"] == SOME[number]["need"]["domain"]
