"""What has happened to a referral, as frozen structs: the only thing that changes its state.

Never edited after release: a new meaning is a new type. Free text and identity travel in `Fact.sealed`.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, field

from referrals.clock_events import AuthorizationDecided as AuthorizationDecided
from referrals.clock_events import AuthorizationRequested as AuthorizationRequested
from referrals.clock_events import ClockEvent as ClockEvent
from referrals.clock_events import DeadlineEscalated as DeadlineEscalated
from referrals.clock_events import DeadlineMissed as DeadlineMissed
from referrals.clock_events import ReminderDue as ReminderDue
from referrals.event_base import EventBase
from referrals.explained import Candidate as Candidate
from referrals.explained import ExcludedBy as ExcludedBy
from referrals.hub_events import ReferralClosed as ReferralClosed
from referrals.hub_events import ReferralReopened as ReferralReopened
from referrals.hub_events import ServiceAssigned as ServiceAssigned
from referrals.member_events import CoverageChanged as CoverageChanged
from referrals.member_events import DuplicateSuspected as DuplicateSuspected
from referrals.submission import Coding


class ReferralReceived(EventBase, frozen=True, kw_only=True, tag="referral-received"):
    sender: str
    sender_referral_id: str
    person_key: UUID
    domain: str
    service: Coding | None = None
    programme: str | None = None
    code: Coding | None = None
    digest: str
    requested_at: datetime
    contract: str
    hub: str
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
    consent_said_at: datetime | None = None
    approval: str = "none"
    named_payer: str | None = None
    member: UUID | None = None
    match_keys: tuple[UUID, ...] = ()


class ReferralAmended(ReferralReceived, frozen=True, kw_only=True, tag="referral-amended"):
    """The whole canonical content again, with the names of the fields that changed."""

    changed: tuple[str, ...] = ()


class ReferralRefused(EventBase, frozen=True, tag="referral-refused"):
    reason: str
    detail: str


class ReviewNeeded(EventBase, frozen=True, tag="review-needed"):
    reason: str
    detail: str


class ReferralCancelled(EventBase, frozen=True, tag="referral-cancelled"):
    reason: str


class ReferralEnteredInError(EventBase, frozen=True, tag="referral-entered-in-error"):
    """The sender says that this referral should never have been; it may follow any end."""

    reason: str


class RoutingDecided(EventBase, frozen=True, tag="routing-decided"):
    """The decision explained (interfaces.md, Routing); `chosen` is a service id or None."""

    decided_at: datetime
    policy: str
    directory_version: int
    chosen: str | None = None
    candidates: tuple[Candidate, ...] = ()
    others_excluded: dict[str, int] = field(default_factory=dict)


class HopRequested(EventBase, frozen=True, tag="hop-requested"):
    """An organization is asked. `offer` is the round: those asked at once share it, the first to accept wins."""

    hop: str
    number: int
    organization: str
    service: str
    due_at: datetime
    offer: int = 0
    assigned: bool = False
    capacity_version: int | None = None
    """The capacity statement that this request takes a place of; None where the service states no number."""
    closures: tuple[tuple[str, str], ...] = ()


class HopEvent(EventBase, frozen=True):
    """The base of every answer to a hop."""

    hop: str


class HopAccepted(HopEvent, frozen=True, tag="hop-accepted"):
    pass


class HopRejected(HopEvent, frozen=True, tag="hop-rejected"):
    """`close_service`: its CBO wants no more requests for this service until it says that it has room."""

    reason: str
    close_service: bool = False


class HopExpired(HopEvent, frozen=True, tag="hop-expired"):
    pass


class HopStarted(HopEvent, frozen=True, tag="hop-started"):
    pass


class HopHeld(HopEvent, frozen=True, tag="hop-held"):
    reason: str
    review_date: str | None = None
    waitlist: dict[str, Any] | None = None


class HopResumed(HopEvent, frozen=True, tag="hop-resumed"):
    pass


class OutcomeEvent(HopEvent, frozen=True, kw_only=True):
    """It says how it ended; `withheld` from sender and payer, by the rule and version that `sharing` names."""

    withheld: bool = False
    sharing: str | None = None


class HopCompleted(OutcomeEvent, frozen=True, tag="hop-completed"):
    outcome: str
    need: str = "unknown"
    follow_up: str | None = None


class HopFailed(OutcomeEvent, frozen=True, tag="hop-failed"):
    outcome: str
    need: str = "unresolved"
    follow_up: str | None = None


class HopFellThrough(OutcomeEvent, frozen=True, tag="hop-fell-through"):
    """It failed for a reason that another organization may not have: the referral goes on without this one."""

    outcome: str
    need: str = "unresolved"


class HopCancelled(HopEvent, frozen=True, tag="hop-cancelled"):
    reason: str


class HopWithdrawn(HopEvent, frozen=True, tag="hop-withdrawn"):
    """Its CBO gives back what it had accepted; reason from withdraw_reasons."""

    reason: str


class HopTransferred(HopEvent, frozen=True, tag="hop-transferred"):
    """Its CBO hands it on: to the organization it names, or to whom routing finds."""

    reason: str
    to: str | None = None


class HopSuperseded(HopEvent, frozen=True, tag="hop-superseded"):
    """A request that lost: another organization has accepted; this one is told, by a reason of told_reasons."""

    reason: str


class HopReopened(HopEvent, frozen=True, tag="hop-reopened"):
    """A closed turn goes on; the outcome it had is in the facts before."""


class OutcomeCorrected(OutcomeEvent, frozen=True, tag="outcome-corrected"):
    """The outcome as it should have been said, with the one that was; `status` is the hop's and referral's."""

    status: str
    outcome: str
    need: str
    outcome_before: str
    need_before: str


class HopUnsuitable(HopEvent, frozen=True, tag="hop-unsuitable"):
    """An amendment changed what it was accepted for; who holds it keeps it and is told which rule objects."""

    rule: str
    changed: tuple[str, ...] = ()


class ContactMade(HopEvent, frozen=True, tag="contact-made"):
    method: str | None = None
    reached: bool | None = None


class ServiceDelivered(HopEvent, frozen=True, tag="service-delivered"):
    service_event_id: str
    code: str | None = None
    date: str | None = None
    units: float | None = None


class ServiceVoided(HopEvent, frozen=True, tag="service-voided"):
    """A recorded service that was not delivered after all."""

    service_event_id: str


class NoteAdded(HopEvent, frozen=True, tag="note-added"):
    """The note itself is sealed."""


Event = (
    ReferralReceived
    | ReferralAmended
    | ReferralRefused
    | ReviewNeeded
    | DuplicateSuspected
    | ReferralCancelled
    | ReferralEnteredInError
    | ReferralClosed
    | ReferralReopened
    | RoutingDecided
    | ServiceAssigned
    | HopRequested
    | HopAccepted
    | HopRejected
    | HopExpired
    | HopStarted
    | HopHeld
    | HopResumed
    | HopCompleted
    | HopFailed
    | HopFellThrough
    | HopCancelled
    | HopWithdrawn
    | HopTransferred
    | HopSuperseded
    | HopReopened
    | OutcomeCorrected
    | ContactMade
    | HopUnsuitable
    | ServiceDelivered
    | ServiceVoided
    | NoteAdded
    | AuthorizationRequested
    | AuthorizationDecided
    | ReminderDue
    | DeadlineMissed
    | DeadlineEscalated
    | CoverageChanged
)


class Fact(Struct, frozen=True):
    """An event and its sealed part (the submission's bytes, a note): what history stores and topics carry."""

    event: Event
    sealed: bytes = b""


def type_of(event: Event) -> str:
    """The `type` outsiders read, for example `hop-accepted`."""
    return str(event.__struct_config__.tag)
