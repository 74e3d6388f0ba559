"""Answers about a referral: the CBO's to its hop, the hub's assignment, the plan's authorization.

Comes in: requests behind the guard. Goes out: 200 with the referral, 202, 409 with the current version. What the body
alone shows to be wrong is 422; whether the action fits the referral is the exchange's decision.
For pages: `give`, `pick` and `rule` take a struct made from a form and raise the same Problems.
"""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api import bodies, events, metrics, views
from api.bodies import AssignBody, AuthorizationBody, ResponseBody
from api.context import principal_of
from api.outcomes import Settled, answered, hop_refused, settle
from api.problems import Problem, wrong
from api.referrals import found
from producers import envelope
from referrals import approval, words
from referrals.check import Problem as Wrong
from referrals.transitions import TRANSITIONS

ACTIONS = frozenset(TRANSITIONS)
# Action -> what its body must hold: (field, list of codes or None for any text).
NEEDED: dict[str, tuple[tuple[str, str | None], ...]] = {
    "reject": (("reason", "reject_reasons"),),
    "hold": (("reason", "hold_reasons"), ("review_date", None)),
    "complete": (("outcome.code", "outcomes"), ("outcome.need", "need_outcomes")),
    "fail": (("outcome.code", "outcomes"), ("outcome.need", "need_outcomes")),
    "cancel": (("reason", "withdraw_reasons"),),
    "correct": (("outcome.code", "outcomes"),),
    "record-service": (("service_event_id", None),),
    "note": (("note", None),),
}


async def respond(request: Request) -> Response:
    """Answer a hop: accept, reject, contact, start, hold, resume, record-service, complete, fail, note, ...

    The hub too: it closes what it reviews, reopens what has closed, and records what it was told on the telephone.
    """
    seen = await found(request)
    body, said = await bodies.read_as(request, ResponseBody)
    return answered(await give(request, seen, said, body))


async def give(request: Request, seen: views.Seen, said: ResponseBody, body: bytes) -> Settled:
    """Check, publish and await an answer to a hop of the caller's; `body` is what an Idempotency-Key binds."""
    check(said)
    hub = seen.state.hub == principal_of(request).organization
    assists = _assists(said, hub)
    occurred_at = bodies.said_at(said.occurred_at, datetime.now(UTC))
    asked = await events.ask(request, body)
    who = events.said(request, asked, occurred_at)
    if assists:
        who = who._replace(on_behalf_of=said.on_behalf_of or "", channel=said.channel or "")
    record = envelope.responded(
        who,
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
        settled = await settle(request, asked, record, seen.state.id)
    except Problem as problem:
        raise problem if hub else hop_refused(problem) from None
    metrics.RESPONDED.labels(said.action).inc()
    return settled


def _assists(said: ResponseBody, hub: bool) -> bool:
    """Whether the hub answers for an organization; raises the 422 and the 403."""
    if said.on_behalf_of is None:
        return False
    if not hub:
        raise Problem("not-permitted", "only the hub that reviews this referral may do this")
    if said.channel not in words.ASSISTED:
        raise wrong("/channel", f"say how it was told you: {', '.join(sorted(words.ASSISTED))}")
    return True


def check(said: ResponseBody) -> None:
    """Raise the 422 for what the body alone shows to be wrong."""
    if said.action not in ACTIONS:
        raise wrong("/action", f"use one of {', '.join(sorted(ACTIONS))}")
    for field, codes in NEEDED.get(said.action, ()):
        value: Any = said
        for part in field.split("."):
            value = getattr(value, part, None)
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
    body, said = await bodies.read_as(request, AssignBody)
    return answered(await pick(request, seen, said, body))


async def pick(request: Request, seen: views.Seen, said: AssignBody, body: bytes) -> Settled:
    """Publish and await the caller's choice of service, or of several asked at once; raises the 422 of none."""
    services = list(dict.fromkeys([*([said.service] if said.service else []), *(said.services or [])]))
    if not services:
        raise wrong("/service", "pick a service, or send `services` to ask several at once")
    if any(len(s.split()) != 1 for s in services):
        raise wrong("/services", "not an id of a service; read GET /v1/services")
    asked = await events.ask(request, body)
    envelope_said, rest = events.said(request, asked), (said.reason or "", said.version or 0)
    if len(services) == 1:
        record = envelope.assigned(envelope_said, seen.state.id, services[0], *rest)
    else:
        record = envelope.offered(envelope_said, seen.state.id, services, *rest)
    return await settle(request, asked, record, seen.state.id)


async def authorize(request: Request) -> Response:
    """Approve, approve in part or deny: by the referral's payer."""
    seen = await found(request)
    body, said = await bodies.read_as(request, AuthorizationBody)
    return answered(await rule(request, seen, said, body))


async def rule(request: Request, seen: views.Seen, said: AuthorizationBody, body: bytes) -> Settled:
    """Publish and await the plan's decision."""
    details = {"units": said.units, "from": said.from_, "to": said.to, "reason": said.reason}
    if found := approval.problems(said.status, details):
        raise Problem("invalid", errors=[Wrong(f"/{field}", what) for field, what in found])
    asked = await events.ask(request, body)
    record = envelope.authorized(
        events.said(request, asked),
        seen.state.id,
        said.status,
        said.number or "",
        {k: v for k, v in details.items() if v is not None},
    )
    return await settle(request, asked, record, seen.state.id)
