"""The Consents of a request -> the consent part of one person's submission.

Comes in: a ServiceRequest, its Patient and the Graph. Goes out: plain dicts in the words of submission.py.
Must never read a consent more widely than it was given: what cannot be expressed here counts as absent.
"""

import base64
import binascii
import hashlib
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from producers.fhir.bundle import Graph, Resource
from producers.fhir.dates import first_day, last_day
from producers.fhir.person import first_identifier, names_of
from producers.fhir.reading import Node, codes, filled, wording
from referrals.check import parse_time

STATUSES = {
    "active": "active",
    "inactive": "revoked",
    "rejected": "refused",
    "draft": "absent",
    "proposed": "absent",
    "entered-in-error": "absent",
}
STRICTNESS = ("absent", "active", "revoked", "refused")
# Roles of provision.actor that do not receive: custodian, author, informant, grantor, grantee's delegator.
NOT_RECIPIENTS = frozenset({"CST", "AUT", "INF", "GRANTOR", "DELEGATOR", "CONSENTER", "PAT"})
MAX_CONSENTS = 50
OPTED_OUT = frozenset({"OPTOUT", "OPTOUTE"})


def applying(graph: Graph, request: Resource, patient: Resource) -> Resource | None:
    """The Consent in force for this request: those it names, else those of its Patient; latest, then strictest."""
    linked = [graph.find(request, r) for r in request.children("supportingInfo")]
    named = [c for c in linked if c is not None and c.type == "Consent"]
    for consent in named:
        if (whose := graph.find(consent, consent.child("patient"))) and whose.value is not patient.value:
            graph.issues.add(
                f"{consent.path}.patient", "is not the ServiceRequest's subject", "business-rule"
            )
    found = named or graph.about("Consent", "patient", patient)
    if len(found) > MAX_CONSENTS:
        graph.issues.add(
            request.path, f"has more than {MAX_CONSENTS} Consents; name the one in force", "too-costly"
        )
        return None
    return _strictest_of_latest(found)


def status(consent: Resource) -> str:
    """The consent's status in our words; a deny, or a rule that cannot be expressed, never counts as yes."""
    given = STATUSES.get(consent.text("status") or "", "absent")
    provision = consent.child("provision")
    if given != "active":
        return given
    kind = provision.text("type")
    if kind == "deny" or (kind is None and OPTED_OUT.intersection(codes(consent, "policyRule"))):
        return "refused"
    expressible = kind in (None, "permit") and all(map(_only_bars_actors, _denials(provision)))
    return "active" if expressible else "absent"


def consent(graph: Graph, found: Resource | None, known: Collection[str]) -> dict[str, Any]:
    """The consent of a submission; absent without a Consent."""
    if found is None:
        return {"status": "absent"}
    provision = found.child("provision")
    organizations = found.children("organization")
    made = {
        "status": status(found),
        "id": first_identifier(found) or found.id,
        "granted_by": _granted_by(graph, found),
        "discloser": next(iter(_named(graph, found, organizations[:1], known)), None),
        "recipients": _recipients(graph, found, provision, known),
        "purposes": [c for p in provision.children("purpose") if (c := p.text("code"))],
        "data_categories": [c for p in provision.children("class") if (c := p.text("code"))],
        "date": first_day(found.text("dateTime")),
        "expires_at": last_day(provision.child("period").text("end")),
        "document_sha256": _document_hash(found.child("sourceAttachment")),
    }
    return filled(made) or {}


def barred(graph: Graph, found: Resource | None, known: Collection[str]) -> list[str]:
    """The known organizations that a nested deny keeps from receiving."""
    if found is None:
        return []
    actors = [a for deny in _denials(found.child("provision")) for a in deny.children("actor")]
    names = _named(graph, found, [a.child("reference") for a in actors], known)
    return sorted({name for name in names if name in known})


def _strictest_of_latest(consents: list[Resource]) -> Resource | None:
    """The latest by date, of equals the strictest; where one has no date only strictness counts."""
    said = [c for c in consents if status(c) != "absent"] or consents
    dates = [parse_time(first_day(c.text("dateTime")) or "") for c in said]
    never = datetime.min.replace(tzinfo=UTC)
    ranks = [
        (d or never if all(dates) else never, STRICTNESS.index(status(c)))
        for c, d in zip(said, dates, strict=True)
    ]
    return said[ranks.index(max(ranks))] if said else None


def _denials(provision: Node) -> list[Node]:
    return [p for p in provision.children("provision") if p.text("type") != "permit"]


def _only_bars_actors(deny: Node) -> bool:
    """Whether a nested deny says no more than who may not receive."""
    return bool(deny.children("actor")) and set(deny.value) <= {"type", "actor", "id"}


def _granted_by(graph: Graph, found: Resource) -> dict[str, Any] | None:
    for performer in found.children("performer"):
        who = graph.find(found, performer)
        display = performer.text("display")
        if who is not None and who.type == "Patient":
            return {"relationship": "self"} | ({"name": display} if display else {})
        relationship = wording(who, "relationship") if who is not None else None
        if made := filled({"relationship": relationship, "name": display}):
            return made
    return None


def _recipients(
    graph: Graph, found: Resource, provision: Node, known: Collection[str]
) -> list[dict[str, str]]:
    receiving = [a for a in provision.children("actor") if not NOT_RECIPIENTS.intersection(codes(a, "role"))]
    references = [a.child("reference") for a in receiving]
    return [{"organization": name} for name in _named(graph, found, references, known)]


def _named(graph: Graph, owner: Resource, references: list[Node], known: Collection[str]) -> list[str]:
    """One name for each reference: a known organization's id where there is one, else what was said.

    A recipient we do not know is kept: dropping it would widen the consent to everybody.
    """
    names = []
    for reference in references:
        said = names_of(graph, owner, reference)
        other = said[0] if said else reference.text("display") or "unknown"
        names.append(next((name for name in said if name in known), other))
    return names


def _document_hash(attachment: Node) -> str | None:
    """The document's SHA-256 in hex: the hash given when it has that length, else that of the data sent."""
    for field, is_hash in (("hash", True), ("data", False)):
        try:
            content = base64.b64decode(attachment.text(field) or "", validate=True)
        except (binascii.Error, ValueError):
            continue
        if is_hash and len(content) == hashlib.sha256().digest_size:
            return content.hex()
        if content and not is_hash:
            return hashlib.sha256(content).hexdigest()
    return None
