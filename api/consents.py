"""Consents and screenings by their sender: published as records; what follows from them is the exchange's.

Comes in: a consent or a screening with the sender's own person_id. Goes out: 200 when a consent is in force as said,
202 when it is not yet. Must never say 200 before the commit from which on nothing is routed or shown against it.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, events, policy
from api.bodies import ConsentBody, RevocationBody, answer
from api.context import action_of, context, principal_of
from api.outcomes import refused
from api.problems import invalid, wrong
from avro_schemas import topics
from infra.postgres import queries
from producers import envelope
from producers.envelope import Record
from referrals import check, ids, screening
from referrals.check import MAX_ID, Invalid

SQL = queries("api", "consents.sql")


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
    value = bodies.decode(body, request.headers.get("content-type", "")) if body.strip() else {}
    said: RevocationBody | ConsentBody = (
        bodies.shaped(value, ConsentBody) if action == "grant" else bodies.shaped(value, RevocationBody)
    )
    owner = said.organization or principal.organization
    policy.demand(principal, action_of(request), policy.owned(owner))
    terms = _terms(value, own_id, action)
    bodies.said_at(said.occurred_at, datetime.now(UTC))
    consent = ids.consent_id(owner, own_id)
    person = await _person(request, owner, own_id, said.person_id)
    asked = await events.ask(request, body)
    envelope_said = events.said(request, asked)
    if owner != principal.organization:
        envelope_said = envelope_said._replace(on_behalf_of=owner)
    content = msgspec.json.encode(terms)
    record = envelope.consent_changed(envelope_said, consent, person, action, content)
    return await _in_force(request, asked, record, {"id": str(consent), "consent": own_id})


def _terms(value: dict[str, Any], own_id: str, action: str) -> dict[str, Any]:
    """The record to publish: what was said, its terms also from inside `consent`; raises the 422."""
    inside = value.get("consent") if isinstance(value.get("consent"), dict) else {}
    said = {**(inside or {}), **value}
    terms = {k: v for k, v in said.items() if v is not None and k != "consent"} | {"id": own_id}
    terms["status"] = "revoked" if action == "revoke" else terms.get("status", "active")
    try:
        check.consent(terms)
    except check.Invalid as error:
        raise invalid(error) from None
    return terms


async def _person(request: Request, owner: str, own_id: str, person_id: str | None) -> UUID:
    """Whose consent it is: as the body says, as its record or a referral that names it says; they must agree."""
    principal = principal_of(request)
    async with context(request).database.reading(principal) as connection:
        consent = ids.consent_id(owner, own_id)
        row = await connection.fetchrow(SQL["person"], consent, owner, own_id, principal.organization)
    assert row is not None
    said = ids.person_key(owner, person_id) if person_id else None
    if said is not None and row["recorded"] not in (None, said):
        raise wrong("/person_id", "this consent is another person's; use an id of its own for each person")
    person: UUID | None = said or row["recorded"] or row["named"]
    if person is None:
        raise wrong("/person_id", "nothing names this consent yet; send the person_id it is for")
    return person


async def _in_force(request: Request, asked: events.Ask, record: Record, said: dict[str, str]) -> Response:
    """200 once the exchange has committed it, which is when it is in force; 202 when that takes longer."""
    outcome = asked.outcome
    if outcome is None:
        await events.publish(request, [record])
        outcome = await events.outcome(request, record.event_id)
    if outcome is None:
        return answer(said | {"status": "received"}, 202)
    if not outcome.effective:
        raise refused(outcome, None)
    principal = principal_of(request)
    async with context(request).database.reading(principal) as connection:
        row = await connection.fetchrow(SQL["standing"], UUID(said["id"]), principal.organization)
    shown = {"status": row["status"], "version": row["version"], "since": row["since"]} if row else {}
    return answer(said | shown)


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
