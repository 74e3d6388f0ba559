"""What facts say to the clocks and to the plan's approval: this part of evolve, one function per kind of fact.

Comes in: the hop or referral before, an event, when it was recorded. Goes out: the fields that change. Never decides.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from referrals import events as e
from referrals.words import ReferralStatus

if TYPE_CHECKING:
    from referrals.state import Hop, Referral

Changes = dict[str, Any]
APPROVAL = ("status", "number", "units", "from", "to", "reason")
# The name of a deadline says which stage of its clock came due.
STAGES = {e.ReminderDue: ".reminder", e.DeadlineMissed: "", e.DeadlineEscalated: ".escalation"}
HOLD_REVIEW = "hold-review"


def timed(hop: Hop, event: Any, at: datetime) -> Changes:
    """What an answer says to the clocks of its hop: since when they run, stand still, go on."""
    changes: Changes = {}
    if hop.pauses and hop.pauses[-1][1] is None:
        changes["pauses"] = (*hop.pauses[:-1], (hop.pauses[-1][0], at))
    if isinstance(event, e.HopAccepted):
        changes["accepted_at"] = at
    if isinstance(event, e.HopStarted | e.HopResumed):
        changes["started_at"] = hop.started_at or at
    if isinstance(event, e.HopStarted):  # who helps has reached the person
        changes["contacted_at"] = hop.contacted_at or at
    if isinstance(event, e.HopHeld):
        changes |= {"pauses": (*hop.pauses, (at, None)), "review_date": event.review_date}
    return changes


def in_review(state: Referral, at: datetime) -> datetime:
    """Since when the hub is waited for."""
    known = state.review_since if state.status is ReferralStatus.NEEDS_REVIEW else None
    return known or at


def came_due(state: Referral, event: e.ClockEvent) -> Changes:
    """Each deadline comes due once: its name and generation are kept."""
    return {"came_due": state.came_due | {name(event): event.generation}}


def tells_hub(event: e.Event, hub: str) -> bool:
    """Whether a fact is for the hub to see: it asks for review, or a clock tells the hub."""
    return isinstance(event, e.ReviewNeeded) or (isinstance(event, e.ClockEvent) and hub in event.told)


def name(event: e.ClockEvent) -> str:
    """The deadline's name: its clock, and whether this was the reminder or the escalation."""
    return event.kind if event.kind == HOLD_REVIEW else event.kind + STAGES[type(event)]


def asked(event: e.AuthorizationRequested, at: datetime) -> Changes:
    """The plan is asked: until it decides, the approval is pending."""
    pending = dict.fromkeys(APPROVAL) | {"required": True, "status": "pending"}
    return {"authorization": pending, "approval_asked_at": at, "approval_due_at": event.due_at}


def decided(state: Referral, event: e.AuthorizationDecided) -> Changes:
    """The plan's newest decision replaces what was known."""
    row = {f.rstrip("_"): getattr(event, f) for f in event.__struct_fields__}
    return {"authorization": row | {"required": state.approval != "none"}}


def another_plan(state: Referral, event: e.ReferralAmended | e.CoverageChanged) -> Changes:
    """Another payer, or another wish of its contract: what the plan before decided counts no more."""
    if (event.payer, event.approval) == (state.payer, state.approval):
        return {}
    return dict.fromkeys(("authorization", "approval_asked_at", "approval_due_at"))
