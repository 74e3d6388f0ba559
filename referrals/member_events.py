"""What is found out about whose referral it is: a likely duplicate, another plan; part of the union in events.py.

Never edited after release: a new meaning is a new type.
"""

from datetime import date
from uuid import UUID

from referrals.event_base import EventBase


class DuplicateSuspected(EventBase, frozen=True, kw_only=True, tag="duplicate-suspected"):
    """Likely the same person with the same need as an earlier referral: which fields say so, never a value.

    `action` = what the contract does about it (flag, hold, refuse); `score` 0..100.
    """

    earlier: UUID
    earlier_sender: str
    action: str
    days_apart: int
    score: int
    same: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()


class CoverageChanged(EventBase, frozen=True, kw_only=True, tag="coverage-changed"):
    """Another plan pays (or none), since the day its spell began; or what was doubtful of it has changed."""

    payer: str | None = None
    contract: str
    approval: str = "none"
    payer_before: str | None = None
    since: date | None = None
    flags: tuple[str, ...] = ()
