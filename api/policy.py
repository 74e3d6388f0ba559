"""One policy: may this principal do this action on this object? ACTIONS is the table, one line an action.

Comes in: a principal, an action, and what the object is to whom. Goes out: a Verdict. Must never ask a database, nor
say how much of an object is shown: that is grants.py. Which scopes a type may hold is infra/scopes.py.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from api.principal import Principal
from api.problems import Problem, not_found
from infra.audit.records import Operation
from infra.roles import AUDIT, BREAK_GLASS, OPENINGS, PEOPLE
from infra.scopes import SCOPES
from referrals.contracts import Contract
from referrals.sharing import sharing
from referrals.state import Referral
from referrals.words import OrganizationType

Object = Mapping[str, frozenset[str]]
"""An object: what one can be to it -> the organizations that are. `any <type>` is every organization of that type."""


class Verdict(StrEnum):
    """Allowed; forbidden (403: they see it, and may not do this); unknown (404: for them it does not exist)."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"


class Action(NamedTuple):
    """What an action needs: the scope of the caller ("" = none), and what its organization must be to the object.

    `of`: one of these suffices; empty = the action has no object of its own. `only`: who alone may, as the 403 says it
    to the others who see the object; "" = to them it does not exist. `operation` is FHIR's AuditEvent.action. `also`:
    another scope that suffices. `second_step`: only who logged in with a code too.
    """

    scope: str = ""
    operation: Operation = "R"
    of: frozenset[str] = frozenset()
    only: str = ""
    also: str = ""
    second_step: bool = False


def _of(*names: str) -> frozenset[str]:
    return frozenset(names)


# What one can be to a referral -> the same as a condition on a row, $ = the organization. A list's query carries it
# with `-- seen by: <name>`; in memory it is `referral`. `operator` is whoever's type that is, whichever the row.
PARTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "sender": ("sender = $",),
    "asked": ("recipients @> array[$::text]", "recipient = $"),
    "payer": ("payer = $",),
    "payer-before": ("payers_before @> jsonb_build_array(jsonb_build_object('payer', $::text))",),
    "hub": ("(hub = $ and reviewed)",),
    "any operator": ("$::text is not null", "($::text = 'operator' and $::text is not null)"),
}
# The same for what has one owner: services, consents, links, events, idempotency keys; a break-glass has two.
OWNER: Final = ("tenant = $", "operator = $")
SEES: Final = frozenset(PARTIES)

ACTIONS: Final[Mapping[str, Action]] = {
    "public": Action(),
    "page": Action(),
    "log-in": Action("", "E"),
    "log-out": Action("", "E"),
    "account": Action(),
    "enrol": Action("", "U"),
    "me": Action(),
    "metrics": Action("operations.read"),
    "submit": Action("referrals.write", "C"),
    "amend": Action("referrals.write", "U", _of("sender"), "the sender of a referral"),
    "cancel": Action("referrals.write", "U", _of("sender"), "the sender of a referral"),
    "read": Action("referrals.read", "R", SEES),
    "stream": Action("referrals.read", "R"),
    "explain": Action("referrals.read", "R", _of("sender", "hub", "any operator")),
    "respond": Action("responses.write", "U", _of("asked", "hub"), "an organization that was asked"),
    "assign": Action("assignments.write", "U", _of("hub"), "the hub that reviews this referral"),
    "authorize": Action("authorizations.write", "U", _of("payer"), "the referral's payer"),
    "links": Action("assignments.write", "R"),
    "link": Action("assignments.write", "U", _of("owner")),
    "directory": Action("directory.read"),
    "capacity": Action("directory.write", "U", _of("owner")),
    "consent": Action(
        "consents.write", "U", _of("owner", *(f"any {t}" for t in sharing().on_behalf["grant"]))
    ),
    "revoke": Action(
        "consents.write", "U", _of("owner", *(f"any {t}" for t in sharing().on_behalf["revoke"]))
    ),
    "screen": Action("screenings.write", "C"),
    "measure": Action("measures.read", "R", _of("payer", "any state", "any operator")),
    "measured": Action("measures.read", "R", _of("payer")),
    "disclosures": Action("disclosures.read", also=AUDIT),
    "openings": Action(OPENINGS),
    "open": Action(BREAK_GLASS, "C", second_step=True),
    "look": Action(BREAK_GLASS, "R", second_step=True),
    "end": Action(BREAK_GLASS, "U", second_step=True),
    "people": Action(PEOPLE),
    "add-person": Action(PEOPLE, "C"),
    "see-person": Action(PEOPLE, "R", _of("owner")),
    "change-person": Action(PEOPLE, "U", _of("owner")),
}


