"""What clocks tell and what a plan's approval needs, as facts: part of the union in events.py.

Never edited after release: a new meaning is a new type.
"""

from datetime import datetime

from referrals.event_base import EventBase


class AuthorizationRequested(EventBase, frozen=True, tag="authorization-requested"):
    """The contract wants the plan's approval before `routing` or before `start`: the plan is asked now."""

    payer: str
    before: str
    due_at: datetime | None = None


class AuthorizationDecided(EventBase, frozen=True, tag="authorization-decided"):
    """The plan has approved, approved in part or denied; a later decision replaces an earlier one."""

    status: str
    number: str | None = None
    units: float | None = None
    from_: str | None = None
    to: str | None = None
    reason: str | None = None


class ClockEvent(EventBase, frozen=True, kw_only=True):
    """The base of what a clock tells: which deadline, its generation, when it was due, who is told of it."""

    kind: str
    generation: int
    due_at: datetime
    told: tuple[str, ...] = ()
    hop: str | None = None


class ReminderDue(ClockEvent, frozen=True, kw_only=True, tag="reminder-due"):
    """Something is wanted soon, or the review date of a hold has come."""


class DeadlineMissed(ClockEvent, frozen=True, kw_only=True, tag="deadline-missed"):
    """What was wanted has not happened in time; nothing else changes."""


class DeadlineEscalated(ClockEvent, frozen=True, kw_only=True, tag="deadline-escalated"):
    """It is long past the deadline; a person at the hub should look."""
