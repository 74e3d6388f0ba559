"""References in FHIR requests: resolved inside the request, or said to be outside it; never guessed."""

import copy
from typing import Any

import pytest

from tests.unit.fhir_bundles import Change, Json, adding, at, body_of, bundle, change, issues, without


def _subject_by(full_url: str, id: str | None, reference: str) -> Change:
    def apply(bundle: Json) -> None:
        patient = at("Patient", bundle)
        for entry in bundle["entry"]:
            if entry["resource"] is patient:
                entry["fullUrl"] = full_url
        if id:
            patient["id"] = id
        at("ServiceRequest", bundle)["subject"] = {"reference": reference}
        del at("Task", bundle)["for"]

    return apply


@pytest.mark.parametrize(
    ("full_url", "id", "reference"),
    [
        ("urn:uuid:7a", None, "urn:uuid:7a"),
        ("urn:uuid:7A", None, "URN:UUID:7a"),
        ("urn:uuid:7a", "p1", "Patient/p1"),
        ("urn:uuid:7a", "p1", "https://ehr.example.org/fhir/Patient/p1"),
        ("https://ehr.example.org/fhir/Patient/p1", None, "https://ehr.example.org/fhir/Patient/p1"),
        ("https://ehr.example.org/fhir/Patient/p1", None, "Patient/p1"),
        ("https://ehr.example.org/fhir/Patient/p1", "p1", "Patient/p1/_history/3"),
    ],
)
def test_a_subject_resolves_inside_the_bundle(full_url: str, id: str | None, reference: str) -> None:
    assert body_of(_subject_by(full_url, id, reference))["person"]["family_name"] == "Maple-Test"


@pytest.mark.parametrize(
    "reference", ["Patient/other", "urn:uuid:none", "#p1", "https://x.example/Patient/9", "?"]
)
def test_a_subject_outside_the_request_is_an_issue(reference: str) -> None:
    found = issues(bundle(change("ServiceRequest", subject={"reference": reference})))
    assert ("subject", "not-found") in found


def test_a_subject_with_the_same_id_on_another_server_is_another_person() -> None:
    move = _subject_by("https://a.example/fhir/Patient/p1", "p1", "https://b.example/fhir/Patient/p1")
    assert ("subject", "not-found") in issues(bundle(move))


def test_two_resources_under_one_url_are_never_guessed_between() -> None:
    whole = bundle()
    whole["entry"].append(copy.deepcopy(whole["entry"][0]))
    assert ("subject", "multiple-matches") in issues(whole)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (change("ServiceRequest", subject=None), ("subject", "required")),
        (change("ServiceRequest", subject={"display": "Luz"}), ("subject", "not-found")),
        (change("Task", focus=None), ("focus", "required")),
        (change("Task", focus={"reference": "ServiceRequest/none"}), ("focus", "not-found")),
        (without("ServiceRequest"), ("Bundle.entry", "required")),
        (change("ServiceRequest", status="entered-in-error"), None),
        (change("ServiceRequest", doNotPerform=True), None),
        (adding({"resourceType": "Patient", "id": "b"}, "urn:uuid:b"), "another Patient"),
    ],
)
def test_what_a_referral_cannot_do_without(changed: Change, expected: Any) -> None:
    body = bundle(changed)
    if expected == "another Patient":
        at("Task", body)["for"] = {"reference": "urn:uuid:b"}
        expected = ("for", "business-rule")
    found = issues(body)
    assert found[0][1] == "business-rule" if expected is None else expected in found


def test_other_references_may_point_outside() -> None:
    body = body_of(
        change("Task", requester={"reference": "PractitionerRole/x", "display": "Dr Pine-Test"}),
        change(
            "ServiceRequest",
            supportingInfo=[{"reference": "Consent/x"}],
            reasonReference=[{"reference": "?"}],
        ),
    )
    assert body["referrer"] == {"name": "Dr Pine-Test"}
