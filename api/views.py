"""What each principal sees of a referral: allow-lists as tables, one row per kind of viewer.

Comes in: a referral as stored (Seen) and the principal. Goes out: the returned referral of interfaces.md. What a
table does not list is never shown; a field that is hidden is null or empty, never missing.
"""

from typing import Any
from uuid import UUID

from msgspec import structs

from api.fields import FIELD, hop_shown
from api.fields import Seen as Seen
from api.fields import labels_of as labels_of
from api.fields import next_action as next_action
from api.grants import FIELDS, GRANTS, MASKED_FOR, OPENED, Grant
from api.masks import masked
from api.principal import Principal
from infra.roles import BREAK_GLASS
from referrals import labels
from referrals.consent import Asked, cover, release, terms, verdict
from referrals.ids import consent_id
from referrals.permitting import asked_of
from referrals.state import OUTCOME_WITHHELD, Hop, Referral
from referrals.submission import Consent
from referrals.words import OPEN_HOP, HopStatus, ReferralStatus

# Viewers whose turn it is or was; viewers who are told of an outcome that the consent releases.
RECEIVERS = frozenset({"holder", "offered", "past", "withheld"})
TOLD = frozenset({"sender", "payer", "payer-before", "hub"})
OWN_RIGHT = frozenset({"sender", "operator"})
OVER = frozenset({HopStatus.COMPLETED, HopStatus.FAILED})
# A referral that should never have been says nothing of its person to anybody but its sender and its hub.
UNDONE = frozenset({ReferralStatus.ENTERED_IN_ERROR})
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
        if state.status in UNDONE:
            return "past"
        served = hop.status in SERVED and not hop.passed_on
        return "offered" if hop.status is HopStatus.REQUESTED else "holder" if served else "past"
    if state.payer == organization:
        shown = state.status not in UNDONE and _allowed(seen, organization, named="part2")
        return "payer" if shown else "payer-without-consent"
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
    return release(found, asked, "payer" if kind == "payer-before" else kind).outcome


def is_masked(state: Referral, kind: str) -> bool:
    """Whether such a viewer sees no organization, address or need of it."""
    return kind in MASKED_FOR and labels.is_masked(labels_of(state), state.programme)


def referral(principal: Principal, seen: Seen) -> dict[str, Any] | None:
    """The referral as the principal sees it, None when it does not exist for them."""
    kind = kind_of(principal, seen)
    if kind is None:
        return None
    look(principal, seen, kind)
    return _shown(principal, seen, kind, GRANTS[kind])


def opened(principal: Principal, organization: str, seen: Seen, opening: UUID) -> dict[str, Any] | None:
    """What an operator sees through a break-glass: that organization's view, within grants.OPENED; None = none."""
    viewer = structs.replace(principal, organization=organization, type="")
    kind = kind_of(viewer, seen)
    if kind is None:
        return None
    look(viewer, seen, kind, (f"{BREAK_GLASS}-{kind}", f"{BREAK_GLASS} {opening}"))
    return _shown(viewer, seen, kind, OPENED[kind])


def _shown(principal: Principal, seen: Seen, kind: str, grant: Grant) -> dict[str, Any]:
    """What its row of the table shows such a viewer, as far as the consents release it."""
    if kind == "payer-before":
        seen = _as_left(seen, principal.organization)
    out = _told(_granted(principal, seen, grant, kind), seen, kind)
    out["notice"] = labels.notice(labels_of(seen.state))
    return masked(out) if is_masked(seen.state, kind) else out


def _granted(principal: Principal, seen: Seen, grant: Grant, kind: str) -> dict[str, Any]:
    """What its row of the table shows that viewer, and nothing else."""
    out: dict[str, Any] = dict.fromkeys(FIELDS)
    out |= {"sensitivity": [], "hops": [], "services_delivered": [], "flags": []}
    for name in grant.fields & FIELD.keys():
        out[name] = FIELD[name](seen, grant, kind)
    if not grant.all_hops and "hops" in grant.fields:
        hops = [h for h in seen.state.hops if h.organization == principal.organization]
        out |= {"hops": [hop_shown(h) for h in hops], "status": hops[-1].status}
        if kind == "offered":  # of several asked at once nobody hears of the others
            out["next_action"] = {"who": hops[-1].organization, "what": "answer", "due_at": hops[-1].due_at}
    return out


def _told(out: dict[str, Any], seen: Seen, kind: str) -> dict[str, Any]:
    """The same without how it ended, for viewers who are told of it only when the consent releases it."""
    if kind not in TOLD:
        return out
    if not _told_by(seen.state) or released(seen, kind):
        return out | {"flags": [f for f in out["flags"] if f != OUTCOME_WITHHELD]}
    return _without_outcome(out, any(h.status in OVER and not h.passed_on for h in seen.state.hops))


def look(principal: Principal, seen: Seen, kind: str, through: tuple[str, str] | None = None) -> None:
    """Put on record that the principal sees the referral as that kind of viewer, and by which right.

    `through`: what it is called and by which right when it is another's view.
    """
    state, said = seen.state, seen.submission.consent.id
    shown, basis = through or (kind, kind)
    if kind not in OWN_RIGHT and through is None:
        basis = f"consent {consent_id(state.sender, said)}" if said else "consent said with it"
    asked, found = _consents(seen)
    rule = release(found, asked, kind).rule
    principal.looks.referral(state.id, state.sender, state.person_key, shown, basis, rule)


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
