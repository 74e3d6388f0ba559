"""Answers about a referral: the CBO's to its hop, the hub's assignment, the plan's authorization.

Comes in: requests behind the guard. Goes out: 200 with the referral, 202, 409 with the current version. What the body
alone shows to be wrong is 422; whether the action fits the referral is the exchange's decision.
"""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from api import bodies, events, metrics, views
from api.bodies import AssignBody, AuthorizationBody, ResponseBody
from api.context import principal_of
from api.outcomes import hop_refused, settle
from api.problems import Problem, wrong
from api.referrals import found
from producers import envelope
from referrals import words
from referrals.lifecycle import LATER, TRANSITIONS

ACTIONS = frozenset(TRANSITIONS) | LATER
# Action -> what its body must hold: (field, list of codes or None for any text).
NEEDED: dict[str, tuple[tuple[str, str | None], ...]] = {
    "reject": (("reason", "reject_reasons"),),
    "hold": (("reason", "hold_reasons"),),
    "complete": (("outcome.code", "outcomes"),),
    "fail": (("outcome.code", "outcomes"),),
    "record-service": (("service_event_id", None),),
    "note": (("note", None),),
}


async def respond(request: Request) -> Response:
    """Answer a hop: accept, reject, contact, start, hold, resume, record-service, complete, fail, note, ..."""
    seen = await found(request)
    if views.own_hop(seen.state, principal_of(request).organization) is None:
        raise Problem("not-permitted", "only an organization that was asked may answer")
    body, said = await bodies.read_as(request, ResponseBody)
    check(said)
    occurred_at = bodies.said_at(said.occurred_at, datetime.now(UTC))
    asked = await events.ask(request, body)
    record = envelope.responded(
        events.said(request, asked, occurred_at),
        seen.state.id,
        said.action,
        hop=said.hop,
        reason=said.reason,
        outcome_code=said.outcome.code if said.outcome else None,
        outcome_need=said.outcome.need if said.outcome else None,
        version=said.version,
        details=said.details(),
        note=said.note,
    )
    try:
        response = await settle(request, asked, record, seen.state.id)
    except Problem as problem:
        raise hop_refused(problem) from None
    metrics.RESPONDED.labels(said.action).inc()
    return response


def check(said: ResponseBody) -> None:
    """Raise the 422 for what the body alone shows to be wrong."""
    if said.action not in ACTIONS:
        raise wrong("/action", f"use one of {', '.join(sorted(ACTIONS))}")
    for field, codes in NEEDED.get(said.action, ()):
        value = (said.outcome.code if said.outcome else None) if "." in field else getattr(said, field)
        pointer = "/" + field.replace(".", "/")
        if not value:
            raise wrong(pointer, f"`{said.action}` needs it; send it")
        if codes is not None and value not in words.table(codes):
            raise wrong(pointer, f"use one of {', '.join(words.table(codes))}")
    if said.outcome and said.outcome.need and said.outcome.need not in words.table("need_outcomes"):
        raise wrong("/outcome/need", f"use one of {', '.join(words.table('need_outcomes'))}")


async def assign(request: Request) -> Response:
    """Pick the service for a referral that needs review: by its hub, with reason."""
    seen = await found(request)
    if seen.state.hub != principal_of(request).organization:
        raise Problem("not-permitted", "only the hub that reviews this referral assigns it")
    body, said = await bodies.read_as(request, AssignBody)
    asked = await events.ask(request, body)
    record = envelope.assigned(
        events.said(request, asked), seen.state.id, said.service, said.reason or "", said.version or 0
    )
    return await settle(request, asked, record, seen.state.id)


async def authorize(request: Request) -> Response:
    """Approve, approve in part or deny: by the referral's payer."""
    seen = await found(request)
    if seen.state.payer != principal_of(request).organization:
        raise Problem("not-permitted", "only the referral's payer authorizes it")
    body, said = await bodies.read_as(request, AuthorizationBody)
    if said.status not in ("approved", "partial", "denied"):
        raise wrong("/status", "use one of approved, partial, denied")
    asked = await events.ask(request, body)
    details = {"units": said.units, "from": said.from_, "to": said.to, "reason": said.reason}
    record = envelope.authorized(
        events.said(request, asked),
        seen.state.id,
        said.status,
        said.number or "",
        {k: v for k, v in details.items() if v is not None},
    )
    return await settle(request, asked, record, seen.state.id)
