"""Where a person is helped with a need already, or was lately, by another referral.

Comes in: referrals. Goes out: organizations. Pure; what is done about it (flag, exclude) is the routing policy's word.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from referrals.state import Referral
from referrals.words import HELD, HopStatus

Need = tuple[UUID, str]
HELPING = HELD | {HopStatus.COMPLETED}


class Help(NamedTuple):
    """One help: by which referral and organization, until when (None = still)."""

    referral: UUID
    organization: str
    until: datetime | None


def need_of(state: Referral) -> Need:
    """The person (as its sender knows them) and the need."""
    return (state.person_key, state.domain)


def helps_of(state: Referral) -> tuple[Help, ...]:
    """What a referral tells: who helps by it, or has helped."""
    return tuple(
        Help(state.id, hop.organization, hop.answered_at if hop.status is HopStatus.COMPLETED else None)
        for hop in state.hops
        if hop.status in HELPING
    )


def receiving(helps: Iterable[Help], referral: UUID, at: datetime, days: int) -> frozenset[str]:
    """The organizations that help by other referrals, or did within so many days."""
    since = at - timedelta(days=days)
    return frozenset(
        h.organization for h in helps if h.referral != referral and (h.until is None or h.until >= since)
    )
