"""Referral and Hop: what is known of a referral at one version; evolve.py folds the events into it.

Comes in and goes out: nothing but look-ups over itself. Never decides.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from referrals.submission import Coding
from referrals.words import HELD, OPEN_HOP, HopStatus, ReferralStatus

LIKELY_DUPLICATE = "likely-duplicate"


class Hop(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One recipient's turn. `offer`: the round it was asked in. `passed_on`: it failed, the referral went on.

    `attempts`: how often the person was tried and not reached.
    """

    hop: str
    number: int
    organization: str
    service: str
    status: HopStatus
    requested_at: datetime
    due_at: datetime
    answered_at: datetime | None = None
    reason: str | None = None
    waitlist: dict[str, Any] | None = None
    offer: int = 0
    assigned: bool = False
    passed_on: bool = False
    attempts: int = 0
    capacity_version: int | None = None
    closures: tuple[tuple[str, str], ...] = ()
    accepted_at: datetime | None = None
    contacted_at: datetime | None = None
    started_at: datetime | None = None
    review_date: str | None = None
    pauses: tuple[tuple[datetime, datetime | None], ...] = ()


class Outcome(Struct, frozen=True, omit_defaults=True):
    code: str
    need: str | None = None
    reason: str | None = None


class PayerBefore(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A plan that paid until another followed: what stood at that moment is what it goes on seeing."""

    payer: str
    contract: str
    until: datetime
    status: ReferralStatus
    services: int = 0


class Referral(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request for help for one person. Identity and notes are in the two sealed fields alone."""

    id: UUID
    sender: str
    sender_referral_id: str
    person_key: UUID
    domain: str
    digest: str
    contract: str
    hub: str
    status: ReferralStatus
    version: int
    requested_at: datetime
    created_at: datetime
    updated_at: datetime
    service: Coding | None = None
    programme: str | None = None
    code: Coding | None = None
    payer: str | None = None
    case_id: str | None = None
    priority: str = "routine"
    sensitivity: tuple[str, ...] = ()
    postal_code: str | None = None
    county: str | None = None
    language: str | None = None
    routing: str = "automatic"
    preferred: str | None = None
    excluded: tuple[str, ...] = ()
    consent_status: str = "active"
    consent_id: str | None = None
    flags: tuple[str, ...] = ()
    approval: str = "none"
    named_payer: str | None = None
    member: UUID | None = None
    payers_before: tuple[PayerBefore, ...] = ()
    hops: tuple[Hop, ...] = ()
    reason: str | None = None
    detail: str | None = None
    outcome: Outcome | None = None
    follow_up: str | None = None
    authorization: dict[str, Any] | None = None
    approval_asked_at: datetime | None = None
    approval_due_at: datetime | None = None
    services_delivered: tuple[dict[str, Any], ...] = ()
    accepted_at: datetime | None = None
    closed_at: datetime | None = None
    review_since: datetime | None = None
    came_due: dict[str, int] = {}
    sealed: bytes = b""
    outcome_sealed: bytes = b""

    def hop(self, hop: str) -> Hop | None:
        """The hop of that id, or None."""
        return next((h for h in self.hops if h.hop == hop), None)

    @property
    def open_hops(self) -> tuple[Hop, ...]:
        """The hops that still wait for an answer or are held."""
        return tuple(h for h in self.hops if h.status in OPEN_HOP)

    @property
    def asked(self) -> tuple[Hop, ...]:
        """The hops that wait for an answer: one offer round at most."""
        return tuple(h for h in self.hops if h.status is HopStatus.REQUESTED)

    @property
    def held(self) -> Hop | None:
        """The hop that holds the referral: one at most."""
        return next((h for h in self.hops if h.status in HELD), None)

    @property
    def response_due(self) -> Hop | None:
        """The hop whose first response is due next; its number is the deadline's generation."""
        return min(self.asked, key=lambda h: (h.due_at, h.number), default=None)

    @property
    def next_offer(self) -> int:
        """The number of the next offer round."""
        return max((h.offer for h in self.hops), default=0) + 1
