"""What a consent does to one referral: whether it may go on now, and what a changed consent or amendment stops.

Comes in: the referral, the world with the person's consent records, the moment. Goes out: facts. Pure.
"""

from msgspec import structs

from referrals import commands as c
from referrals import events as e
from referrals import words
from referrals.consenting import CHANGED, ENDED_HERE
from referrals.errors import RejectionReason as No
from referrals.permitting import released, standing
from referrals.placing import World, place
from referrals.sharing import sharing
from referrals.state import Referral
from referrals.words import ReferralStatus

REVOKED = "consent-revoked"
ABOUT_CONSENT = frozenset({"consent-absent", "consent-not-covering", "recipient-not-named", REVOKED})
HANDS_OFF = "do not contact the person"


def reached(
    state: Referral, command: c.ConsentReached, envelope: c.Envelope, world: World
) -> tuple[e.Fact, ...]:
    """A consent of the person has changed: one that ended stops the referral, whatever was said since."""
    if state.status in words.TERMINAL:
        return ()
    if command.effect == CHANGED:
        return again(state, envelope, world)
    end = sharing().revocation["own" if command.effect == ENDED_HERE else "linked"]
    if end == ReferralStatus.NEEDS_REVIEW and state.reason == REVOKED and not state.open_hops:
        return ()
    return stopped(state, ReferralStatus(end))


def stopped(state: Referral, end: ReferralStatus) -> tuple[e.Fact, ...]:
    """Every open hop is cancelled, and the referral ends or waits for a person."""
    hops = tuple(e.Fact(e.HopCancelled(hop=h.hop, reason=REVOKED)) for h in state.open_hops)
    if end is ReferralStatus.NEEDS_REVIEW:
        return (*hops, e.Fact(e.ReviewNeeded(reason=REVOKED, detail="ask the person whether this may go on")))
    return (*hops, e.Fact(e.ReferralCancelled(reason=REVOKED)))


def again(
    state: Referral, envelope: c.Envelope, world: World, waiting_for: frozenset[str] | None = ABOUT_CONSENT
) -> tuple[e.Fact, ...]:
    """The consent looked at again: hops it no longer allows are cancelled, what waits for such a reason goes on."""
    now, covered = standing(state, envelope.at, world)
    if now.verdict == "refuse":
        return stopped(state, ReferralStatus.CANCELLED)
    barred = [h for h in state.open_hops if now.verdict == "review" or not covered.allows(h.organization)]
    hops = tuple(e.Fact(e.HopCancelled(hop=h.hop, reason=REVOKED)) for h in barred)
    if len(barred) < len(state.open_hops):
        return hops
    waits = state.status is ReferralStatus.NEEDS_REVIEW
    if now.verdict == "review":
        known = waits and state.reason == now.reason
        return hops if known else (*hops, e.Fact(e.ReviewNeeded(reason=now.reason, detail=now.detail)))
    first = waiting_for is None and state.status in (ReferralStatus.NEEDS_REVIEW, ReferralStatus.RECEIVED)
    if hops or first or (waits and state.reason in (waiting_for or ())):
        return (*hops, *place(state, envelope, world, asked=frozenset(h.organization for h in barred)))
    return ()


def barred(
    state: Referral, organization: str, envelope: c.Envelope, world: World, asked_now: bool = False
) -> c.Rejection | None:
    """Why the consents do not let that organization have the referral, or None.

    `asked_now`: a navigator has asked the person, which makes up for a consent that is missing, not for one revoked.
    """
    now, covered = standing(state, envelope.at, world)
    if now.verdict == "refuse" or (now.verdict == "review" and not asked_now):
        return c.Rejection(No.NO_CONSENT, f"{now.detail}; {HANDS_OFF}")
    return None if covered.allows(organization) else c.Rejection(No.NO_CONSENT, covered.why)


def attested(state: Referral, envelope: c.Envelope, world: World) -> bool:
    """Whether assigning says that the person has agreed, because no consent that was sent is in force."""
    return standing(state, envelope.at, world)[0].verdict == "review"


def marked(state: Referral, facts: tuple[e.Fact, ...], world: World) -> tuple[e.Fact, ...]:
    """The facts that close a referral, each with whether its outcome is released and by which rule."""
    if not any(isinstance(f.event, e.OutcomeEvent) for f in facts):
        return facts
    by = released(state, world)
    said = {"withheld": not by.outcome, "sharing": by.rule}
    return tuple(
        structs.replace(f, event=structs.replace(f.event, **said))
        if isinstance(f.event, e.OutcomeEvent)
        else f
        for f in facts
    )
