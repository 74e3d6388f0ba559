"""A synthetic submission as a clinic would send it: a FHIR R4 transaction Bundle of the Gravity shape.

Comes in: submission JSON of people.py. Goes out: a Bundle that producers.fhir reads back; what FHIR has no
place for (NOT_CARRIED) stays behind. Must never be used for real people.
"""

from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from producers.fhir.labels import ACT_CODE, codings
from producers.fhir.person import INTERPRETER_FLAG, RACE_ETHNICITY
from producers.fhir.request import NPI, SDOHCC

Json = dict[str, Any]
PROFILE = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC-"
SOCIAL_SERVICE = {"system": "http://snomed.info/sct", "code": "410606002"}
SCOPE = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
CONSENT_STATUS = {"active": "active", "refused": "rejected", "revoked": "inactive"}
NOT_CARRIED = ("requested_by", "routing", "based_on_referral", "excluded_organizations", "person/household")


def as_fhir_bundle(submission: Json) -> Json:
    """The transaction Bundle of one submission; the same submission gives the same bytes."""
    links = _Links(submission["sender_referral_id"])
    resources = [r for r in _resources(submission, links) if r]
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": links.url(resource.pop("_name")),
                "resource": resource,
                "request": {"method": "POST", "url": resource["resourceType"]},
            }
            for resource in resources
        ],
    }


