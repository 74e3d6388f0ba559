"""The plan decides: an approval lets a waiting referral go on, a denial ends what has not started.

Comes in: the referral, an Authorize, its envelope, the world as loaded. Goes out: facts, or a Rejection. Pure.
"""

from referrals import approval
from referrals import commands as c
from referrals import events as e
from referrals.errors import RejectionReason as No
from referrals.evolve import evolve
from referrals.placing import World, place
from referrals.state import Referral
from referrals.words import HELD, TERMINAL, ReferralStatus

DENIED = "not-authorized"
FIELDS = ("number", "units", "from", "to", "reason")


def authorize(
    state: Referral, command: c.Authorize, envelope: c.Envelope, world: World
) -> tuple[e.Fact, ...] | c.Rejection:
    """The plan's decision and what follows. A later one replaces it; after the end it is recorded alone."""
    if envelope.organization != state.payer:
        return c.Rejection(No.NOT_PERMITTED, "only the referral's payer authorizes it")
    if wrong := approval.problems(command.status, command.details):
        return c.Rejection(No.INVALID, "; ".join(f"{field}: {what}" for field, what in wrong))
    event = _decided(command)
    fact = e.Fact(event)
    after = evolve(state, state.id, fact, envelope.at)
    if state.authorization == after.authorization:
        return ()
    if state.approval == "none" or state.status in TERMINAL:
        return (fact,)
    if event.status == "denied":
        return (fact, *_ended(state))
    waiting = state.status is ReferralStatus.RECEIVED and not state.open_hops
    return (fact, *place(after, envelope, world)) if waiting else (fact,)


def another_plan(state: Referral, envelope: c.Envelope, world: World) -> tuple[e.Fact, ...]:
    """Another plan pays now: it is asked; what waited for the one before goes on when this one wants no approval."""
    if state.open_hops:
        return approval.ask(state, envelope.at)
    return place(state, envelope, world) if state.status is ReferralStatus.RECEIVED else ()


def _decided(command: c.Authorize) -> e.AuthorizationDecided:
    said = {k: command.details.get(k) for k in FIELDS}
    return e.AuthorizationDecided(
        status=command.status,
        number=said["number"],
        units=said["units"],
        from_=said["from"],
        to=said["to"],
        reason=said["reason"],
    )


def _ended(state: Referral) -> tuple[e.Fact, ...]:
    """A denial ends the referral, unless help has started: that is not undone. Nobody else is asked."""
    held = next((h for h in state.hops if h.status in HELD), None)
    if held is not None and held.started_at is not None:
        return ()
    told = [
        e.Fact(e.HopSuperseded(hop=h.hop, reason="approval-denied"))
        for h in state.open_hops
        if h.status not in HELD
    ]
    if held is None:
        return (*told, approval.not_authorized())
    return (*told, e.Fact(e.HopFailed(hop=held.hop, outcome=DENIED, need="unresolved")))
