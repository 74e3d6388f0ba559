"""The FHIR door: what of a ServiceRequest and its Task becomes which part of a submission."""

from typing import Any

import pytest

from producers.fhir import FhirProblem
from producers.fhir.request import SDOHCC
from tests.unit.fhir_bundles import (
    BARE,
    Change,
    Json,
    adding,
    body_of,
    bundle,
    change,
    issues,
    read,
    second_request,
    without,
)

CBO = "harvest-food-bank"


def test_ids_are_the_first_identifier_else_the_id() -> None:
    assert body_of()["sender_referral_id"] == "R1"
    changed = body_of(
        change("ServiceRequest", identifier=None, id="sr-9"), change("Patient", identifier=[{}], id="p-9")
    )
    assert (changed["sender_referral_id"], changed["person"]["person_id"]) == ("sr-9", "p-9")


def _category(*codings: tuple[str, str]) -> Change:
    concepts = [{"coding": [{"system": system, "code": code}]} for system, code in codings]
    return change("ServiceRequest", category=concepts)


@pytest.mark.parametrize(
    ("codes", "domain"),
    [
        (["stress"], "stress"),
        (["sdoh-category-unspecified", "stress", "homelessness"], "stress"),
        (["unheard-of", "stress"], "stress"),
        (["sdoh-category-unspecified"], "sdoh-category-unspecified"),
    ],
)
def test_the_first_specific_category_is_the_need(codes: list[str], domain: str) -> None:
    assert body_of(_category(*[(SDOHCC, code) for code in codes]))["need"]["domain"] == domain


@pytest.mark.parametrize("coding", [(SDOHCC, "food"), ("urn:other", "food-insecurity")])
def test_without_a_known_category_the_issue_names_those_allowed(coding: tuple[str, str]) -> None:
    with pytest.raises(FhirProblem) as caught:
        read(bundle(_category(coding)))
    (issue,) = caught.value.issues
    assert issue.code == "code-invalid"
    assert "food-insecurity, housing-instability" in issue.diagnostics


@pytest.mark.parametrize(
    ("changed", "name", "value"),
    [
        (change("Task", priority="stat"), "priority", "stat"),
        (change("Task", priority=None), "priority", None),
        (change("Task", authoredOn="2026-05-02T10:00:00Z"), "requested_at", "2026-05-02T10:00:00Z"),
        (change("Task", authoredOn="2026-05"), "requested_at", "2026-05-01"),
        (change("ServiceRequest", requisition={"value": "CASE"}), "case_id", "CASE"),
        (change("Task", owner={"reference": "Organization/unheard-of"}), "preferred_organization", None),
        (change("Task", owner={"reference": f"Organization/{CBO}"}), "preferred_organization", CBO),
        (change("Task", owner={"identifier": {"value": CBO}}), "preferred_organization", CBO),
        (change("Task", owner={"reference": "Organization/golden-health-plan"}), "preferred_organization", None),
        (change("Coverage", payor=[{"display": "?"}]), "coverage", {"member_id": "M1"}),
        (change("Coverage", status="cancelled"), "coverage", None),
        (without("Coverage"), "coverage", None),
        (change("Task", status="completed", intent="filler-order"), "sender_referral_id", "R1"),
    ],
)  # fmt: skip
def test_what_the_request_says(changed: Change, name: str, value: Any) -> None:
    assert body_of(changed).get(name) == value


def test_without_a_task_the_service_request_says_it_all() -> None:
    body = body_of(without("Task"), change("ServiceRequest", priority="asap", authoredOn="2026-05-03"))
    assert (body["priority"], body["requested_at"]) == ("asap", "2026-05-03")


def test_a_performer_is_preferred_when_there_is_no_task() -> None:
    performer = [{"reference": "Organization/harvest-food-bank"}]
    assert body_of(without("Task"), change("ServiceRequest", performer=performer))["preferred_organization"]


def test_codes_notes_and_flags_are_kept_as_given() -> None:
    body = body_of(
        change(
            "ServiceRequest",
            code={"coding": [{"system": "urn:x", "code": "7", "display": "As said"}], "text": "Other"},
            note=[{"text": "one"}],
            orderDetail=[{"coding": [{"code": "contacting-subject-prohibited"}]}],
        ),
        change("Task", note=[{"text": "one"}, {"text": "two"}]),
    )
    assert body["need"]["code"] == {"system": "urn:x", "code": "7", "display": "As said"}
    assert body["need"]["note"] == "one\ntwo"
    assert body["person"]["contact"]["prohibited"] is True


@pytest.mark.parametrize(
    ("code", "category"),
    [("ETH", "part2"), ("42CFRPart2", "part2"), ("SDV", "violence"), ("PSY", "behavioral-health")],
)
@pytest.mark.parametrize("kind", ["ServiceRequest", "Task", "Consent"])
def test_security_labels_make_a_referral_sensitive(kind: str, code: str, category: str) -> None:
    assert body_of(change(kind, meta={"security": [{"code": "R"}, {"code": code}]}))["sensitivity"] == [
        category
    ]


def test_a_place_of_the_request_is_the_service_area() -> None:
    place = {
        "resourceType": "Location",
        "address": {"postalCode": "94607", "district": "Alameda", "city": "x"},
    }
    body = body_of(
        adding(place), change("ServiceRequest", locationReference=[{"reference": "urn:uuid:added"}])
    )
    assert body["service_area"] == {"postal_code": "94607", "county": "Alameda"}


def test_each_service_request_is_a_referral_with_its_own_task() -> None:
    first, second = read(bundle(second_request))
    assert (first.submission.sender_referral_id, second.submission.sender_referral_id) == ("R1", "R2")
    assert (first.task is not None, second.task) == (True, None)
    assert (first.submission.priority, second.submission.priority) == ("urgent", "routine")


def test_two_service_requests_never_share_an_id() -> None:
    whole = bundle(second_request)
    whole["entry"][-1]["resource"]["identifier"] = [{"value": "R1"}]
    assert ("identifier", "duplicate") in issues(whole)


def test_a_bare_service_request_with_its_patient_contained() -> None:
    (referral,) = read(BARE)
    assert referral.body["person"]["person_id"] == "p"
    assert referral.body["consent"] == {"status": "absent"}


def test_a_bare_service_request_without_its_patient_is_told_what_to_include() -> None:
    assert issues(BARE | {"subject": {"reference": "Patient/p"}}) == [("ServiceRequest.subject", "not-found")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "structure"),
        (b"<Bundle/>", "structure"),
        (b"\xff\xfe{", "structure"),
        (b"[]", "structure"),
        (b"[" * 100_000, "structure"),
        ({}, "not-supported"),
        ({"resourceType": "Task"}, "not-supported"),
        ({"resourceType": "Bundle", "type": "searchset", "entry": []}, "value"),
        (
            {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "DELETE"}}]},
            "not-supported",
        ),
        ({"resourceType": "Bundle", "type": "batch", "entry": [5]}, "structure"),
        ({"resourceType": "Bundle", "type": "batch", "entry": [{}] * 3000}, "too-costly"),
        ({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": BARE}] * 200}, "required"),
    ],
)
def test_what_is_no_request_is_an_issue(body: bytes | Json, code: str) -> None:
    assert issues(body)[0][1] == code
