"""What each principal sees of a referral: allow-lists as tables, one row per kind of viewer.

Comes in: a referral as stored (Seen) and the principal. Goes out: the returned referral of interfaces.md. What a
table does not list is never shown; a field that is hidden is null or empty, never missing.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct, structs

from api.grants import ALL, DISCREET, FIELDS, GRANTS, PROHIBITED, PROHIBITED_CONTACT, SERVICE, Grant
from api.principal import Principal
from referrals import clocks, words
from referrals.consent import Asked, Records, cover, release, terms, verdict
from referrals.ids import consent_id
from referrals.permitting import asked_of
from referrals.state import OUTCOME_WITHHELD, Hop, Referral
from referrals.submission import Consent, Submission
from referrals.words import OPEN_HOP, HopStatus


class Seen(Struct, frozen=True):
    """A referral as stored and when it was read: state, submission, outcome's note, the person's consent records."""

    state: Referral
    submission: Submission
    note: str | None = None
    reviewed: bool = False
    consents: Records = {}
    at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))


# Viewers whose turn it is or was; viewers who are told of an outcome that the consent releases.
RECEIVERS = frozenset({"holder", "offered", "past", "withheld"})
TOLD = frozenset({"sender", "payer", "hub"})
OWN_RIGHT = frozenset({"sender", "operator"})
OVER = frozenset({HopStatus.COMPLETED, HopStatus.FAILED})
SERVED = OPEN_HOP - {HopStatus.REQUESTED} | {HopStatus.COMPLETED, HopStatus.FAILED}


def own_hop(state: Referral, organization: str) -> Hop | None:
    """The organization's last turn, None when it never had one."""
    return next((h for h in reversed(state.hops) if h.organization == organization), None)


def kind_of(principal: Principal, seen: Seen) -> str | None:
    """Which row of GRANTS holds for the principal; None = for them this referral does not exist."""
    state, organization = seen.state, principal.organization
    if state.sender == organization:
        return "sender"
    if (hop := own_hop(state, organization)) is not None:
        if not _allowed(seen, organization):
            return "withheld"
        served = hop.status in SERVED and not hop.passed_on
        return "offered" if hop.status is HopStatus.REQUESTED else "holder" if served else "past"
    if state.payer == organization:
        return "payer" if _allowed(seen, organization, named="part2") else "payer-without-consent"
    if any(left.payer == organization for left in state.payers_before):
        return "payer-before"
    if seen.reviewed and state.hub == organization:
        return "hub"
    return "operator" if principal.type == "operator" else None


def _consents(seen: Seen) -> tuple[Asked, tuple[Consent, ...]]:
    asked = asked_of(seen.state, seen.submission.consent)
    return asked, terms(asked, seen.consents)


def _allowed(seen: Seen, organization: str, named: str | None = None) -> bool:
    """Whether the consents are in force now and cover the organization; with `named`, only such a referral's must."""
    asked, found = _consents(seen)
    if verdict(found, seen.at).verdict != "allow":
        return False
    covers = named is None or named in asked.sensitivity
    return not covers or cover(found, asked).allows(organization)


def released(seen: Seen, kind: str) -> bool:
    """Whether how it ended is released to viewers of that kind."""
    asked, found = _consents(seen)
    return release(found, asked, kind).outcome


def is_sensitive(state: Referral) -> bool:
    """Whether the need says more about the person than others may know."""
    return bool(state.sensitivity or words.table("domains").get(state.domain, {}).get("sensitivity"))


