"""Referral and Hop, and `evolve`: the state is the fold of the events.

Comes in: the state before (or None), one event, its time. Goes out: the state after. Never decides.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from referrals import events as e
from referrals import timing
from referrals.submission import Coding
from referrals.words import OPEN_HOP, HopStatus, ReferralStatus


class Hop(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One recipient's turn."""

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
    hops: tuple[Hop, ...] = ()
    reason: str | None = None
    detail: str | None = None
    outcome: Outcome | None = None
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
    def response_due(self) -> Hop | None:
        """The hop whose first response is awaited."""
        return next((h for h in reversed(self.hops) if h.status is HopStatus.REQUESTED), None)


def evolve(state: Referral | None, referral_id: UUID, fact: e.Fact, at: datetime) -> Referral:
    """The state after one fact; total over every event type, so that a rebuild never decides anything."""
    event = fact.event
    if state is None:
        if not isinstance(event, e.ReferralReceived):
            raise ValueError(f"the first fact of {referral_id} is {e.type_of(event)}, not referral-received")
        content = {f: getattr(event, f) for f in _CONTENT}
        return Referral(
            id=referral_id,
            status=ReferralStatus.RECEIVED,
            version=1,
            created_at=at,
            updated_at=at,
            sealed=fact.sealed,
            **content,
        )
    changes = _EVOLVE[type(event)](state, event, fact.sealed, at)
    changes |= {"version": state.version + 1, "updated_at": at}
    after: Referral = structs.replace(state, **changes)
    return after


_CONTENT = e.ReferralReceived.__struct_fields__
Changes = dict[str, Any]

# The status of a hop after each answer, and the referral's beside it (None = as it was).
HOP_AFTER: dict[type[Any], tuple[HopStatus, ReferralStatus | None]] = {
    e.HopAccepted: (HopStatus.ACCEPTED, ReferralStatus.ACCEPTED),
    e.HopRejected: (HopStatus.REJECTED, ReferralStatus.RECEIVED),
    e.HopExpired: (HopStatus.EXPIRED, ReferralStatus.RECEIVED),
    e.HopStarted: (HopStatus.IN_PROGRESS, ReferralStatus.IN_PROGRESS),
    e.HopHeld: (HopStatus.ON_HOLD, ReferralStatus.ON_HOLD),
    e.HopResumed: (HopStatus.IN_PROGRESS, ReferralStatus.IN_PROGRESS),
    e.HopCompleted: (HopStatus.COMPLETED, ReferralStatus.COMPLETED),
    e.HopFailed: (HopStatus.FAILED, ReferralStatus.FAILED),
    e.HopCancelled: (HopStatus.CANCELLED, ReferralStatus.RECEIVED),
    e.HopWithdrawn: (HopStatus.CANCELLED, ReferralStatus.RECEIVED),
    e.HopTransferred: (HopStatus.REJECTED, ReferralStatus.RECEIVED),
    e.HopSuperseded: (HopStatus.CANCELLED, ReferralStatus.RECEIVED),
    e.HopReopened: (HopStatus.IN_PROGRESS, ReferralStatus.IN_PROGRESS),
}


def _hop_answered(state: Referral, event: Any, sealed: bytes, at: datetime) -> Changes:
    hop_status, referral_status = HOP_AFTER[type(event)]
    answer: Changes = {"status": hop_status, "answered_at": at}
    if (reason := getattr(event, "reason", None) or getattr(event, "outcome", None)) is not None:
        answer["reason"] = reason
    if isinstance(event, e.HopHeld):
        answer["waitlist"] = event.waitlist
    hops = tuple(
        structs.replace(h, **answer, **timing.timed(h, event, at)) if h.hop == event.hop else h
        for h in state.hops
    )
    changes: Changes = {"hops": hops, "status": referral_status or state.status}
    if isinstance(event, e.HopAccepted):
        changes |= {"accepted_at": state.accepted_at or at, "reason": None, "detail": None}
    if isinstance(event, e.HopCompleted | e.HopFailed):
        outcome = Outcome(event.outcome, event.need)
        changes |= {"outcome": outcome, "outcome_sealed": sealed, "closed_at": at}
    return changes


