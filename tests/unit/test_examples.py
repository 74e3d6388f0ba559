"""Every example file goes through its reader; one that no reader takes fails here."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from producers import csv_file, demo_directory, fhir, people
from referrals import check
from referrals.submission import Submission

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[2] / "producers" / "examples"
CBOS = [row["id"] for row in demo_directory.table()]


def _fhir(path: Path) -> list[Submission]:
    found = fhir.submissions(path.read_bytes(), NOW, cbos=CBOS, payers=people.PAYERS)
    return [referral.submission for referral in found]


def _json(path: Path) -> list[Submission]:
    return check.submissions(json.loads(path.read_bytes()), NOW)


def _csv(path: Path) -> list[Submission]:
    rows = list(csv_file.read(path, NOW))
    assert not [row for row in rows if row.problems or row.warnings]
    return [row.submission for row in rows if row.submission]


READERS: dict[str, tuple[Callable[[Path], list[Submission]], int]] = {
    "referral.json": (_json, 1),
    "referral_bundle.json": (_fhir, 1),
    "bare_service_request.json": (_fhir, 1),
    "referrals.csv": (_csv, 4),
}


@pytest.mark.parametrize("name", sorted(READERS))
def test_an_example_is_read_whole(name: str) -> None:
    reader, count = READERS[name]
    found = reader(EXAMPLES / name)
    assert len(found) == count
    assert all(s.person.family_name.endswith("-Test") for s in found)


def test_every_example_has_a_reader() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == set(READERS)


def test_the_same_referral_reads_alike_at_every_door() -> None:
    (plain,) = _json(EXAMPLES / "referral.json")
    (from_fhir,) = _fhir(EXAMPLES / "referral_bundle.json")
    from_csv = _csv(EXAMPLES / "referrals.csv")[0]
    for other in (from_fhir, from_csv):
        assert other.sender_referral_id == plain.sender_referral_id
        assert other.person.birth_date == plain.person.birth_date
        assert other.person.address == plain.person.address
        assert other.need.domain == plain.need.domain
        assert other.coverage == plain.coverage
        assert other.preferred_organization == plain.preferred_organization
        assert other.consent.status == plain.consent.status
