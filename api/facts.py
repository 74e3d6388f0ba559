"""What each principal sees of a referral's events: which types, which data, whether notes and users.

Comes in: rows of history, each with `note`, which opens its sealed note. Goes out: the events of interfaces.md. What a
table does not list is never shown. That a CBO reads the facts of its own hops alone is the query's part (facts.sql).
"""

from collections.abc import Container, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from referrals.duplicates import told


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
_PAYER = FactGrant(
    hidden=frozenset(
        {
            *("person_key", "digest", "candidates", "others_excluded", "code", "postal_code", "county"),
            *("payer_before", "named_payer"),
        }
    ),
    notes=False,
    users=False,
)
FACT_GRANTS: dict[str, FactGrant] = {
    "sender": FactGrant(),
    "hub": FactGrant(hidden=frozenset({"person_key", "digest"})),
    "payer": _PAYER,
    "payer-before": _PAYER,
    "payer-without-consent": FactGrant(data=frozenset({"status", "reason"}), notes=False, users=False),
    "holder": FactGrant(users=False, parties=False),
    "offered": FactGrant(users=False, parties=False),
    "past": FactGrant(users=False, parties=False),
    "withheld": FactGrant(
        data=frozenset({"hop", "number", "reason", "due_at"}), notes=False, users=False, parties=False
    ),
    "operator": FactGrant(
        data=frozenset({"kind", "hop", "organization", "service", "due_at", "reason", "chosen", "policy"}),
        notes=False,
    ),
}
EXCHANGE = "exchange"


# Facts that tell how it ended and what was done: without a release, the sender and payer see that they happened.
OUTCOMES = frozenset({"hop-completed", "hop-failed", "hop-fell-through", "outcome-corrected"}) | frozenset(
    {"service-delivered", "service-voided", "note-added", "contact-made"}
)
BARE = frozenset({"hop", "withheld", "sharing"})


def event(
    kind: str,
    organization: str,
    sender: str,
    row: Mapping[str, Any],
    others: Container[str] = (),
    outcome_hidden: bool = False,
) -> dict[str, Any]:
    """One fact as a viewer of that kind sees it; `others` = ids of referrals it names that the viewer may see.

    `outcome_hidden`: the consent does not release outcomes to them.
    """
    grant = FACT_GRANTS[kind]
    body = told(msgspec.json.decode(row["data"]), organization, others)
    body.pop("type", None)
    shown = {k: v for k, v in body.items() if grant.data == {"*"} or k in grant.data}
    shown = {k.rstrip("_"): v for k, v in shown.items() if k not in grant.hidden}
    bare = outcome_hidden and row["type"] in OUTCOMES
    if bare:
        shown = {k: v for k, v in shown.items() if k in BARE}
    if grant.notes and row["type"] not in SUBMISSIONS and row["sealed"] and not bare:
        shown["note"] = row["note"]()
    actor = row["actor_organization"]
    own = organization in (actor, row["on_behalf_of"])  # what the hub recorded for them is theirs
    known = grant.parties or own or actor == sender
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
