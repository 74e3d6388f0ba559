"""Patients at the FHIR door: current names, phones and places, and issues that say where."""

import pytest

from referrals.check import MAX_ID
from tests.unit.fhir_bundles import Change, Json, adding, at, body_of, bundle, change, issues, read


def test_current_names_phones_and_addresses_are_taken() -> None:
    over = {"end": "2020-01-01"}
    person = body_of(
        change(
            "Patient",
            name=[
                {"family": "Old-Test", "given": ["A"], "period": over},
                {"use": "maiden", "family": "Maiden-Test", "given": ["B"]},
                {"use": "official", "family": "Now-Test", "given": ["Ana", "M."]},
            ],
            telecom=[
                {"system": "phone", "value": "1", "use": "old"},
                {"system": "phone", "value": "2", "use": "work"},
                {"system": "phone", "value": "3", "use": "mobile"},
                {"system": "email", "value": "a@example.org"},
            ],
            address=[
                {"postalCode": "00000", "period": over},
                {"postalCode": "94607", "line": ["1 A", "Apt 2"]},
            ],
        )
    )["person"]
    assert (person["given_name"], person["family_name"]) == ("Ana M.", "Now-Test")
    assert (person["phone"], person["email"]) == ("3", "a@example.org")
    assert person["contact"]["phones"] == [{"number": "2"}]
    assert person["address"] == {"postal_code": "94607", "line": "1 A, Apt 2"}


@pytest.mark.parametrize(("tag", "language"), [("es", "es"), ("es-MX", "es"), ("spa", "es"), ("xx", "xx")])
def test_the_preferred_language_in_two_letters(tag: str, language: str) -> None:
    spoken = [
        {"language": {"coding": [{"code": "en"}]}},
        {"language": {"coding": [{"code": tag}]}, "preferred": True},
    ]
    assert body_of(change("Patient", communication=spoken))["person"]["spoken_language"] == language


@pytest.mark.parametrize(
    ("extension", "needed"),
    [
        (
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired",
                "valueBoolean": True,
            },
            True,
        ),
        (
            {
                "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-interpreter-needed",
                "valueCoding": {"code": "373067005"},
            },
            False,
        ),
        ({"url": "urn:other", "valueBoolean": True}, None),
    ],
)
def test_interpreter_extensions(extension: Json, needed: bool | None) -> None:
    assert body_of(change("Patient", extension=[extension]))["person"].get("interpreter_needed") is needed


def test_related_person_and_contact() -> None:
    whole = bundle()
    patient = whole["entry"][0]["fullUrl"]
    related = {
        "resourceType": "RelatedPerson",
        "patient": {"reference": patient},
        "relationship": [{"text": "mother"}],
        "name": [{"given": ["Rosa"], "family": "Maple-Test"}],
    }
    adding(related)(whole)
    at("Patient", whole)["contact"] = [
        {"name": {"text": "Sam"}, "relationship": [{"coding": [{"code": "N"}]}]}
    ]
    (referral,) = read(whole)
    assert referral.body["related_person"] == {"relationship": "mother", "name": "Rosa Maple-Test"}
    assert referral.body["person"]["contact"]["alternate"] == {"name": "Sam", "relationship": "N"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (change("Patient", birthDate=None), ("birthDate", "invalid")),
        (change("Patient", birthDate="1984"), ("birthDate", "invalid")),
        (change("Patient", birthDate=1984), ("birthDate", "structure")),
        (change("Patient", name=None), ("name.given", "invalid")),
        (change("Patient", name="Luz"), ("name", "structure")),
        (change("Patient", identifier=[{"value": "x" * (MAX_ID + 1)}]), ("identifier", "invalid")),
        (change("Task", priority="soon"), ("priority", "invalid")),
        (change("Task", priority=5), ("priority", "structure")),
        (change("Task", authoredOn="2099-01-01"), ("authoredOn", "invalid")),
        (change("Consent", provision={"type": 5}), ("provision.type", "structure")),
        (change("ServiceRequest", identifier=[{"value": "a\x00"}]), ("identifier", "invalid")),
    ],
)
def test_issues_say_where_in_the_resource(changed: Change, expected: tuple[str, str]) -> None:
    assert expected in issues(bundle(changed))
