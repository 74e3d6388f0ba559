"""Every vocabulary of the exchange, once: statuses, actors, channels, the reviewed lists of data/.

Comes in: nothing but the JSON tables beside it. Goes out: enums and look-ups. Must never hold a rule.
"""

import json
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any


class HopStatus(StrEnum):
    """One recipient's turn, in the words of FHIR Task.status, plus `expired` (no answer in time)."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in-progress"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class ReferralStatus(StrEnum):
    """The whole request for help; `refused` is the exchange's own no (FHIR `rejected`)."""

    RECEIVED = "received"
    NEEDS_REVIEW = "needs-review"
    REQUESTED = "requested"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in-progress"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"


HELD = frozenset({HopStatus.ACCEPTED, HopStatus.IN_PROGRESS, HopStatus.ON_HOLD})
OPEN_HOP = HELD | {HopStatus.REQUESTED}
TERMINAL = frozenset(
    {
        ReferralStatus.COMPLETED,
        ReferralStatus.FAILED,
        ReferralStatus.REFUSED,
        ReferralStatus.CANCELLED,
        ReferralStatus.ENTERED_IN_ERROR,
    }
)


class OrganizationType(StrEnum):
    """What an organization is to the exchange; every permission starts from it."""

    CLINIC = "clinic"
    MCO = "mco"
    CBO = "cbo"
    HUB = "hub"
    STATE = "state"
    OPERATOR = "operator"
    PLATFORM = "platform"


class Channel(StrEnum):
    """How a command reached us; recorded with every fact."""

    KAFKA = "kafka"
    API = "api"
    FHIR = "fhir"
    WEB = "web"
    PHONE = "phone"
    FAX = "fax"
    TIMER = "timer"
    EXCHANGE = "exchange"


ASSISTED = frozenset({Channel.PHONE, Channel.FAX})
PRIORITIES = ("routine", "urgent", "asap", "stat")
CONSENT_STATUSES = ("active", "refused", "revoked", "expired", "absent")
SENSITIVITIES = ("part2", "violence", "minor-consented", "behavioral-health")
AUTHORIZATIONS = ("approved", "partial", "denied")
AUTHORIZATION_MODES = ("none", "before-routing", "before-start")
ROUTING_MODES = ("automatic", "preferred-only", "ask-first")


@cache
def table(name: str) -> dict[str, dict[str, Any]]:
    """One reviewed list of referrals/data, by file stem: code -> its columns (label_en, label_es, ...)."""
    text = resources.files("referrals").joinpath("data", f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, Any]] = json.loads(text)
    return loaded


def label(name: str, code: str, language: str = "en") -> str:
    """The words a person reads for a code; the code itself when the list does not know it."""
    row = table(name).get(code, {})
    return str(row.get(f"label_{language}") or row.get("label_en") or code)