class _Links:
    """The fullUrl of each resource of one Bundle, and references to it."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def url(self, name: str) -> str:
        return f"urn:uuid:{uuid5(NAMESPACE_URL, f'urn:refex:synthetic:{self._seed}:{name}')}"

    def to(self, name: str) -> Json:
        return {"reference": self.url(name)}


def _resources(s: Json, links: _Links) -> Iterator[Json]:
    yield _patient(s)
    yield from _referrer(s, links)
    if payer := s.get("coverage", {}).get("payer"):
        yield {"_name": "payer", "resourceType": "Organization", "id": payer, "name": payer}
    if coverage := s.get("coverage"):
        yield _coverage(coverage, links)
    if owner := s.get("preferred_organization"):
        yield {"_name": "owner", "resourceType": "Organization", "id": owner, "name": owner}
    if area := s.get("service_area"):
        address = _filled({"postalCode": area.get("postal_code"), "district": area.get("county")})
        yield {"_name": "place", "resourceType": "Location", "address": address}
    if s["consent"]["status"] in CONSENT_STATUS:
        yield _consent(s, links)
    yield _service_request(s, links)
    yield _task(s, links)


def _patient(s: Json) -> Json:
    p: Json = s["person"]
    address = p.get("address", {})
    phones = [{"system": "phone", "value": p["phone"], "use": "mobile"}] if p.get("phone") else []
    emails = [{"system": "email", "value": p["email"]}] if p.get("email") else []
    lines = [address["line"]] if address.get("line") else None
    home = {"line": lines, "city": address.get("city"), "district": address.get("county")}
    home |= {"state": address.get("state"), "postalCode": address.get("postal_code")}
    language = {"coding": [{"system": "urn:ietf:bcp:47", "code": p.get("spoken_language")}]}
    spoken = {"language": language, "preferred": True} if p.get("spoken_language") else None
    return _filled(
        {
            "_name": "patient",
            "resourceType": "Patient",
            "identifier": [{"system": "urn:refex:synthetic", "value": p["person_id"]}],
            "name": [{"use": "official", "family": p["family_name"], "given": [p["given_name"]]}],
            "birthDate": p["birth_date"],
            "gender": p.get("gender"),
            "telecom": phones + emails,
            "address": [_filled(home)] if address else None,
            "communication": [spoken] if spoken else None,
            "extension": _extensions(p),
            "contact": [_alternate(a)] if (a := p.get("contact", {}).get("alternate")) else None,
        }
    )


def _extensions(p: Json) -> list[Json]:
    made: list[Json] = []
    if p.get("interpreter_needed") is not None:
        made.append({"url": INTERPRETER_FLAG, "valueBoolean": p["interpreter_needed"]})
    for coding, url in zip(p.get("race_ethnicity", []), RACE_ETHNICITY, strict=False):
        made.append({"url": url, "extension": [{"url": "ombCategory", "valueCoding": coding}]})
    return made


def _alternate(alternate: Json) -> Json:
    phone = alternate.get("phone")
    return _filled(
        {
            "relationship": [{"text": alternate.get("relationship")}],
            "name": {"text": alternate.get("name")},
            "telecom": [{"system": "phone", "value": phone}] if phone else None,
        }
    )


def _referrer(s: Json, links: _Links) -> Iterator[Json]:
    r: Json = s.get("referrer", {})
    if not r:
        return
    telecom = [{"system": kind, "value": r[kind]} for kind in ("phone", "email") if r.get(kind)]
    npi = [{"system": NPI, "value": r["npi"]}] if r.get("npi") else None
    name = [{"text": r["name"]}] if r.get("name") else None
    doctor = {"_name": "practitioner", "resourceType": "Practitioner", "identifier": npi, "name": name}
    yield _filled(doctor)
    yield {"_name": "clinic", "resourceType": "Organization", "name": r.get("site")}
    yield _filled(
        {
            "_name": "role",
            "resourceType": "PractitionerRole",
            "practitioner": links.to("practitioner"),
            "organization": links.to("clinic"),
            "code": [{"text": r["role"]}] if r.get("role") else None,
            "telecom": telecom,
        }
    )


def _coverage(coverage: Json, links: _Links) -> Json:
    return _filled(
        {
            "_name": "coverage",
            "resourceType": "Coverage",
            "status": "active",
            "beneficiary": links.to("patient"),
            "subscriberId": coverage.get("member_id"),
            "payor": [links.to("payer")] if coverage.get("payer") else None,
        }
    )


def _consent(s: Json, links: _Links) -> Json:
    c: Json = s["consent"]
    own = c.get("granted_by", {}).get("relationship") == "self"
    return _filled(
        {
            "_name": "consent",
            "resourceType": "Consent",
            "meta": {"profile": [f"{PROFILE}Consent"]},
            "identifier": [{"value": c["id"]}] if c.get("id") else None,
            "status": CONSENT_STATUS[c["status"]],
            "scope": {"coding": [SCOPE]},
            "category": [{"coding": [{"system": ACT_CODE, "code": "IDSCL"}]}],
            "patient": links.to("patient"),
            "dateTime": c.get("date"),
            "performer": [links.to("patient")] if own else None,
        }
    )


def _service_request(s: Json, links: _Links) -> Json:
    need: Json = s["need"]
    security = codings(s.get("sensitivity", []))
    domain = {"coding": [{"system": SDOHCC, "code": need["domain"]}]}
    return _filled(
        {
            "_name": "request",
            "resourceType": "ServiceRequest",
            "meta": _filled({"profile": [f"{PROFILE}ServiceRequest"], "security": security}),
            "identifier": [{"system": "urn:refex:synthetic", "value": s["sender_referral_id"]}],
            "requisition": {"value": s["case_id"]} if s.get("case_id") else None,
            "status": "active",
            "intent": "order",
            "category": [{"coding": [SOCIAL_SERVICE]}, domain],
            "code": {"coding": [need["code"]]} if need.get("code") else None,
            "subject": links.to("patient"),
            "locationReference": [links.to("place")] if s.get("service_area") else None,
            "supportingInfo": [links.to("consent")] if s["consent"]["status"] in CONSENT_STATUS else None,
            "note": [{"text": need["note"]}] if need.get("note") else None,
        }
    )


def _task(s: Json, links: _Links) -> Json:
    return _filled(
        {
            "_name": "task",
            "resourceType": "Task",
            "meta": {"profile": [f"{PROFILE}TaskForReferralManagement"]},
            "status": "requested",
            "intent": "order",
            "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
            "priority": s.get("priority"),
            "focus": links.to("request"),
            "for": links.to("patient"),
            "authoredOn": s.get("requested_at"),
            "requester": links.to("role") if s.get("referrer") else None,
            "owner": links.to("owner") if s.get("preferred_organization") else None,
        }
    )


def _filled(value: Json) -> Json:
    return {k: v for k, v in value.items() if v is not None and v != []}
