"""Step 4, lifecycle: decide(state, command) -> facts, or a Rejection; answers to a hop follow transitions.py.

Comes in: the referral (or None), one command with its envelope, the world as loaded. Goes out: facts in order, an
empty tuple when nothing changes, or why the command has no effect. Pure: `now` is the envelope's `at`.
"""

from collections.abc import Callable
from typing import Any

from referrals import commands as c
from referrals import events as e
from referrals.answering import respond
from referrals.authorizing import authorize
from referrals.cancelling import cancel
from referrals.clocks import FIRST_RESPONSE, deadlines
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


def _deadline_due(state: Referral, command: c.DeadlineDue, envelope: c.Envelope, world: World) -> Decision:
    """What is not among the referral's deadlines any more is stale, and does nothing."""
    asked = (command.kind, command.generation)
    found = next((d for d in deadlines(state) if (d.name, d.generation) == asked), None)
    if found is None:
        return ()
    hop = state.response_due
    if found.name != FIRST_RESPONSE or hop is None:
        return (e.Fact(found.event),)
    return expired(state, hop, envelope, world)


_DECIDE: dict[type[Any], Callable[[Referral, Any, c.Envelope, World], Decision]] = {
    c.Respond: respond,
    c.Cancel: cancel,
    c.Assign: assign,
    c.Authorize: authorize,
    c.DeadlineDue: _deadline_due,
    c.CoverageReached: reached,
}
