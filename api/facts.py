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
    """`data`: fields shown ("*" = all); `hidden`: fields never shown; free text, the users and names of other parties.

    `notes`: sealed notes and the free text of FREE; without them codes alone.
    """

    data: frozenset[str] = frozenset({"*"})
    hidden: frozenset[str] = frozenset()
    notes: bool = True
    users: bool = True
    parties: bool = True


# Facts whose sealed part is the submission itself, never a note.
SUBMISSIONS = frozenset({"referral-received", "referral-amended"})
# Fields that a person wrote, by type of fact; every other field of a fact is a code, a number, a time or an id.
FREE = {"service-assigned": frozenset({"reason"}), "authorization-decided": frozenset({"reason"})}
# What a turn is made of: who is asked for which service, by when, and what came of it.
TURN = frozenset(
    {
        *(
            "hop",
            "number",
            "organization",
            "service",
            "due_at",
            "offer",
            "assigned",
            "reason",
            "close_service",
        ),
        *(
            "review_date",
            "waitlist",
            "outcome",
            "need",
            "follow_up",
            "outcome_before",
            "need_before",
            "status",
        ),
        *(
            "withheld",
            "sharing",
            "to",
            "rule",
            "changed",
            "method",
            "reached",
            "service_event_id",
            "date",
            "units",
        ),
        *("kind", "generation", "told"),
    }
)
# What a plan is told besides: approval, who pays, and how the referral was received, decided and counted.
PLAN = TURN | {
    *(
        "domain",
        "programme",
        "priority",
        "sensitivity",
        "requested_at",
        "sender",
        "sender_referral_id",
        "case_id",
    ),
    *(
        "contract",
        "hub",
        "payer",
        "since",
        "flags",
        "approval",
        "before",
        "from",
        "consent_status",
        "routing",
    ),
    *("detail", "decided_at", "policy", "directory_version", "chosen", "preferred", "action"),
}
STUB = frozenset({"hop", "number", "reason", "due_at", "status", "generation", "kind"})
# What a plan that paid before goes on seeing: that something was done, not by whom.
LEFT = STUB | {"domain", "contract", "service_event_id", "date", "units"}
# A viewer of views.GRANTS -> what they see of events.
_PAYER = FactGrant(data=PLAN, notes=False, users=False)
FACT_GRANTS: dict[str, FactGrant] = {
    "sender": FactGrant(),
    "hub": FactGrant(hidden=frozenset({"person_key", "digest", "match_keys", "member"})),
    "payer": _PAYER,
    "payer-before": FactGrant(data=LEFT, notes=False, users=False, parties=False),
    "payer-without-consent": FactGrant(data=frozenset({"status", "reason"}), notes=False, users=False),
    "holder": FactGrant(data=TURN | {"code"}, users=False, parties=False),
    "offered": FactGrant(data=TURN, notes=False, users=False, parties=False),
    "past": FactGrant(data=TURN, notes=False, users=False, parties=False),
    "withheld": FactGrant(data=STUB, notes=False, users=False, parties=False),
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
# What a submission's fact says of a need beyond its domain.
DETAIL = frozenset({"service", "programme", "code"})


def event(
    kind: str,
    organization: str,
    sender: str,
    row: Mapping[str, Any],
    others: Container[str] = (),
    outcome_hidden: bool = False,
    discreet: bool = False,
) -> dict[str, Any]:
    """One fact as a viewer of that kind sees it; `others` = ids of referrals it names that the viewer may see.

    `outcome_hidden`: the consent does not release outcomes to them; `discreet`: the need is its domain alone.
    """
    grant = FACT_GRANTS[kind]
    body = told(msgspec.json.decode(row["data"]), organization, others)
    body = {k.rstrip("_"): v for k, v in body.items() if k != "type"}
    shown = {k: v for k, v in body.items() if grant.data == {"*"} or k in grant.data}
    hidden = grant.hidden | (frozenset() if grant.notes else FREE.get(row["type"], frozenset()))
    hidden |= DETAIL if discreet and row["type"] in SUBMISSIONS else frozenset()
    shown = {k: v for k, v in shown.items() if k not in hidden}
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
