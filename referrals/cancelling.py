"""The sender takes a referral back, also before we have heard of it: then a tombstone waits for the submission.

Comes in: the referral if known, a Cancel, its envelope, the world as loaded. Goes out: facts. Pure.
"""

from uuid import UUID

from referrals import commands as c
from referrals import events as e
from referrals import words
from referrals.errors import RejectionReason as No
from referrals.placing import World
from referrals.state import Referral
from referrals.words import ReferralStatus

TOMBSTONE = "tombstone"
TOMBSTONED = "referral-tombstoned"


def cancel(
    state: Referral, command: c.Cancel, envelope: c.Envelope, world: World
) -> tuple[e.Fact, ...] | c.Rejection:
    """The sender takes it back, or says it should never have been; the reason's row says which end that is."""
    if envelope.organization != state.sender:
        return c.Rejection(No.NOT_PERMITTED, "only its sender takes a referral back")
    row = words.table("cancel_reasons").get(command.reason)
    end = ReferralStatus(row["ends"]) if row else ReferralStatus.CANCELLED
    if state.status is end:
        return ()
    if state.status in words.TERMINAL and end is not ReferralStatus.ENTERED_IN_ERROR:
        return c.Rejection(No.CLOSED, f"the referral is {state.status}; it cannot be cancelled any more")
    if row is None:
        return _unknown_reason()
    hops = [e.Fact(e.HopCancelled(hop=h.hop, reason=command.reason)) for h in state.open_hops]
    return (*hops, e.Fact(ended(command.reason), world.seal((command.note or "").encode())))


def cancel_unknown(
    referral: UUID, command: c.Cancel, envelope: c.Envelope, world: World
) -> c.RecordFact | c.Rejection | None:
    """A cancel that overtook its submission: the tombstone to record; None when one waits already.

    A stream of its own, not the referral's: there is no person, need or contract to make a referral of yet. Its note
    is not kept: nobody reads it, and there is no person yet under whose key it could be.
    """
    if envelope.organization not in world.organizations:
        return c.Rejection(No.UNKNOWN_REFERRAL, "no such referral; send it first")
    if command.reason not in words.table("cancel_reasons"):
        return _unknown_reason()
    if referral in world.tombstones:
        return None
    data = {"reason": command.reason, "sender": envelope.organization}
    return c.RecordFact(TOMBSTONE, referral, TOMBSTONED, data)


def ended(reason: str) -> e.ReferralCancelled | e.ReferralEnteredInError:
    """The event with which a reason of cancel_reasons ends a referral."""
    end = ReferralStatus(words.table("cancel_reasons")[reason]["ends"])
    made = e.ReferralEnteredInError if end is ReferralStatus.ENTERED_IN_ERROR else e.ReferralCancelled
    return made(reason=reason)


def _unknown_reason() -> c.Rejection:
    return c.Rejection(No.INVALID, f"reason must be one of {', '.join(words.table('cancel_reasons'))}")
