"""Sample view models of every page, made by the real model functions from made-up referrals.

Comes in: a language and what every text field says. Goes out: template -> model. Must never hold a real person.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from referrals.measures import Row

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
ORGANIZATIONS = {
    "riverside-clinic": "Riverside Clinic",
    "harvest-food-bank": "Harvest Food Bank",
    "east-bay-pantry": "East Bay Pantry",
    "golden-health-plan": "Golden Health Plan",
    "county-hub": "County Hub",
}
SERVICES = {"s1": "Weekly groceries", "s2": "Food pantry"}


def ago(**span: float) -> datetime:
    """A time before the samples' now."""
    return NOW - timedelta(**span)


def hop(status: str = "requested", organization: str = "harvest-food-bank", **fields: Any) -> dict[str, Any]:
    """One recipient's turn."""
    made: dict[str, Any] = {
        "hop": "h1",
        "organization": organization,
        "service": "s1",
        "status": status,
        "reason": None,
    }
    made |= {"requested_at": ago(hours=20), "due_at": NOW + timedelta(hours=28), "answered_at": None}
    return made | {"waitlist": None} | fields


def person(says: str = "") -> dict[str, Any]:
    """A made-up person with wishes about contact."""
    return {
        "person_id": says or "MRN-5521",
        "given_name": says or "Rosa",
        "family_name": says or "Delgado",
        "birth_date": says or "1984-05-27",
        "phone": says or "510-555-0142",
        "email": says or "rosa@example.org",
        "address": {
            "line": says or "12 Elm St",
            "city": says or "Oakland",
            "state": "CA",
            "postal_code": "94607",
        },
        "spoken_language": says or "es",
        "interpreter_needed": True,
        "household": {"size": 4},
        "accessibility": [says or "Wheelchair"],
        "contact": {
            "prohibited": False,
            "best_times": says or "After 5 PM",
            "mail_ok": False,
            "alternate": {
                "name": says or "Luis Delgado",
                "relationship": says or "brother",
                "phone": "510-555-0199",
            },
            "phones": [
                {"number": says or "510-555-0142", "safe": True, "voicemail_ok": False, "text_ok": True},
                {"number": "510-555-0177", "safe": False},
            ],
        },
    }


def referral(status: str = "requested", says: str = "", **fields: Any) -> dict[str, Any]:
    """A referral as api.views gives it to its sender."""
    return {
        "id": str(uuid5(NAMESPACE_URL, status)),
        "sender": "riverside-clinic",
        "sender_referral_id": says or "RC-1042",
        "case_id": None,
        "status": status,
        "version": 4,
        "need": {
            "domain": "food-insecurity",
            "note": says or "Family of four, pantry is empty until Friday.",
        },
        "priority": "urgent",
        "sensitivity": [],
        "person": person(says),
        "coverage": {"payer": "golden-health-plan", "member_id": says or "GH-77"},
        "consent": {"status": "active"},
        "hops": [
            hop(status) if status in ("requested", "accepted", "in-progress", "on-hold") else hop("completed")
        ],
        "outcome": {"code": "service-provided", "need": "resolved", "reason": None, "note": says or None}
        if status == "completed"
        else None,
        "reason": {"needs-review": "no-candidate", "cancelled": "duplicate"}.get(status),
        "services_delivered": [],
        "flags": [],
        "created_at": ago(hours=20),
        "updated_at": ago(hours=2),
        **fields,
    }


def event(version: int, type: str, hours: float, actor_id: str, **data: Any) -> dict[str, Any]:
    """One event as api.facts gives it."""
    channel = "exchange" if actor_id == "exchange" else "web"
    actor = {"organization": actor_id, "user": None, "on_behalf_of": None, "channel": channel}
    return {
        "version": version,
        "type": type,
        "occurred_at": ago(hours=hours),
        "at": ago(hours=hours),
        "actor": actor,
        "data": data,
    }


def events(says: str = "") -> list[dict[str, Any]]:
    """A story with a decline, a re-route and an acceptance."""
    return [
        event(1, "referral-received", 20, "riverside-clinic", domain="food-insecurity"),
        event(2, "routing-decided", 20, "exchange", **decision(says)),
        event(
            3,
            "hop-requested",
            20,
            "exchange",
            hop="h0",
            organization="east-bay-pantry",
            due_at=NOW.isoformat(),
        ),
        event(4, "hop-rejected", 16, "east-bay-pantry", hop="h0", reason="no-capacity", note=says or "Full."),
        event(5, "hop-requested", 16, "exchange", hop="h1", organization="harvest-food-bank", due_at=NOW),
        event(6, "hop-accepted", 2, "harvest-food-bank", hop="h1"),
        event(7, "a-type-of-tomorrow", 1, "harvest-food-bank", note=says),
    ]


def decision(says: str = "") -> dict[str, Any]:
    """A routing decision with a choice, an alternative and two exclusions."""
    out = {"rule": "outside-area", "detail": "ZIP 94607 is outside its service area"}
    new = {"rule": "rule-of-tomorrow", "detail": says or "something new"}
    parts = {"distance": 0.8, "load": 0.7}
    return {
        "decided_at": ago(hours=20),
        "policy": "routing-2026-12",
        "chosen": "s1",
        "candidates": [
            {
                "service": "s1",
                "organization": "harvest-food-bank",
                "excluded_by": None,
                "score": 0.9,
                "parts": parts,
            },
            {
                "service": "s2",
                "organization": "east-bay-pantry",
                "excluded_by": None,
                "score": 0.5,
                "parts": {},
            },
            {"service": "s3", "organization": says or "north-county-meals", "excluded_by": out, "parts": {}},
            {"service": "s4", "organization": "late-kitchen", "excluded_by": new, "score": None},
        ],
        "others_excluded": {"language": 2, says or "closure": 1},
    }


def offered(status: str, says: str = "", **fields: Any) -> dict[str, Any]:
    """A referral as the organization asked sees it."""
    hidden = {"spoken_language": says or "es", "interpreter_needed": True}
    hidden |= {"address": {"postal_code": "94607", "county": "alameda"}}
    view = referral(status, says, hops=[hop(status)], sender_referral_id=None, consent=None)
    return view | ({"person": hidden} if status in ("requested", "rejected") else {}) | fields


def rows() -> list[Row]:
    """Facts of 30 referrals: 24 accepted, 12 closed."""
    ids = [uuid5(NAMESPACE_URL, str(n)) for n in range(30)]
    made = []
    for n, id in enumerate(ids):
        domain = "food-insecurity" if n % 3 else "homelessness"
        accepted = ago(hours=600 - n) if n < 24 else None
        made.append(Row(id, domain, ago(hours=620), accepted, ago(hours=300) if n < 12 else None))
    return made
