"""What the exchange made of a request, as an answer: 200 with the referral, 202, or the problem of a rejection.

Comes in: a record to publish, or an inbox outcome. Goes out: a response. Must never wait longer than two seconds,
nor say of somebody else's hop more than that it is not the caller's.
"""

from typing import Any, NamedTuple
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from api import events, views
from api.bodies import answer
from api.changes import Outcome
from api.context import context, principal_of
from api.problems import Problem, not_found
from api.reading import load
from infra import crash_points
from producers.envelope import Record
from referrals.errors import NEXT_STEP

# Reason of a rejection or a dead letter -> the kind of problem it is to its caller; all else is a conflict.
KIND: dict[str, str] = {
    "not-permitted": "not-permitted",
    "invalid": "invalid",
    "unknown-service": "invalid",
    "unknown-referral": "not-found",
    "unknown-link": "not-found",
    "too-large": "too-large",
    "id-conflict": "key-reused",
    "our-failure": "internal",
}
NOT_YOURS = "this referral has no such hop of yours that waits for this answer"


class Settled(NamedTuple):
    """What came of a request: the referral as the caller sees it now, and whether the request is recorded yet."""

    view: dict[str, Any]
    recorded: bool


async def settle(request: Request, asked: events.Ask, record: Record, referral: UUID) -> Settled:
    """Publish unless that was done before, wait up to two seconds; raises the problem of a rejection."""
    outcome = asked.outcome
    if outcome is None:
        await events.publish(request, [record])
        outcome = await events.outcome(request, record.event_id)
        crash_points.here("api.settled")
    principal = principal_of(request)
    async with context(request).database.reading(principal) as connection:
        seen = await load(connection, context(request).vault, principal, referral)
    view = views.referral(principal, seen) if seen is not None else None
    if view is None:
        raise not_found()
    if outcome is not None and not outcome.effective:
        raise refused(outcome, view)
    return Settled(view, outcome is not None)


def answered(settled: Settled) -> Response:
    """200 with the referral once it is recorded, else 202."""
    view = settled.view
    if settled.recorded:
        return answer(view, 200, {"ETag": f'"{view["version"]}"'})
    return answer(
        {"id": view["id"], "status": view["status"]}, 202, {"Location": f"/v1/referrals/{view['id']}"}
    )


def refused(outcome: Outcome, view: dict[str, Any] | None) -> Problem:
    """The problem of a request without effect, with the current version where there is one."""
    reason = outcome.reason or "conflict"
    kind = KIND.get(reason, "conflict")
    detail = outcome.detail or NEXT_STEP.get(reason)
    current = {"version": view["version"], "referral_status": view["status"]} if view else {}
    return Problem(kind, detail, reason=reason, **current)


def hop_refused(problem: Problem) -> Problem:
    """The same answer for an unknown hop and for another organization's."""
    if problem.extra.get("reason") not in ("unknown-hop", "not-permitted"):
        return problem
    extra = problem.extra | {"reason": "unknown-hop"}
    return Problem("conflict", NOT_YOURS, **extra)
