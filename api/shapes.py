"""What the API answers, as structs: the schemas of the OpenAPI document, tested against real answers.

Comes in and goes out: nothing at run time. Must never promise a field that views.py does not return.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from referrals.measures import Measured


class Hop(Struct):
    """One recipient's turn."""

    hop: str
    organization: str
    service: str
    status: str
    reason: str | None
    requested_at: datetime
    due_at: datetime
    answered_at: datetime | None
    waitlist: dict[str, Any] | None
    offer: int


class Outcome(Struct):
    """How a referral ended."""

    code: str | None
    need: str | None
    reason: str | None
    note: str | None


class NextAction(Struct):
    """Who must do what by when."""

    who: str
    what: str
    due_at: datetime | None


class Referral(Struct):
    """A referral as its viewer may see it: what is hidden is null or empty."""

    id: UUID
    sender: str | None
    sender_referral_id: str | None
    case_id: str | None
    status: str
    version: int
    need: dict[str, Any] | None
    priority: str | None
    sensitivity: list[str]
    person: dict[str, Any] | None
    coverage: dict[str, Any] | None
    authorization: dict[str, Any] | None
    hops: list[Hop]
    services_delivered: list[dict[str, Any]]
    outcome: Outcome | None
    next_action: NextAction | None
    flags: list[str]
    created_at: datetime | None
    updated_at: datetime | None
    notice: str | None


class ReferralPage(Struct):
    """A page of referrals, newest first."""

    items: list[Referral]
    next_cursor: str | None


class Actor(Struct):
    """Who did it, through which channel."""

    organization: str
    user: str | None
    on_behalf_of: str | None
    channel: str


class Event(Struct):
    """One recorded fact."""

    version: int
    type: str
    occurred_at: datetime
    at: datetime
    actor: Actor
    data: dict[str, Any]


class EventPage(Struct):
    """A page of events, oldest first."""

    items: list[Event]
    next_cursor: str | None
    notice: str | None


class Disclosure(Struct):
    """One disclosure of a person's data: to whom, which fields, why, under which consent and rule."""

    at: datetime
    referral: UUID
    recipient: str
    what: str | None
    fields: list[str]
    purpose: str | None
    why: str | None
    under: str | None
    rule: str | None
    how: str | None


class DisclosurePage(Struct):
    """A page of disclosures, newest first."""

    items: list[Disclosure]
    next_cursor: str | None


class OpenedBy(Struct):
    """Who opened it: the operator, and which of its people."""

    organization: str
    user: UUID


class Opening(Struct):
    """A break-glass: which organization's view of which referral was opened, why, by whom and until when."""

    id: UUID
    organization: str
    referral: UUID
    reason: str
    by: OpenedBy
    opened_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    open: bool


class OpeningPage(Struct):
    """A page of them, newest first."""

    items: list[Opening]
    next_cursor: str | None


class OpenedView(Opening):
    """One that is open, and the referral as that organization sees it, without notes."""

    view: Referral


class Routing(Struct):
    """A routing decision, explained."""

    decided_at: datetime | None
    policy: str | None
    chosen: str | None
    candidates: list[dict[str, Any]]
    others_excluded: dict[str, int]


class Measures(Struct):
    """The measures of a contract; `from` and `to` bound the time of receipt."""

    contract: str
    to: datetime
    as_of: datetime
    measures: list[Measured]


class FieldError(Struct):
    """One field that is wrong."""

    pointer: str
    detail: str


class Problem(Struct):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError]
