"""Step 4, lifecycle: decide(state, command) -> facts, or a Rejection; answers to a hop follow transitions.py.

Comes in: the referral (or None), one command with its envelope, the world as loaded. Goes out: facts in order, an
empty tuple when nothing changes, or why the command has no effect. Pure: `now` is the envelope's `at`.
"""

from collections.abc import Callable
from typing import Any

from referrals import commands as c
from referrals import events as e
from referrals import words
from referrals.answering import HANDS_OFF, Decision, respond
from referrals.cancelling import cancel
from referrals.errors import RejectionReason as No
from referrals.permitting import standing
from referrals.placing import World, place
from referrals.state import Referral
from referrals.submitting import submit
from referrals.withdrawing import marked, reached
from referrals.words import ReferralStatus


def decide(state: Referral | None, command: c.Command, envelope: c.Envelope, world: World) -> Decision:
    """The facts a command makes, in order; total over every command and every state."""
    if isinstance(command, c.Submit):
        return submit(state, command, envelope, world)
    if state is None:
        return c.Rejection(No.UNKNOWN_REFERRAL, "no such referral; send it first")
    decision = _DECIDE[type(command)](state, command, envelope, world)
    return decision if isinstance(decision, c.Rejection) else marked(state, decision, world)


def _respond(state: Referral, command: c.Respond, envelope: c.Envelope, world: World) -> Decision:
    """An answer; nobody takes on a person whose consent has ended or does not cover them."""
    decision = respond(state, command, envelope, world)
    accepts = command.action == "accept" and not isinstance(decision, c.Rejection) and decision != ()
    return _barred(state, envelope.organization, envelope, world) or decision if accepts else decision


def _barred(
    state: Referral, organization: str, envelope: c.Envelope, world: World, asked_now: bool = False
) -> c.Rejection | None:
    """Why the consents do not let that organization have the referral, or None.

    `asked_now`: a navigator has asked the person, which makes up for a consent that is missing, not for one revoked.
    """
    now, covered = standing(state, envelope.at, world)
    if now.verdict == "refuse" or (now.verdict == "review" and not asked_now):
        return c.Rejection(No.NO_CONSENT, f"{now.detail}; {HANDS_OFF}")
    return None if covered.allows(organization) else c.Rejection(No.NO_CONSENT, covered.why)


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
    if (barred := _barred(state, service.organization, envelope, world, asked_now=True)) is not None:
        return barred
    attested = standing(state, envelope.at, world)[0].verdict == "review"
    chosen = e.ServiceAssigned(
        service=service.id,
        organization=service.organization,
        reason=command.reason,
        consent_attested=attested,
    )
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
    c.Respond: _respond,
    c.Cancel: cancel,
    c.Assign: _assign,
    c.Authorize: _authorize,
    c.DeadlineDue: _deadline_due,
    c.ConsentReached: reached,
}