def _hop_reopened(state: Referral, event: e.HopReopened, sealed: bytes, at: datetime) -> Changes:
    changes = _hop_answered(state, event, sealed, at)
    hops = tuple(structs.replace(h, reason=None) if h.hop == event.hop else h for h in changes["hops"])
    return changes | {"hops": hops, "outcome": None, "outcome_sealed": b"", "closed_at": None}


def _corrected(state: Referral, event: e.OutcomeCorrected, sealed: bytes, at: datetime) -> Changes:
    answer: Changes = {"status": HopStatus(event.status), "reason": event.outcome}
    hops = tuple(structs.replace(h, **answer) if h.hop == event.hop else h for h in state.hops)
    outcome = Outcome(event.outcome, event.need)
    status = ReferralStatus(event.status)
    return {"hops": hops, "status": status, "outcome": outcome, "outcome_sealed": sealed}


def _hop_requested(state: Referral, event: e.HopRequested, sealed: bytes, at: datetime) -> Changes:
    hop = Hop(
        hop=event.hop,
        number=event.number,
        organization=event.organization,
        service=event.service,
        status=HopStatus.REQUESTED,
        requested_at=at,
        due_at=event.due_at,
        closures=event.closures,
    )
    return {"hops": (*state.hops, hop), "status": ReferralStatus.REQUESTED, "reason": None, "detail": None}


def _amended(state: Referral, event: e.ReferralAmended, sealed: bytes, at: datetime) -> Changes:
    content = {f: getattr(event, f) for f in _CONTENT} | {"sealed": sealed}
    return content | timing.another_plan(state, event)


def _ended(status: ReferralStatus) -> Callable[[Referral, Any, bytes, datetime], Changes]:
    def evolve_to_end(state: Referral, event: Any, sealed: bytes, at: datetime) -> Changes:
        return {"status": status, "reason": event.reason, "closed_at": state.closed_at or at}

    return evolve_to_end


def _review_needed(state: Referral, event: e.ReviewNeeded, sealed: bytes, at: datetime) -> Changes:
    why = {"reason": event.reason, "detail": event.detail}
    return why | {"status": ReferralStatus.NEEDS_REVIEW, "review_since": timing.in_review(state, at)}


def _closed(state: Referral, event: e.ReferralClosed, sealed: bytes, at: datetime) -> Changes:
    outcome = Outcome(event.outcome, event.need)
    changes: Changes = {"outcome": outcome, "outcome_sealed": sealed, "closed_at": at}
    return changes | {"status": ReferralStatus(event.status), "reason": None, "detail": None}


def _service_delivered(state: Referral, event: e.ServiceDelivered, sealed: bytes, at: datetime) -> Changes:
    row = {f: getattr(event, f) for f in event.__struct_fields__}
    return {"services_delivered": (*state.services_delivered, row)}


def _unchanged(state: Referral, event: Any, sealed: bytes, at: datetime) -> Changes:
    return {}


_EVOLVE: dict[type[Any], Callable[[Referral, Any, bytes, datetime], Changes]] = {
    **dict.fromkeys(HOP_AFTER, _hop_answered),
    e.ReferralAmended: _amended,
    e.ReferralRefused: _ended(ReferralStatus.REFUSED),
    e.ReferralCancelled: _ended(ReferralStatus.CANCELLED),
    e.ReferralEnteredInError: _ended(ReferralStatus.ENTERED_IN_ERROR),
    e.HopReopened: _hop_reopened,
    e.OutcomeCorrected: _corrected,
    e.ReviewNeeded: _review_needed,
    e.RoutingDecided: _unchanged,
    e.ServiceAssigned: _unchanged,
    e.HopRequested: _hop_requested,
    e.ContactMade: lambda state, event, sealed, at: timing.contacted(state, event, at),
    e.ServiceDelivered: _service_delivered,
    e.NoteAdded: _unchanged,
    e.AuthorizationRequested: lambda state, event, sealed, at: timing.asked(event, at),
    e.AuthorizationDecided: lambda state, event, sealed, at: timing.decided(state, event),
    e.ReferralClosed: _closed,
    **dict.fromkeys(timing.STAGES, lambda state, event, sealed, at: timing.came_due(state, event)),
}
