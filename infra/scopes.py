"""What each type of organization may do, as OAuth scopes: the one table of onboarding and of the API's policy.

Must never list a scope no route asks for.
"""

from collections.abc import Mapping
from typing import Final

from referrals.words import OrganizationType as T

KAFKA_TYPES: Final = frozenset({T.CLINIC, T.MCO, T.PLATFORM})
"""Who gets a Kafka login, an intake topic and a feedback topic; the others use HTTP and pages."""

SCOPES: Final[Mapping[T, tuple[str, ...]]] = {
    T.CLINIC: (
        "referrals.write",
        "referrals.read",
        "consents.write",
        "screenings.write",
        "directory.read",
        "disclosures.read",
    ),
    T.MCO: (
        "referrals.write",
        "referrals.read",
        "consents.write",
        "screenings.write",
        "authorizations.write",
        "measures.read",
        "directory.read",
        "disclosures.read",
    ),
    T.CBO: ("referrals.read", "responses.write", "directory.read", "directory.write"),
    T.HUB: (
        "referrals.read",
        "responses.write",
        "assignments.write",
        "consents.write",
        "directory.read",
        "disclosures.read",
    ),
    T.STATE: ("measures.read", "directory.read"),
    T.OPERATOR: (
        "referrals.read",
        "operations.read",
        "measures.read",
        "directory.read",
        "directory.write",
        "disclosures.read",
    ),
    T.PLATFORM: (
        "referrals.write",
        "referrals.read",
        "consents.write",
        "screenings.write",
        "directory.read",
        "disclosures.read",
    ),
}


def scope_of(kind: T) -> str:
    """All that type may do, as one space-separated string."""
    return " ".join(SCOPES[kind])