def referral(principal: Principal, seen: Seen) -> dict[str, Any] | None:
    """The referral as the principal sees it, None when it does not exist for them."""
    kind = kind_of(principal, seen)
    if kind is None:
        return None
    look(principal, seen, kind)
    grant = GRANTS[kind]
    if kind == "payer-before":
        seen = _as_left(seen, principal.organization)
    out: dict[str, Any] = dict.fromkeys(FIELDS)
    out |= {"sensitivity": [], "hops": [], "services_delivered": [], "flags": []}
    for name in grant.fields & _FIELD.keys():
        out[name] = _FIELD[name](seen, grant, kind)
    if not grant.all_hops and "hops" in grant.fields:
        hops = [h for h in seen.state.hops if h.organization == principal.organization]
        out |= {"hops": [_hop(h) for h in hops], "status": hops[-1].status}
        if kind == "offered":  # of several asked at once nobody hears of the others
            out["next_action"] = {"who": hops[-1].organization, "what": "answer", "due_at": hops[-1].due_at}
    if kind in TOLD:
        if not _told_by(seen.state) or released(seen, kind):
            return out | {"flags": [f for f in out["flags"] if f != OUTCOME_WITHHELD]}
        return _without_outcome(out, any(h.status in OVER and not h.passed_on for h in seen.state.hops))
    return out


def look(principal: Principal, seen: Seen, kind: str) -> None:
    """Put on record that the principal sees the referral as that kind of viewer, and by which right."""
    state, said = seen.state, seen.submission.consent.id
    basis = kind
    if kind not in OWN_RIGHT:
        basis = f"consent {consent_id(state.sender, said)}" if said else "consent said with it"
    principal.looks.referral(state.id, state.sender, state.person_key, kind, basis)


def _told_by(state: Referral) -> bool:
    """Whether an organization has said how it ended or what it did; a hub's own close is no disclosure of one."""
    return bool(state.services_delivered) or any(h.status in OVER for h in state.hops)


def _without_outcome(out: dict[str, Any], theirs: bool) -> dict[str, Any]:
    """Closed, details withheld: no outcome if it is an organization's (`theirs`), no reason, no deliveries."""
    hidden = {"code": None, "need": None, "reason": "withheld", "note": None}
    told = hidden if out["outcome"] and theirs else out["outcome"]
    hops = [h | {"reason": None} if h["status"] in OVER else h for h in out["hops"]]
    flags = [f for f in out["flags"] if f != OUTCOME_WITHHELD]
    shown = {"outcome": told, "hops": hops, "services_delivered": [], "flags": [*flags, OUTCOME_WITHHELD]}
    return out | shown | ({"note": None} if "note" in out else {})


def _as_left(seen: Seen, payer: str) -> Seen:
    """The referral as it stood when that plan paid for it last: what came after is not its own."""
    left = next(left for left in reversed(seen.state.payers_before) if left.payer == payer)
    state = structs.replace(
        seen.state,
        status=left.status,
        contract=left.contract,
        updated_at=left.until,
        services_delivered=seen.state.services_delivered[: left.services],
    )
    return structs.replace(seen, state=state)


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


def _coverage(seen: Seen, grant: Grant, kind: str) -> Any:
    """Who pays now, which spells may have changed since it was said."""
    shown = _part(seen.submission.coverage, grant.coverage)
    known = seen.state.named_payer is not None and shown is not None
    return shown | {"payer": seen.state.payer} if known and shown else shown


def _need(seen: Seen, grant: Grant, kind: str) -> Any:
    allowed = grant.need & SERVICE if kind in DISCREET and is_sensitive(seen.state) else grant.need
    return _part(seen.submission.need, allowed)


def _outcome(seen: Seen, grant: Grant, kind: str) -> Any:
    state = seen.state
    if state.outcome is not None:
        shown = {"code": state.outcome.code, "need": state.outcome.need, "reason": state.outcome.reason}
        return shown | {"note": seen.note if "notes" in grant.fields else None}
    if state.status in words.TERMINAL:
        return {"code": None, "need": None, "reason": state.reason, "note": None}
    return None


def _hop(hop: Hop) -> dict[str, Any]:
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


_FIELD: Mapping[str, Callable[[Seen, Grant, str], Any]] = {
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
            "sensitivity",
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
            "service_area",
            "preferred_organization",
            "excluded_organizations",
        )
    },
    "person": _person,
    "need": _need,
    "coverage": _coverage,
    "consent": lambda seen, grant, kind: _part(seen.submission.consent, grant.consent),
    "hops": lambda seen, grant, kind: [_hop(h) for h in seen.state.hops],
    "outcome": _outcome,
    "next_action": _next_action,
}
