"""What a refusal tells, in a problem, a dead letter or an outcome, and what keys and headers say: nobody's data."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from api import bodies, problems
from api.bodies import ConsentBody
from api.problems import Problem
from producers import envelope, fhir
from producers.envelope import Record, Said
from producers.fhir.reading import FhirProblem
from producers.people_bundle import as_fhir_bundle
from referrals import check, ids
from stream_processors.decode import Poison, Raw, read
from tests.support.identities import Identity, forms
from tests.support.leak_input import PLAN, bad_bodies, bad_records

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
WHO = [Identity(n) for n in (3, 42, 117)]
UUID_TEXT = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def told(text: bytes, who: Identity) -> list[str]:
    """Which of the person's values stand in it, in any form."""
    return [f"{form}: {value}" for value in who.values() for form, found in forms(value) if found in text]


def refused(path: str, content: bytes) -> Problem:
    """What the door of that path says of the body."""
    try:
        value = bodies.decode(content, "application/json")
        if path == "/v1/referrals":
            check.submissions(value, NOW)
        else:
            bodies.shaped(value, ConsentBody)
    except check.Invalid as error:
        return problems.invalid(error)
    except Problem as problem:
        return problem
    return Problem("invalid")


@pytest.mark.parametrize("who", WHO, ids=str)
def test_a_problem_echoes_nothing_of_a_body(who: Identity) -> None:
    seen = set()
    for path, content in bad_bodies(who):
        if path != "/fhir":
            body = problems.as_json(refused(path, content)).body
            seen.add(bytes(body))
            assert told(bytes(body), who) == [], content[:300]
    assert len(seen) > 8, "they are wrong in different ways"


@pytest.mark.parametrize("who", WHO, ids=str)
def test_an_operation_outcome_echoes_nothing_of_a_bundle(who: Identity) -> None:
    good = as_fhir_bundle(who.submission("R-1", PLAN))
    wrong = [content for path, content in bad_bodies(who) if path == "/fhir"]
    wrong += [
        json.dumps(good).replace(value, who.family_name).encode()
        for value in ("Patient/", "urn:uuid:", "active")
    ]
    wrong += [json.dumps(good).replace(f'"{who.birth_date}"', json.dumps(who.note)).encode()]
    refusals = 0
    for content in wrong:
        try:
            fhir.submissions(content, NOW)
        except FhirProblem as error:
            refusals += 1
            assert told(str(error).encode(), who) == []
    assert refusals >= 3


@pytest.mark.parametrize("who", WHO, ids=str)
def test_a_dead_letter_s_reason_echoes_nothing_of_a_record(who: Identity) -> None:
    details = set()
    for value in bad_records(who):
        found = read(Raw(f"intake.{PLAN}", 0, 7, None, value, NOW))
        assert isinstance(found, Poison)
        details.add(found.detail)
        assert told(repr(found._replace(raw=None)).encode(), who) == []  # type: ignore[arg-type]
    assert len(details) >= 5, "they are wrong in different ways"


def records(who: Identity) -> Iterator[Record]:
    """One of every kind that the doors write about a person."""
    said = Said(uuid4(), PLAN, NOW, user=str(uuid4()))
    body = check.submission(who.submission("R-1", PLAN), NOW)
    yield envelope.submitted(said, body)
    yield envelope.cancelled(said, "R-1", "sender-error", who.note)
    yield envelope.responded(said, uuid4(), "accept", note=who.note)
    yield envelope.consent_changed(
        said,
        uuid4(),
        ids.person_key(PLAN, who.person_id),
        "revoke",
        json.dumps({"person_id": who.person_id}).encode(),
    )
    yield envelope.screened(said, uuid4(), ids.person_key(PLAN, who.person_id), who.note.encode())


@pytest.mark.parametrize("who", WHO, ids=str)
def test_keys_are_ids_and_headers_say_the_event_alone(who: Identity) -> None:
    for record in records(who):
        assert UUID_TEXT.fullmatch(record.key), record.key
        assert [(name, UUID(value.decode())) for name, value in record.headers] == [
            ("event-id", record.event_id)
        ]
