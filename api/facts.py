"""What each principal sees of a referral's events: which types, which data, whether notes and users.

Comes in: rows of history. Goes out: the events of interfaces.md. What a table does not list is never shown. That a
CBO reads the facts of its own hops alone is the query's part (facts.sql).
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from producers.envelope import unseal


class FactGrant(Struct, frozen=True):
    """`data`: fields shown ("*" = all); `hidden`: fields never shown; notes, and the users of other parties."""

    data: frozenset[str] = frozenset({"*"})
    hidden: frozenset[str] = frozenset()
    notes: bool = True
    users: bool = True
    parties: bool = True


# Facts whose sealed part is the submission itself, never a note.
SUBMISSIONS = frozenset({"referral-received", "referral-amended"})
# A viewer of views.GRANTS -> what they see of events.
FACT_GRANTS: dict[str, FactGrant] = {
    "sender": FactGrant(),
    "hub": FactGrant(hidden=frozenset({"person_key", "digest"})),
    "payer": FactGrant(
        hidden=frozenset(
            {"person_key", "digest", "candidates", "others_excluded", "code", "postal_code", "county"}
        ),
        notes=False,
        users=False,
    ),
    "payer-without-consent": FactGrant(data=frozenset({"status", "reason"}), notes=False, users=False),
    "holder": FactGrant(users=False, parties=False),
    "offered": FactGrant(users=False, parties=False),
    "past": FactGrant(users=False, parties=False),
    "operator": FactGrant(
        data=frozenset(
            {"kind", "hop", "number", "organization", "service", "due_at", "reason", "chosen", "policy"}
        ),
        notes=False,
    ),
}
EXCHANGE = "exchange"


def event(kind: str, organization: str, sender: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """One fact as a viewer of that kind sees it."""
    grant = FACT_GRANTS[kind]
    body: dict[str, Any] = msgspec.json.decode(row["data"])
    body.pop("type", None)
    shown = {k: v for k, v in body.items() if grant.data == {"*"} or k in grant.data}
    shown = {k.rstrip("_"): v for k, v in shown.items() if k not in grant.hidden}
    if grant.notes and row["type"] not in SUBMISSIONS and row["sealed"]:
        shown["note"] = unseal(bytes(row["sealed"])).decode()
    actor = row["actor_organization"]
    known = grant.parties or actor in (organization, sender)
    own = actor == organization
    return {
        "version": row["version"],
        "type": row["type"],
        "occurred_at": row["occurred_at"],
        "at": row["at"],
        "actor": {
            "organization": actor if known else EXCHANGE,
            "user": row["actor_user"] if own or grant.users else None,
            "on_behalf_of": row["on_behalf_of"] if own or grant.users else None,
            "channel": row["channel"] if known else EXCHANGE,
        },
        "data": shown,
    }
