"""Consent at the FHIR door: never read more widely than it was given."""

import base64
import hashlib

import pytest

from tests.unit.fhir_bundles import (
    Json,
    adding,
    at,
    body_of,
    bundle,
    change,
    consent_of,
    issues,
    read,
    without,
)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "active"),
        ({"status": "inactive"}, "revoked"),
        ({"status": "rejected"}, "refused"),
        ({"status": "draft"}, "absent"),
        ({"status": "proposed"}, "absent"),
        ({"status": "entered-in-error"}, "absent"),
        ({"status": "unheard-of"}, "absent"),
        ({"status": None}, "absent"),
        ({"provision": {"type": "permit"}}, "active"),
        ({"provision": {"type": "deny"}}, "refused"),
        ({"provision": {"type": "maybe"}}, "absent"),
        ({"policyRule": {"coding": [{"code": "OPTOUT"}]}}, "refused"),
        ({"provision": {"provision": [{"type": "deny", "class": [{"code": "x"}]}]}}, "absent"),
        ({"provision": {"provision": [{"type": "permit", "class": [{"code": "x"}]}]}}, "active"),
    ],
)
def test_consent_is_never_read_wider_than_given(fields: Json, status: str) -> None:
    assert consent_of(change("Consent", **fields))["status"] == status


def test_without_a_consent_it_is_absent() -> None:
    assert consent_of(without("Consent")) == {"status": "absent"}


def test_a_consent_of_somebody_else_is_an_issue() -> None:
    other = adding({"resourceType": "Patient", "id": "b"})
    assert ("patient", "business-rule") in issues(
        bundle(other, change("Consent", patient={"reference": "Patient/b"}))
    )


def test_an_unlinked_consent_of_somebody_else_does_not_count() -> None:
    unlinked = change("ServiceRequest", supportingInfo=None)
    other = adding({"resourceType": "Patient", "id": "b"})
    assert consent_of(unlinked)["status"] == "active"
    assert (
        consent_of(unlinked, other, change("Consent", patient={"reference": "Patient/b"}))["status"]
        == "absent"
    )


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ({"dateTime": "2026-01-01"}, {"dateTime": "2026-02-01", "status": "inactive"}, "revoked"),
        ({"dateTime": "2026-03-01"}, {"dateTime": "2026-02-01", "status": "inactive"}, "active"),
        ({"dateTime": "2026-03-01"}, {"status": "rejected"}, "refused"),
        ({"dateTime": "2026-03-01"}, {"dateTime": "2026-04-01", "status": "draft"}, "active"),
    ],
)
def test_of_several_consents_the_latest_counts_else_the_strictest(
    first: Json, second: Json, status: str
) -> None:
    whole = bundle(change("ServiceRequest", supportingInfo=None), change("Consent", **first))
    again = {
        "resourceType": "Consent",
        "status": "active",
        "patient": at("Consent", whole)["patient"],
        **second,
    }
    adding(again)(whole)
    assert read(whole)[0].body["consent"]["status"] == status


def test_dates_recipients_and_who_granted() -> None:
    actors = [
        {
            "role": {"coding": [{"code": "IRCP"}]},
            "reference": {"reference": "Organization/harvest-food-bank"},
        },
        {"role": {"coding": [{"code": "PRCP"}]}, "reference": {"display": "Some other place"}},
        {"role": {"coding": [{"code": "CST"}]}, "reference": {"display": "The clinic"}},
    ]
    consent = consent_of(
        change(
            "Consent",
            dateTime="2026-05",
            performer=[{"display": "Rosa"}],
            organization=[{"display": "Riverside Clinic"}],
            provision={
                "period": {"end": "2027-02"},
                "actor": actors,
                "purpose": [{"code": "TREAT"}],
                "provision": [
                    {
                        "type": "deny",
                        "actor": [{"reference": {"reference": "Organization/harvest-food-bank"}}],
                    }
                ],
            },
        )
    )
    assert consent == {
        "status": "active",
        "id": "C1",
        "granted_by": {"name": "Rosa"},
        "discloser": "Riverside Clinic",
        "recipients": [{"organization": "harvest-food-bank"}, {"organization": "Some other place"}],
        "purposes": ["TREAT"],
        "date": "2026-05-01",
        "expires_at": "2027-02-28",
    }


def test_an_organization_that_a_nested_deny_bars_is_excluded() -> None:
    deny = {"type": "deny", "actor": [{"reference": {"reference": "Organization/harvest-food-bank"}}]}
    body = body_of(change("Consent", provision={"type": "permit", "provision": [deny]}))
    assert body["excluded_organizations"] == ["harvest-food-bank"]
    assert body["consent"]["status"] == "active"


SHA1 = base64.b64encode(hashlib.sha1(b"x", usedforsecurity=False).digest()).decode()
SHA256 = base64.b64encode(hashlib.sha256(b"x").digest()).decode()


@pytest.mark.parametrize(
    ("attachment", "expected"),
    [
        ({"hash": SHA256}, hashlib.sha256(b"x").hexdigest()),
        ({"hash": SHA1}, None),
        ({"hash": SHA1, "data": base64.b64encode(b"x").decode()}, hashlib.sha256(b"x").hexdigest()),
        ({"hash": "not base64!"}, None),
        ({"hash": "é"}, None),
    ],
)
def test_a_document_is_known_by_its_sha256(attachment: Json, expected: str | None) -> None:
    assert consent_of(change("Consent", sourceAttachment=attachment)).get("document_sha256") == expected


def test_more_consents_than_anybody_has_are_refused() -> None:
    whole = bundle(change("ServiceRequest", supportingInfo=None))
    whole["entry"] += [{"resource": at("Consent", whole)}] * 60
    assert issues(whole)[0][1] == "too-costly"
