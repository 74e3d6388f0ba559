"""How much room a service has, and when it is closed: by its own CBO alone.

Comes in: a CapacityBody. Goes out: 200 with the service when it is in force, 202 when it is not yet. Must never tell a
foreign service from one that does not exist. For pages: `say` takes what a form said and raises the same Problems.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, events
from api.bodies import CapacityBody, answer
from api.context import context, principal_of
from api.directory import listed
from api.outcomes import refused
from api.problems import Problem, not_found
from api.referrals import CANONICAL_ID
from infra.postgres import queries
from producers import envelope
from referrals.capacity import statement
from referrals.check import Invalid

SQL = queries("api", "capacity.sql")


async def change(request: Request) -> Response:
    """Say how much room a service has, or when it is closed."""
    text = request.path_params["id"]
    if not CANONICAL_ID.fullmatch(text):
        raise not_found()
    service = UUID(text)
    await own(request, service)
    body, said = await bodies.read_as(request, CapacityBody)
    if await say(request, service, msgspec.to_builtins(said), body):
        return answer(await own(request, service))
    return answer({"id": text, "status": "received"}, 202)


async def own(request: Request, service: UUID) -> dict[str, Any]:
    """A service of the caller's, as the directory lists it; raises the 404."""
    principal = principal_of(request)
    async with context(request).database.reading(principal) as connection:
        row = await connection.fetchrow(SQL["own_service"], service, principal.organization)
    if row is None:
        raise not_found()
    return listed(row)


async def say(request: Request, service: UUID, said: dict[str, Any], body: bytes) -> bool:
    """Publish a statement and await its outcome; whether it is in force. Raises the 422, or the rejection."""
    try:
        statement(said, (datetime.now(UTC) - timedelta(days=1)).date())
    except Invalid as error:
        raise Problem("invalid", errors=error.problems) from None
    asked = await events.ask(request, body)
    outcome = asked.outcome
    if outcome is None:
        await events.publish(request, [envelope.capacity_changed(events.said(request, asked), service, said)])
        outcome = await events.outcome(request, asked.event_id)
    if outcome is not None and not outcome.effective:
        raise refused(outcome, None)
    return outcome is not None
