"""Step 4, lifecycle: decide(state, command) -> facts, or a Rejection; answers to a hop follow transitions.py.

Comes in: the referral (or None), one command with its envelope, the world as loaded. Goes out: facts in order, an
empty tuple when nothing changes, or why the command has no effect. Pure: `now` is the envelope's `at`.
"""

from collections.abc import Callable
from typing import Any

from referrals import commands as c
from referrals import events as e
from referrals import words
from referrals.answering import respond
from referrals.cancelling import cancel
from referrals.covering import reached
from referrals.errors import RejectionReason as No
from referrals.offers import expired
from referrals.placing import World
from referrals.reviewing import Decision, assign
from referrals.state import Referral
from referrals.submitting import submit


def decide(state: Referral | None, command: c.Command, envelope: c.Envelope, world: World) -> Decision:
    """The facts a command makes, in order; total over every command and every state."""
    if isinstance(command, c.Submit):
        return submit(state, command, envelope, world)
    if state is None:
        return c.Rejection(No.UNKNOWN_REFERRAL, "no such referral; send it first")
    return _DECIDE[type(command)](state, command, envelope, world)


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
    return expired(state, hop, envelope, world)


_DECIDE: dict[type[Any], Callable[[Referral, Any, c.Envelope, World], Decision]] = {
    c.Respond: respond,
    c.Cancel: cancel,
    c.Assign: assign,
    c.Authorize: _authorize,
    c.DeadlineDue: _deadline_due,
    c.CoverageReached: reached,
}
