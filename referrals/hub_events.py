"""What a navigator at the hub does to a referral, as facts: part of the union in events.py.

Never edited after release: a new meaning is a new type.
"""

from msgspec import Struct


class _Event(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """The base of these facts; the tag is the `type` that outsiders read."""


class ServiceAssigned(_Event, frozen=True, tag="service-assigned"):
    service: str
    organization: str
    reason: str | None = None


class ReferralClosed(_Event, frozen=True, tag="referral-closed"):
    """Closed with an outcome by the hub that reviews it, or by the plan's denial; completed or failed."""

    status: str
    outcome: str
    need: str = "unknown"
    follow_up: str | None = None


class ReferralReopened(_Event, frozen=True, tag="referral-reopened"):
    """The hub takes up again what it had closed; the outcome is in the facts before."""