def referral(state: Referral, reviewed: bool) -> Object:
    """A referral as the policy takes it; `reviewed` = its hub was ever asked to act."""
    return {
        "sender": frozenset({state.sender}),
        "asked": frozenset(hop.organization for hop in state.hops),
        "payer": frozenset({state.payer} if state.payer else ()),
        "payer-before": frozenset(left.payer for left in state.payers_before),
        "hub": frozenset({state.hub} if reviewed else ()),
    }


def owned(organization: str) -> Object:
    """A service, a consent, a link or a log-in: what one organization has for itself."""
    return {"owner": frozenset({organization})}


def contract(found: Contract) -> Object:
    """A contract as the policy takes it."""
    return {"payer": frozenset({found.payer} if found.payer else ())}


def relations(principal: Principal, target: Object) -> frozenset[str]:
    """What the principal is to the object."""
    are = {name for name, organizations in target.items() if principal.organization in organizations}
    return frozenset(are | {f"any {principal.type}"})


def authorize(principal: Principal, action: str, target: Object | None = None) -> Verdict:
    """Whether the principal may do the action; on that object, once it is known."""
    rule = ACTIONS[action]
    if rule.scope and not {rule.scope, rule.also} & principal.scopes:
        return Verdict.FORBIDDEN
    if rule.second_step and not principal.second_step:
        return Verdict.FORBIDDEN
    if target is None or not rule.of:
        return Verdict.ALLOWED
    are = relations(principal, target)
    if are & rule.of:
        return Verdict.ALLOWED
    return Verdict.FORBIDDEN if are & SEES and rule.only else Verdict.UNKNOWN


def permitted(principal: Principal, action: str) -> bool:
    """Whether the principal may do the action on some object: what a link on a page needs to know."""
    return authorize(principal, action) is Verdict.ALLOWED


def sees(principal: Principal, target: Object) -> bool:
    """Whether a referral exists for the principal at all."""
    return bool(relations(principal, target) & SEES)


def demand(principal: Principal, action: str, target: Object) -> None:
    """Raise the 404 or the 403 unless the principal may do the action on the object."""
    verdict = authorize(principal, action, target)
    if verdict is Verdict.UNKNOWN:
        raise not_found()
    if verdict is Verdict.FORBIDDEN:
        only = ACTIONS[action].only
        raise Problem("not-permitted", f"only {only} may do this" if only else None)


def admits(principal: Principal, action: str, types: frozenset[str], reads_one: bool) -> Verdict:
    """Whether the principal may use a route for these types at all.

    `reads_one`: it shows one object; what a type can never read does not exist for it.
    """
    if principal.type in types and permitted(principal, action):
        return Verdict.ALLOWED
    never = ACTIONS[action].scope not in held(principal.type) | principal.scopes | {""}
    return Verdict.UNKNOWN if never and reads_one else Verdict.FORBIDDEN


def held(type: str) -> frozenset[str]:
    """Every scope an organization of that type may hold; nothing for a type we do not know."""
    return frozenset(SCOPES[OrganizationType(type)]) if type in set(OrganizationType) else frozenset()


def narrowed(type: str, granted: str, asked: str | None) -> frozenset[str]:
    """The scopes of a token: what is asked (or all) of what the client has; empty when nothing is left."""
    scopes = frozenset(granted.split()) & held(type)
    return scopes & frozenset(asked.split()) if asked else scopes
