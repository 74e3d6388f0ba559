"""`evolve`: the state is the fold of the events.

Comes in: the state before (or None), one event, its time. Goes out: the state after. Never decides.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import structs

from referrals import events as e
from referrals import timing
from referrals.coverage import FLAGS
from referrals.state import LIKELY_DUPLICATE, OUTCOME_WITHHELD, Hop, Outcome, PayerBefore, Referral
from referrals.words import HopStatus, ReferralStatus


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


UNSUITABLE = "no-longer-suitable"
"""The flag of a referral whose holder accepted something else; the reason that ends a turn only asked for."""
_CONTENT = tuple(f for f in e.ReferralReceived.__struct_fields__ if f != "match_keys")
Changes = dict[str, Any]

# The status of a hop after each answer, and the referral's beside it; while others of its offer round are still
# asked, `received` is `requested`.
HOP_AFTER: dict[type[Any], tuple[HopStatus, ReferralStatus]] = {
    e.HopAccepted: (HopStatus.ACCEPTED, ReferralStatus.ACCEPTED),
    e.HopRejected: (HopStatus.REJECTED, ReferralStatus.RECEIVED),
    e.HopExpired: (HopStatus.EXPIRED, ReferralStatus.RECEIVED),
    e.HopStarted: (HopStatus.IN_PROGRESS, ReferralStatus.IN_PROGRESS),
    e.HopHeld: (HopStatus.ON_HOLD, ReferralStatus.ON_HOLD),
    e.HopResumed: (HopStatus.IN_PROGRESS, ReferralStatus.IN_PROGRESS),
    e.HopCompleted: (HopStatus.COMPLETED, ReferralStatus.COMPLETED),
    e.HopFailed: (HopStatus.FAILED, ReferralStatus.FAILED),
    e.HopFellThrough: (HopStatus.FAILED, ReferralStatus.RECEIVED),
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
    if isinstance(event, e.HopFellThrough):
        answer["passed_on"] = True
    if (before := state.hop(event.hop)) is not None:
        answer |= timing.timed(before, event, at)
    hops = _with(state, event.hop, **answer)
    if referral_status is ReferralStatus.RECEIVED and any(h.status is HopStatus.REQUESTED for h in hops):
        referral_status = ReferralStatus.REQUESTED
    changes: Changes = {"hops": hops, "status": referral_status}
    if isinstance(event, e.HopAccepted):
        changes |= {"accepted_at": state.accepted_at or at, "reason": None, "detail": None}
    if isinstance(event, e.HopCompleted | e.HopFailed):
        changes |= _outcome(state, event, sealed) | {"closed_at": at, "follow_up": event.follow_up}
    return changes


def _with(state: Referral, hop: str, **changes: Any) -> tuple[Hop, ...]:
    return tuple(structs.replace(h, **changes) if h.hop == hop else h for h in state.hops)


def _outcome(state: Referral, event: Any, sealed: bytes) -> Changes:
    found: Changes = {"outcome": Outcome(event.outcome, event.need), "outcome_sealed": sealed}
    return found | {
        "flags": (*_flags(state), *((OUTCOME_WITHHELD,) if getattr(event, "withheld", False) else ()))
    }


def _flags(state: Referral) -> tuple[str, ...]:
    """The flags but the one of a withheld outcome."""
    return tuple(f for f in state.flags if f != OUTCOME_WITHHELD)


OPEN_AGAIN: Changes = {"outcome": None, "outcome_sealed": b"", "closed_at": None, "follow_up": None}


def _hop_reopened(state: Referral, event: e.HopReopened, sealed: bytes, at: datetime) -> Changes:
    changes = _hop_answered(state, event, sealed, at)
    hops = tuple(structs.replace(h, reason=None) if h.hop == event.hop else h for h in changes["hops"])
    return changes | OPEN_AGAIN | {"hops": hops, "flags": _flags(state)}


def _closed(state: Referral, event: e.ReferralClosed, sealed: bytes, at: datetime) -> Changes:
    ended: Changes = {"status": ReferralStatus(event.status), "closed_at": at, "reason": None, "detail": None}
    return ended | _outcome(state, event, sealed) | {"follow_up": event.follow_up}


def _reopened(state: Referral, event: e.ReferralReopened, sealed: bytes, at: datetime) -> Changes:
    review: Changes = {"status": ReferralStatus.NEEDS_REVIEW, "reason": "reopened", "review_since": at}
    return OPEN_AGAIN | review | {"flags": _flags(state)}


def _corrected(state: Referral, event: e.OutcomeCorrected, sealed: bytes, at: datetime) -> Changes:
    hops = _with(state, event.hop, status=HopStatus(event.status), reason=event.outcome)
    return {"hops": hops, "status": ReferralStatus(event.status)} | _outcome(state, event, sealed)


def _hop_requested(state: Referral, event: e.HopRequested, sealed: bytes, at: datetime) -> Changes:
    hop = Hop(
        hop=event.hop,
        number=event.number,
        organization=event.organization,
        service=event.service,
        status=HopStatus.REQUESTED,
        requested_at=at,
        due_at=event.due_at,
        offer=event.offer,
        assigned=event.assigned,
        closures=event.closures,
        capacity_version=event.capacity_version,
    )
    return {"hops": (*state.hops, hop), "status": ReferralStatus.REQUESTED, "reason": None, "detail": None}


def _amended(state: Referral, event: e.ReferralAmended, sealed: bytes, at: datetime) -> Changes:
    kept = tuple(f for f in state.flags if f == LIKELY_DUPLICATE and f not in event.flags)
    content = {f: getattr(event, f) for f in _CONTENT} | {"flags": (*event.flags, *kept)}
    return content | {"sealed": sealed} | timing.another_plan(state, event)


def _ended(status: ReferralStatus) -> Callable[[Referral, Any, bytes, datetime], Changes]:
    def evolve_to_end(state: Referral, event: Any, sealed: bytes, at: datetime) -> Changes:
        return {"status": status, "reason": event.reason, "closed_at": state.closed_at or at}

    return evolve_to_end


def _never_was(state: Referral, event: e.ReferralEnteredInError, sealed: bytes, at: datetime) -> Changes:
    """What should never have been has no outcome; the one it had is in the facts before."""
    ended = _ended(ReferralStatus.ENTERED_IN_ERROR)(state, event, sealed, at)
    return ended | {"outcome": None, "outcome_sealed": b"", "follow_up": None}


def _review_needed(state: Referral, event: e.ReviewNeeded, sealed: bytes, at: datetime) -> Changes:
    why = {"reason": event.reason, "detail": event.detail}
    return why | {"status": ReferralStatus.NEEDS_REVIEW, "review_since": timing.in_review(state, at)}


def _duplicate_suspected(
    state: Referral, event: e.DuplicateSuspected, sealed: bytes, at: datetime
) -> Changes:
    return {"flags": tuple(dict.fromkeys((*state.flags, LIKELY_DUPLICATE)))}


def _service_delivered(state: Referral, event: e.ServiceDelivered, sealed: bytes, at: datetime) -> Changes:
    row = {f: getattr(event, f) for f in event.__struct_fields__}
    return {"services_delivered": (*state.services_delivered, row)}


def _service_voided(state: Referral, event: e.ServiceVoided, sealed: bytes, at: datetime) -> Changes:
    named = (event.hop, event.service_event_id)
    kept = tuple(s for s in state.services_delivered if (s["hop"], s["service_event_id"]) != named)
    return {"services_delivered": kept}


def _contact_made(state: Referral, event: e.ContactMade, sealed: bytes, at: datetime) -> Changes:
    hop = state.hop(event.hop)
    if hop is None:
        return {}
    tried = hop.attempts + (event.reached is False)
    return {"hops": _with(state, event.hop, attempts=tried, contacted_at=hop.contacted_at or at)}


def _unsuitable(state: Referral, event: e.HopUnsuitable, sealed: bytes, at: datetime) -> Changes:
    return {"flags": tuple(dict.fromkeys((*state.flags, UNSUITABLE)))}


def _assigned(state: Referral, event: e.ServiceAssigned, sealed: bytes, at: datetime) -> Changes:
    return {"consent_attested": True, "consent_said_at": at} if event.consent_attested else {}


def _coverage_changed(state: Referral, event: e.CoverageChanged, sealed: bytes, at: datetime) -> Changes:
    """The plan that paid keeps what stood when it left."""
    flags = (*(f for f in state.flags if f not in FLAGS), *event.flags)
    changes: Changes = {"payer": event.payer, "contract": event.contract, "flags": flags}
    changes |= {"approval": event.approval} | timing.another_plan(state, event)
    if state.payer is None or state.payer == event.payer:
        return changes
    left = PayerBefore(
        payer=state.payer,
        contract=state.contract,
        until=at,
        status=state.status,
        services=len(state.services_delivered),
    )
    return changes | {"payers_before": (*state.payers_before, left)}


def _unchanged(state: Referral, event: Any, sealed: bytes, at: datetime) -> Changes:
    return {}


_EVOLVE: dict[type[Any], Callable[[Referral, Any, bytes, datetime], Changes]] = {
    **dict.fromkeys(HOP_AFTER, _hop_answered),
    e.ReferralAmended: _amended,
    e.ReferralRefused: _ended(ReferralStatus.REFUSED),
    e.ReferralCancelled: _ended(ReferralStatus.CANCELLED),
    e.ReferralEnteredInError: _never_was,
    e.HopReopened: _hop_reopened,
    e.OutcomeCorrected: _corrected,
    e.ReferralClosed: _closed,
    e.ReferralReopened: _reopened,
    e.ReviewNeeded: _review_needed,
    e.DuplicateSuspected: _duplicate_suspected,
    e.RoutingDecided: _unchanged,
    e.ServiceAssigned: _assigned,
    e.HopRequested: _hop_requested,
    e.ContactMade: _contact_made,
    e.HopUnsuitable: _unsuitable,
    e.ServiceDelivered: _service_delivered,
    e.ServiceVoided: _service_voided,
    e.NoteAdded: _unchanged,
    e.AuthorizationRequested: lambda state, event, sealed, at: timing.asked(event, at),
    e.AuthorizationDecided: lambda state, event, sealed, at: timing.decided(state, event),
    **dict.fromkeys(timing.STAGES, lambda state, event, sealed, at: timing.came_due(state, event)),
    e.CoverageChanged: _coverage_changed,
}
