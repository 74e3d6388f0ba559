"""Bundles for the tests of the FHIR door: one whole synthetic Bundle, and ways to change it and to read it."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from producers import fhir, people
from producers.fhir import FhirProblem
from producers.fhir.request import SDOHCC

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ID = UUID("00000000-0000-5000-8000-000000000001")
OTHER_ID = UUID("00000000-0000-5000-8000-000000000002")
PLAIN: dict[str, Any] = {
    "sender_referral_id": "R1",
    "person": {
        "person_id": "P1",
        "given_name": "Luz",
        "family_name": "Maple-Test",
        "birth_date": "1984-07-19",
        "phone": "510-555-0123",
    },
    "need": {"domain": "food-insecurity", "code": {"system": "urn:example", "code": "1"}},
    "priority": "urgent",
    "requested_at": "2026-05-01",
    "coverage": {"payer": "golden-health-plan", "member_id": "M1"},
    "preferred_organization": "harvest-food-bank",
    "consent": {"status": "active", "id": "C1", "granted_by": {"relationship": "self"}},
}
Json = dict[str, Any]
Change = Callable[[Json], Any]


def bundle(*changes: Change) -> Json:
    """A whole Bundle, changed."""
    made = copy.deepcopy(people.as_fhir_bundle(PLAIN))
    for change in changes:
        change(made)
    return made


def at(kind: str, bundle: Json) -> Json:
    """The first resource of a type."""
    found: Json = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)
    return found


def change(kind: str, **fields: Any) -> Change:
    """A change of one resource; None removes a field."""

    def apply(bundle: Json) -> None:
        resource = at(kind, bundle)
        resource.update(fields)
        for name in [n for n, v in fields.items() if v is None]:
            del resource[name]

    return apply


def without(kind: str) -> Change:
    def apply(bundle: Json) -> None:
        bundle["entry"] = [e for e in bundle["entry"] if e["resource"]["resourceType"] != kind]

    return apply


def adding(resource: Json, full_url: str = "urn:uuid:added") -> Change:
    return lambda bundle: bundle["entry"].append({"fullUrl": full_url, "resource": resource})


def read(body: bytes | Json) -> list[fhir.FhirReferral]:
    return fhir.submissions(body, NOW, cbos=["harvest-food-bank"], payers=["golden-health-plan"])


def body_of(*changes: Change) -> Json:
    (referral,) = read(bundle(*changes))
    return referral.body


def issues(body: bytes | Json) -> list[tuple[str, str]]:
    with pytest.raises(FhirProblem) as caught:
        read(body)
    assert all(issue.diagnostics for issue in caught.value.issues)
    return [(issue.expression.split(".resource.")[-1], issue.code) for issue in caught.value.issues]


def consent_of(*changes: Change) -> Json:
    made: Json = body_of(*changes)["consent"]
    return made


def second_request(bundle: Json) -> None:
    again = copy.deepcopy(at("ServiceRequest", bundle))
    again["identifier"] = [{"value": "R2"}]
    again["category"] = [{"coding": [{"system": SDOHCC, "code": "stress"}]}]
    adding(again)(bundle)


BARE: Json = {
    "resourceType": "ServiceRequest",
    "id": "sr-1",
    "contained": [
        {
            "resourceType": "Patient",
            "id": "p",
            "name": [{"family": "F-Test", "given": ["G"]}],
            "birthDate": "1990-01-01",
        }
    ],
    "category": [{"coding": [{"system": SDOHCC, "code": "stress"}]}],
    "subject": {"reference": "#p"},
}
