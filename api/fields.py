"""How each field of a returned referral is read, as far as a row of grants.py allows.

Comes in: a referral as stored (Seen), the row. Goes out: values. Must never show what the row does not list.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from api.grants import ALL, DISCREET, DOMAIN, PROHIBITED, PROHIBITED_CONTACT, Grant
from referrals import clocks, labels, words
from referrals.consent import Records
from referrals.state import Hop, Referral
from referrals.submission import Submission


class Seen(Struct, frozen=True):
    """A referral as stored and when it was read: state, submission, outcome's note, the person's consent records."""

    state: Referral
    submission: Submission
    note: str | None = None
    reviewed: bool = False
    consents: Records = {}
    at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))


def labels_of(state: Referral) -> tuple[str, ...]:
    """The sensitivity labels that hold for it: they go wherever it goes."""
    return labels.holding(state.sensitivity, state.domain)


def _builtins(value: Any) -> Any:
    return None if value is None else msgspec.to_builtins(value)


def _part(value: Any, allowed: frozenset[str]) -> dict[str, Any] | None:
    """The allowed fields of a part of the submission; None when the part or every field of it is missing."""
    if value is None:
        return None
    given: dict[str, Any] = msgspec.to_builtins(value)
    return given if allowed == ALL else {k: v for k, v in given.items() if k in allowed} or None


def _person(seen: Seen, grant: Grant, kind: str) -> Any:
    shown = _part(seen.submission.person, grant.person) or {}
    if "area" in grant.person:
        shown["address"] = {"postal_code": seen.state.postal_code, "county": seen.state.county}
    if kind != "sender" and (contact := seen.submission.person.contact) is not None and contact.prohibited:
        shown = {k: v for k, v in shown.items() if k not in PROHIBITED or "area" in grant.person}
        reach = {k: v for k, v in shown.get("contact", {}).items() if k not in PROHIBITED_CONTACT}
        shown |= {"contact": reach} if "contact" in shown else {}
    return shown or None


def _service_area(seen: Seen, grant: Grant, kind: str) -> Any:
    """Where help is wanted; before acceptance the area alone, whatever the sender wrote there."""
    if "area" in grant.person and seen.submission.service_area is not None:
        return {"postal_code": seen.state.postal_code, "county": seen.state.county}
    return _builtins(seen.submission.service_area)


def _coverage(seen: Seen, grant: Grant, kind: str) -> Any:
    """Who pays now, which spells may have changed since it was said."""
    shown = _part(seen.submission.coverage, grant.coverage)
    known = seen.state.named_payer is not None and shown is not None
    return shown | {"payer": seen.state.payer} if known and shown else shown


def _need(seen: Seen, grant: Grant, kind: str) -> Any:
    allowed = grant.need & DOMAIN if kind in DISCREET and labels_of(seen.state) else grant.need
    return _part(seen.submission.need, allowed)


def _outcome(seen: Seen, grant: Grant, kind: str) -> Any:
    state = seen.state
    if state.outcome is not None:
        shown = {"code": state.outcome.code, "need": state.outcome.need, "reason": state.outcome.reason}
        return shown | {"note": seen.note if "notes" in grant.fields else None}
    if state.status in words.TERMINAL:
        return {"code": None, "need": None, "reason": state.reason, "note": None}
    return None


def hop_shown(hop: Hop) -> dict[str, Any]:
    names = (
        "hop",
        "organization",
        "service",
        "status",
        "reason",
        "requested_at",
        "due_at",
        "answered_at",
        "waitlist",
        "offer",
    )
    return {name: getattr(hop, name) for name in names}


def _next_action(seen: Seen, grant: Grant, kind: str) -> Any:
    return next_action(seen.state)


def next_action(state: Referral) -> dict[str, Any] | None:
    """Who must do what by when; None when the referral is closed."""
    found = clocks.next_action(state)
    return None if found is None else found._asdict()


def _of_state(name: str) -> Callable[[Seen, Grant, str], Any]:
    return lambda seen, grant, kind: getattr(seen.state, name)


def _of_submission(name: str) -> Callable[[Seen, Grant, str], Any]:
    return lambda seen, grant, kind: _builtins(getattr(seen.submission, name))


FIELD: Mapping[str, Callable[[Seen, Grant, str], Any]] = {
    **{
        name: _of_state(name)
        for name in (
            "id",
            "sender",
            "sender_referral_id",
            "case_id",
            "status",
            "version",
            "priority",
            "authorization",
            "services_delivered",
            "flags",
            "created_at",
            "updated_at",
            "requested_at",
            "reason",
            "detail",
            "contract",
            "routing",
            "follow_up",
        )
    },
    **{
        name: _of_submission(name)
        for name in (
            "based_on_referral",
            "requested_by",
            "referrer",
            "related_person",
            "preferred_organization",
            "excluded_organizations",
        )
    },
    "sensitivity": lambda seen, grant, kind: labels_of(seen.state),
    "service_area": _service_area,
    "person": _person,
    "need": _need,
    "coverage": _coverage,
    "consent": lambda seen, grant, kind: _part(seen.submission.consent, grant.consent),
    "hops": lambda seen, grant, kind: [hop_shown(h) for h in seen.state.hops],
    "outcome": _outcome,
    "next_action": _next_action,
}
