"""What may be asked of the exchange, as frozen structs, and the envelope that says who asks and when.

The envelope's organization comes from the channel (topic or token), never from a body (architecture 6).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from referrals.submission import Submission
from referrals.words import Channel


class Envelope(Struct, frozen=True, kw_only=True):
    """Who asks, through which channel; `occurred_at` as said, `at` when the log took it (aware UTC)."""

    event_id: UUID
    organization: str
    user: str | None = None
    on_behalf_of: str | None = None
    channel: Channel
    occurred_at: datetime
    at: datetime


class Submit(Struct, frozen=True):
    """Help this person with this need; `sealed` are the submission's own bytes, carried and never remade."""

    submission: Submission
    sealed: bytes


class Cancel(Struct, frozen=True):
    """The sender takes the request back; reason from referrals/data/cancel_reasons.json."""

    reason: str
    note: str | None = None


class Respond(Struct, frozen=True):
    """A CBO's answer to its hop; `action` names a row of lifecycle.TRANSITIONS, `details` its own fields."""

    action: str
    hop: str | None = None
    reason: str | None = None
    outcome_code: str | None = None
    outcome_need: str | None = None
    note: str | None = None
    version: int | None = None
    details: dict[str, Any] = {}


class Assign(Struct, frozen=True):
    """A navigator at the hub picks the service for a referral that needs review, or several to ask at once."""

    service: str
    reason: str | None = None
    version: int | None = None
    others: tuple[str, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        """All that are asked, each once, the first one first."""
        return tuple(dict.fromkeys((self.service, *self.others)))


class Authorize(Struct, frozen=True):
    """The plan's decision: approved, partial or denied."""

    status: str
    details: dict[str, Any] = {}


class CoverageReached(Struct, frozen=True):
    """A spell of the referral's member changed, began or is over: its payer is looked up again."""


class DeadlineDue(Struct, frozen=True):
    """A durable deadline came due; stale when the referral's deadlines (clocks.py) hold no such kind and generation."""

    kind: str
    generation: int


Command = Submit | Cancel | Respond | Assign | Authorize | DeadlineDue | CoverageReached


class RecordFact(Struct, frozen=True):
    """A fact of another stream (consent, service, coverage, screening) that is recorded as said."""

    kind: str
    stream_id: UUID
    type: str
    data: dict[str, Any]
    sealed: bytes = b""


class Rejection(Struct, frozen=True):
    """A command that has no effect: a reason code of referrals/errors.py and what to do next."""

    reason: str
    detail: str
