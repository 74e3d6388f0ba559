"""Which scope an action needs; which scopes a type may hold is the table infra/scopes.py, shared with onboarding.

Comes in: a principal and an action. Goes out: yes or no. Who sees which object is views.py; never a database.
"""

from api.principal import Principal
from infra.audit.records import Operation
from infra.scopes import SCOPES
from referrals.words import OrganizationType

# action -> the scope it needs ("" = none: any caller the route admits).
ACTIONS: dict[str, str] = {
    "public": "",
    "page": "",
    "log-in": "",
    "log-out": "",
    "account": "",
    "enrol": "",
    "me": "",
    "metrics": "operations.read",
    "submit": "referrals.write",
    "amend": "referrals.write",
    "cancel": "referrals.write",
    "read": "referrals.read",
    "stream": "referrals.read",
    "explain": "referrals.read",
    "respond": "responses.write",
    "assign": "assignments.write",
    "link": "assignments.write",
    "authorize": "authorizations.write",
    "directory": "directory.read",
    "capacity": "directory.write",
    "consent": "consents.write",
    "screen": "screenings.write",
    "measure": "measures.read",
}


# action -> FHIR AuditEvent.action: create, update, execute; whatever is not listed reads.
OPERATIONS: dict[str, Operation] = {
    "log-in": "E",
    "log-out": "E",
    "enrol": "U",
    "submit": "C",
    "screen": "C",
    "amend": "U",
    "cancel": "U",
    "respond": "U",
    "assign": "U",
    "link": "U",
    "authorize": "U",
    "capacity": "U",
    "consent": "U",
}


def held(type: str) -> frozenset[str]:
    """Every scope an organization of that type may hold; nothing for a type we do not know."""
    return frozenset(SCOPES[OrganizationType(type)]) if type in set(OrganizationType) else frozenset()


def permitted(principal: Principal, action: str) -> bool:
    """Whether the caller's scopes allow the action."""
    scope = ACTIONS[action]
    return not scope or scope in principal.scopes


def narrowed(type: str, granted: str, asked: str | None) -> frozenset[str]:
    """The scopes of a token: what is asked (or all) of what the client has; empty when nothing is left."""
    scopes = frozenset(granted.split()) & held(type)
    return scopes & frozenset(asked.split()) if asked else scopes
