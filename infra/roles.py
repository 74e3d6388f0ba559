"""What a person may do, by the type of their organization and their role in it: the one table of every log-in.

Comes in: a type and a role. Goes out: scopes, none for a role that the type does not have. Must never give a role what
its type may not do. Beside the types' own are AUDIT, PEOPLE, BREAK_GLASS (to open one referral for a while) and
OPENINGS (to be told of that): held by persons and never by a system.
"""

from collections.abc import Mapping
from typing import Final

from infra.scopes import SCOPES
from referrals.words import OrganizationType as T

AUDIT: Final = "audit.read"
BREAK_GLASS: Final = "break-glass"
OPENINGS: Final = "break-glass.read"
PEOPLE: Final = "people.write"
Roles = Mapping[str, frozenset[str]]


def _all(kind: T) -> frozenset[str]:
    return frozenset(SCOPES[kind])


def _admin(kind: T) -> Roles:
    """All that the type may do, and who does it."""
    return {ADMIN: _all(kind) | {PEOPLE, OPENINGS}}


ADMIN: Final = "admin"
_AUDITOR: Final[Roles] = {"auditor": frozenset({AUDIT, OPENINGS})}

# The first role of a type is the one that a person gets when nobody says which.
ROLES: Final[Mapping[T, Roles]] = {
    T.CLINIC: {"staff": _all(T.CLINIC), **_admin(T.CLINIC), **_AUDITOR},
    T.CBO: {"staff": _all(T.CBO), **_admin(T.CBO), **_AUDITOR},
    T.MCO: {
        "care-manager": _all(T.MCO),
        "analyst": frozenset({"measures.read", "referrals.read", "directory.read"}),
        **_admin(T.MCO),
        **_AUDITOR,
    },
    T.HUB: {"navigator": _all(T.HUB), **_admin(T.HUB), **_AUDITOR},
    T.STATE: {"officer": _all(T.STATE), **_AUDITOR},
    T.OPERATOR: {
        "operator": _all(T.OPERATOR),
        "investigator": _all(T.OPERATOR) | {BREAK_GLASS, OPENINGS},
        **_AUDITOR,
    },
    T.PLATFORM: {"staff": _all(T.PLATFORM), **_admin(T.PLATFORM), **_AUDITOR},
}

# What roles were called before every type had names of its own; still taken.
FORMERLY: Final[Mapping[tuple[T, str], str]] = {
    (T.MCO, "staff"): "care-manager",
    (T.HUB, "staff"): "navigator",
    (T.STATE, "staff"): "officer",
    (T.STATE, "analyst"): "officer",
    (T.OPERATOR, "staff"): "operator",
}


def names(kind: T) -> list[str]:
    """The roles of a type, the usual one first."""
    return list(ROLES[kind])


def known(kind: T, role: str) -> bool:
    """Whether the type has that role, under this name or its former one."""
    return FORMERLY.get((kind, role), role) in ROLES[kind]


def scopes(type: str, role: str | None) -> frozenset[str]:
    """What a person of that role may do; nothing for a type or a role we do not know."""
    if type not in set(T) or role is None:
        return frozenset()
    kind = T(type)
    return ROLES[kind].get(FORMERLY.get((kind, role), role), frozenset())
