"""What a navigator at the hub does to a referral, as facts: part of the union in events.py.

Never edited after release: a new meaning is a new type.
"""

from referrals.event_base import EventBase


class ServiceAssigned(EventBase, frozen=True, tag="service-assigned"):
    service: str
    organization: str
    reason: str | None = None
    consent_attested: bool = False


class ReferralClosed(EventBase, frozen=True, tag="referral-closed"):
    """Closed with an outcome by the hub that reviews it, or by the plan's denial; completed or failed."""

    status: str
    outcome: str
    need: str = "unknown"
    follow_up: str | None = None


class ReferralReopened(EventBase, frozen=True, tag="referral-reopened"):
    """The hub takes up again what it had closed; the outcome is in the facts before."""
