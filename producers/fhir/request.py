"""A ServiceRequest, with the Task that asks for it, -> the JSON of one submission.

Comes in: resources of one Graph. Goes out: a plain dict for referrals.check, or issues noted on the way.
Must never decide anything: consent, routing and eligibility are for the rules.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from msgspec import Struct

from producers.fhir import consent as consents
from producers.fhir import labels
from producers.fhir import person as people
from producers.fhir.bundle import Graph, Resource
from producers.fhir.dates import first_day
from producers.fhir.reading import Node, coded, codes, filled, wording
from referrals import words

SDOHCC = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
UNSPECIFIED = "sdoh-category-unspecified"
NPI = "http://hl7.org/fhir/sid/us-npi"
ENDED = ("cancelled", "entered-in-error")
WITHDRAWN = ("revoked", "entered-in-error")
ASKED_BY = {
    "Patient": "self",
    "RelatedPerson": "family",
    "Practitioner": "provider",
    "PractitionerRole": "provider",
}


class Context(Struct, frozen=True):
    """What a reading needs besides the resources: the hour and the organizations of this exchange."""

    graph: Graph
    now: datetime
    cbos: Collection[str]
    payers: Collection[str]


class Parts(Struct, frozen=True):
    """The resources one referral is made of."""

    request: Resource
    task: Resource | None
    patient: Resource
    consent: Resource | None


def parts(context: Context, request: Resource, task: Resource | None) -> Parts | None:
    """The resources of one referral; None, with an issue noted, when the person is not among them."""
    graph = context.graph
    if request.text("status") in WITHDRAWN or request.flag("doNotPerform"):
        graph.issues.add(
            request.path, "is withdrawn or says do not perform; nothing to refer", "business-rule"
        )
    patient = graph.need(request, "subject", "the Patient")
    if patient is None:
        return None
    if patient.type != "Patient":
        graph.issues.add(
            f"{request.path}.subject", "must be a Patient; referrals are for one person", "value"
        )
        return None
    whom = graph.find(task, task.child("for")) if task else None
    if task and whom and whom.type == "Patient" and whom.value is not patient.value:
        graph.issues.add(
            f"{task.path}.for", "is another Patient than the ServiceRequest's subject", "business-rule"
        )
    return Parts(request, task, patient, consents.applying(graph, request, patient))


def body(context: Context, of: Parts) -> dict[str, Any]:
    """The submission's JSON; what is missing is left for `check` to say."""
    request, task, graph = of.request, of.task, context.graph
    known = {*context.cbos, *context.payers}
    person = people.person(of.patient, context.now)
    if "contacting-subject-prohibited" in codes(request, "orderDetail"):
        person["contact"] = person.get("contact", {}) | {"prohibited": True}
    lead = task or request
    requester = (lead if lead.child("requester") else request).child("requester")
    made = {
        "sender_referral_id": people.first_identifier(request) or request.id,
        "case_id": request.child("requisition").text("value"),
        "requested_at": first_day(lead.text("authoredOn") or request.text("authoredOn")),
        "requested_by": ASKED_BY.get(asker.type) if (asker := graph.find(lead, requester)) else None,
        "referrer": _referrer(context, lead, requester),
        "person": person,
        "related_person": _related_person(context, of.patient),
        "service_area": _service_area(graph, request),
        "need": filled(
            {"domain": _domain(graph, request), "code": _code(request), "note": _note(request, task)}
        ),
        "priority": lead.text("priority") or request.text("priority"),
        "sensitivity": labels.sensitivity(request, task, of.consent),
        "coverage": _coverage(context, of),
        "preferred_organization": _preferred(context, request, task),
        "excluded_organizations": consents.barred(graph, of.consent, known),
        "consent": consents.consent(graph, of.consent, known),
    }
    return filled(made) or {}


