"""Step 4, lifecycle: decide(state, command) -> facts, or a Rejection; answers to a hop follow transitions.py.

Comes in: the referral (or None), one command with its envelope, the world as loaded. Goes out: facts in order, an
empty tuple when nothing changes, or why the command has no effect. Pure: `now` is the envelope's `at`.
"""

from collections.abc import Callable
from typing import Any

from referrals import approval
from referrals import commands as c
from referrals import events as e
from referrals.answering import Decision, respond
from referrals.authorizing import authorize
from referrals.cancelling import cancel
from referrals.clocks import FIRST_RESPONSE, deadlines
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
    if approval.holds_back(state):
        return c.Rejection(No.NOT_AUTHORIZED, f"{state.payer} must approve before anybody is asked")
    service = world.directory.services.get(command.service)
    if service is None or not service.active:
        return c.Rejection(No.UNKNOWN_SERVICE, "pick an active service of the directory")
    if any(h.organization == service.organization for h in state.hops):
        return c.Rejection(No.ILLEGAL, "this organization was asked before; pick another")
    chosen = e.ServiceAssigned(service=service.id, organization=service.organization, reason=command.reason)
    return (e.Fact(chosen), e.Fact(world.request(state, service, envelope.at)))


def _deadline_due(state: Referral, command: c.DeadlineDue, envelope: c.Envelope, world: World) -> Decision:
    """What is not among the referral's deadlines any more is stale, and does nothing."""
    asked = (command.kind, command.generation)
    found = next((d for d in deadlines(state) if (d.name, d.generation) == asked), None)
    if found is None:
        return ()
    hop = state.response_due
    if found.name != FIRST_RESPONSE or hop is None:
        return (e.Fact(found.event),)
    expired = e.Fact(e.HopExpired(hop=hop.hop))
    return (expired, *place(state, envelope, world, asked=frozenset({hop.organization})))


_DECIDE: dict[type[Any], Callable[[Referral, Any, c.Envelope, World], Decision]] = {
    c.Respond: respond,
    c.Cancel: cancel,
    c.Assign: _assign,
    c.Authorize: authorize,
    c.DeadlineDue: _deadline_due,
}
