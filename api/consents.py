"""Consents and screenings by their sender: published as records; what follows from them is the exchange's.

Comes in: a consent or a screening with the sender's own person_id. Goes out: 202 (not yet in force). Must never say
200 before a revocation has reached every open referral.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, events
from api.bodies import ConsentBody, answer
from api.context import principal_of
from api.problems import invalid, wrong
from avro_schemas import topics
from producers import envelope
from producers.envelope import Record
from referrals import ids, screening, words
from referrals.check import MAX_ID, Invalid


def consent_id(organization: str, id: str) -> UUID:
    """The id of a consent: of its sender and the sender's own id, as submissions name it in consent.id."""
    return uuid5(NAMESPACE_URL, f"urn:refex:{organization}:consent:{id}")


def screening_id(organization: str, id: str) -> UUID:
    """The id of a screening, made the same way."""
    return uuid5(NAMESPACE_URL, f"urn:refex:{organization}:screening:{id}")


async def put(request: Request) -> Response:
    """Record a consent, or change one."""
    return await _change(request, "grant")


async def revoke(request: Request) -> Response:
    """Revoke a consent: open referrals under it end."""
    return await _change(request, "revoke")


async def _change(request: Request, action: str) -> Response:
    own_id = _named(request.path_params["id"], "/id")
    principal = principal_of(request)
    body = await bodies.read(request)
    value = bodies.decode(body, request.headers.get("content-type", ""))
    said = bodies.shaped(value, ConsentBody)
    if said.status not in words.CONSENT_STATUSES:
        raise wrong("/status", f"use one of {', '.join(words.CONSENT_STATUSES)}")
    consent = consent_id(principal.organization, own_id)
    person = ids.person_key(principal.organization, said.person_id)
    asked = await events.ask(request, body)
    content = msgspec.json.encode(value | {"id": own_id})
    record = envelope.consent_changed(events.said(request, asked), consent, person, action, content)
    return await _received(request, asked, record, consent)


async def screen(request: Request) -> Response:
    """Record a screening (QuestionnaireResponse-like), whatever its answers."""
    principal = principal_of(request)
    body = await bodies.read(request)
    value = bodies.decode(body, request.headers.get("content-type", ""))
    if not isinstance(value, dict):
        raise wrong("", "send one JSON object")
    own_id = _named(_first(value, "id", "identifier", "screening_id"), "/id")
    person_id = _named(_first(value, "person_id", "subject", "person"), "/person_id")
    said_at = value.get("authored") or value.get("occurred_at")
    when = bodies.said_at(said_at if isinstance(said_at, str) else None, datetime.now(UTC), "/authored")
    try:
        found = screening.screened(value)
    except Invalid as error:
        raise invalid(error) from None
    stream = screening_id(principal.organization, own_id)
    asked = await events.ask(request, body)
    record = envelope.screened(
        events.said(request, asked, when),
        stream,
        ids.person_key(principal.organization, person_id),
        msgspec.json.encode(value),
        topics.INTAKE_API,
    )
    return await _received(request, asked, record, stream, **msgspec.to_builtins(found))


async def _received(request: Request, asked: events.Ask, record: Record, id: UUID, **more: Any) -> Response:
    if asked.outcome is None:
        await events.publish(request, [record])
    return answer({"id": str(id), "status": "received", **more}, 202)


def _first(value: dict[str, Any], *names: str) -> Any:
    """The first of several fields that is there: a text, or what names it inside an object (FHIR shapes)."""
    for name in names:
        found = value.get(name)
        if isinstance(found, dict):
            found = found.get("person_id") or found.get("value") or found.get("reference")
        if found is not None:
            return found
    return None


def _named(value: Any, pointer: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise wrong(pointer, "this field is required; send a text")
    if len(value) > MAX_ID:
        raise wrong(pointer, f"longer than {MAX_ID} characters; send a shorter id")
    return value