def _domain(graph: Graph, request: Resource) -> str | None:
    """The first specific SDOHCC category; none, or none known, is an issue that lists them."""
    given = [c.text("code") for c in coded(request, "category") if c.text("system") == SDOHCC]
    known = [code for code in given if code in words.table("domains")]
    if not known:
        allowed = ", ".join(words.table("domains"))
        graph.issues.add(
            f"{request.path}.category",
            f"send a coding of {SDOHCC} with one of: {allowed}",
            "code-invalid",
        )
        return None
    return next((code for code in known if code != UNSPECIFIED), known[0])


def _code(request: Resource) -> dict[str, Any] | None:
    codings = coded(request, "code")
    text = request.child("code").text("text")
    if not codings:
        return {"display": text} if text else None
    first = codings[0]
    return filled(
        {
            "system": first.text("system"),
            "code": first.text("code"),
            "display": first.text("display") or text,
        }
    )


def _note(request: Resource, task: Resource | None) -> str | None:
    notes = [n for r in (request, task) if r is not None for n in r.children("note")]
    return "\n".join(dict.fromkeys(t for n in notes if (t := n.text("text")))) or None


def _preferred(context: Context, request: Resource, task: Resource | None) -> str | None:
    """The CBO named as Task.owner (or performer); anybody else means: route automatically."""
    named = [(task, task.child("owner"))] if task and task.child("owner") else []
    named = named or [(request, p) for p in request.children("performer")]
    names = [n for owner, reference in named for n in people.names_of(context.graph, owner, reference)]
    return next((n for n in names if n in context.cbos), None)


def _coverage(context: Context, of: Parts) -> dict[str, Any] | None:
    """The first valid Coverage of this person: one the request names, else one in the Bundle."""
    graph = context.graph
    theirs = graph.about("Coverage", "beneficiary", of.patient)
    linked = {id(c.value) for r in of.request.children("insurance") if (c := graph.find(of.request, r))}
    for coverage in sorted(theirs, key=lambda c: id(c.value) not in linked):
        if coverage.text("status") not in ENDED:
            names = [n for p in coverage.children("payor") for n in people.names_of(graph, coverage, p)]
            return filled(
                {
                    "payer": next((n for n in names if n in context.payers), None),
                    "member_id": coverage.text("subscriberId") or people.first_identifier(coverage),
                }
            )
    return None


def _related_person(context: Context, patient: Resource) -> dict[str, Any] | None:
    found = context.graph.about("RelatedPerson", "patient", patient)
    return people.related_person(found[0], context.now) if found else None


def _service_area(graph: Graph, request: Resource) -> dict[str, Any] | None:
    for reference in request.children("locationReference"):
        if found := graph.find(request, reference):
            place = people.address(found.child("address")) or {}
            return filled({k: place.get(k) for k in ("postal_code", "county")})
    return None


def _referrer(context: Context, owner: Resource, reference: Node) -> dict[str, Any] | None:
    """Who asks, for a call back: the practitioner, their role and their organization."""
    graph = context.graph
    found = graph.find(owner, reference)
    if found is None:
        return filled({"name": reference.text("display")})
    who: Resource | None = found
    site = found if found.type == "Organization" else None
    if found.type == "PractitionerRole":
        who = graph.find(found, found.child("practitioner"))
        site = graph.find(found, found.child("organization"))
    if found.type not in ("Practitioner", "PractitionerRole", "Organization"):
        return None
    doctor = who if who is not None and who.type == "Practitioner" else None
    told = found.child("practitioner").text("display") or reference.text("display")
    sources: list[Resource] = [r for r in (found, doctor) if r is not None]
    name = next((n for s in doctor.children("name") if (n := people.full_name(s))), None) if doctor else None
    phones, emails = (
        [t for s in sources for t in people.telecoms(s, kind, context.now)] for kind in ("phone", "email")
    )
    npis = [i.text("value") for s in sources for i in s.children("identifier") if i.text("system") == NPI]
    return filled(
        {
            "name": name or (told if site is not found else None),
            "role": wording(found, "code"),
            "phone": next(iter(phones), None),
            "email": next(iter(emails), None),
            "npi": next(iter(npis), None),
            "site": site.text("name") if site else found.child("organization").text("display"),
        }
    )
