"""Step 4, lifecycle: decide(state, command) -> facts, or a Rejection; answers to a hop follow transitions.py.

Comes in: the referral (or None), one command with its envelope, the world as loaded. Goes out: facts in order, an
empty tuple when nothing changes, or why the command has no effect. Pure: `now` is the envelope's `at`.
"""

from collections.abc import Callable
from typing import Any

from referrals import commands as c
from referrals import events as e
from referrals import words
from referrals.answering import Decision, respond
from referrals.cancelling import cancel
from referrals.errors import RejectionReason as No
from referrals.placing import World, place
from referrals.state import Referral
from referrals.submitting import submit
from referrals.words import ReferralStatus


def decide(state: Referral | None, command: c.Command, envelope: c.Envelope, world: World) -> Decision:
    """The facts a command makes, in order; total over every command and every state."""
    if isinstance(command, c.Submit):
        return submit(state, command, envelope, world)
    if state is None:
        return c.Rejection(No.UNKNOWN_REFERRAL, "no such referral; send it first")
    return _DECIDE[type(command)](state, command, envelope, world)


def _assign(state: Referral, command: c.Assign, envelope: c.Envelope, world: World) -> Decision:
    if envelope.organization != state.hub:
        return c.Rejection(No.NOT_PERMITTED, "only the hub that reviews this referral assigns it")
    if state.status is not ReferralStatus.NEEDS_REVIEW:
        return c.Rejection(No.ILLEGAL, f"the referral is {state.status}, not needs-review")
    if command.version is not None and command.version != state.version:
        return c.Rejection(No.STALE, f"the referral is at version {state.version}, not {command.version}")
    service = world.directory.services.get(command.service)
    if service is None or not service.active:
        return c.Rejection(No.UNKNOWN_SERVICE, "pick an active service of the directory")
    if any(h.organization == service.organization for h in state.hops):
        return c.Rejection(No.ILLEGAL, "this organization was asked before; pick another")
    if (full := world.standings.full(service, envelope.at.date())) is not None:
        return c.Rejection(No.ILLEGAL, f"{full}; pick another service")
    chosen = e.ServiceAssigned(service=service.id, organization=service.organization, reason=command.reason)
    return (e.Fact(chosen), e.Fact(world.request(state, service, envelope.at)))


def _authorize(state: Referral, command: c.Authorize, envelope: c.Envelope, world: World) -> Decision:
    if envelope.organization != state.payer:
        return c.Rejection(No.NOT_PERMITTED, "only the referral's payer authorizes it")
    if command.status not in words.AUTHORIZATIONS:
        *first, last = words.AUTHORIZATIONS
        return c.Rejection(No.INVALID, f"status must be {', '.join(first)} or {last}")
    details = {("from_" if k == "from" else k): v for k, v in command.details.items()}
    known = {
        k: v for k, v in details.items() if k in e.AuthorizationDecided.__struct_fields__ and k != "status"
    }
    return (e.Fact(e.AuthorizationDecided(status=command.status, **known)),)


def _deadline_due(state: Referral, command: c.DeadlineDue, envelope: c.Envelope, world: World) -> Decision:
    hop = state.response_due
    if hop is None or hop.number != command.generation:
        return ()
    expired = e.Fact(e.HopExpired(hop=hop.hop))
    return (expired, *place(state, envelope, world, asked=frozenset({hop.organization})))


_DECIDE: dict[type[Any], Callable[[Referral, Any, c.Envelope, World], Decision]] = {
    c.Respond: respond,
    c.Cancel: cancel,
    c.Assign: _assign,
    c.Authorize: _authorize,
    c.DeadlineDue: _deadline_due,
}
