"""Assisted hops: a navigator at the hub telephones or faxes, and records the answer for the organization.

Comes in: the referral, a hop, the envelope (the hub's, `on_behalf_of` the organization). Goes out: who answers, and
whether the hub may. Pure. The facts keep both: actor the hub, on behalf of the organization, channel phone or fax.
"""

from datetime import timedelta

from referrals.commands import Envelope, Rejection
from referrals.contracts import contract_of
from referrals.errors import RejectionReason as No
from referrals.state import Hop, Referral
from referrals.words import ASSISTED


def answers_for(state: Referral, envelope: Envelope) -> str:
    """The organization whose hop is answered: the caller's own, or the one for which its hub answers."""
    assists = envelope.organization == state.hub and envelope.channel in ASSISTED
    return envelope.on_behalf_of or "" if assists else envelope.organization


def too_soon(state: Referral, hop: Hop, envelope: Envelope) -> Rejection | None:
    """Why the hub may not answer for this organization yet, or None.

    It may at once where it assigned the organization itself, or where the contract lists it as one that answers by
    telephone; else after the contract's hours of silence.
    """
    if envelope.organization == hop.organization:
        return None
    contract = contract_of(state.contract)
    if hop.assigned or hop.organization in contract.answered_by_phone:
        return None
    since = hop.requested_at + timedelta(hours=contract.assisted_after_hours)
    if envelope.at >= since:
        return None
    detail = f"this organization answers online; record its answer from {since:%Y-%m-%d %H:%M} UTC on"
    return Rejection(No.NOT_PERMITTED, detail)
