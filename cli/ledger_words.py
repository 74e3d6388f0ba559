"""The oracle's own idea of what may follow what, written down from the reference and not from the rules it checks.

Comes in: nothing. Goes out: tables. A test holds the names of facts that move a hop to those the exchange knows.
"""

# Where a referral may go before somebody holds it, and while somebody does.
UNHELD = {"accepted", "failed", "refused", "cancelled", "entered-in-error"}
HELD_ENDS = {"received", "completed", "failed", "cancelled", "entered-in-error"}
# A referral's status before -> after one fact. A fact that leaves the status as it is is always legal.
REFERRAL: dict[str | None, set[str]] = {
    None: {"received"},
    "received": {"needs-review", "requested", *UNHELD},
    "needs-review": {"received", "requested", *UNHELD},
    "requested": {"received", "needs-review", *UNHELD},
    "accepted": {"in-progress", "on-hold", *HELD_ENDS},
    "in-progress": {"on-hold", *HELD_ENDS},
    "on-hold": {"in-progress", *HELD_ENDS},
    "completed": {"failed", "in-progress", "needs-review", "entered-in-error"},
    "failed": {"completed", "in-progress", "needs-review", "entered-in-error"},
    "refused": {"entered-in-error"},
    "cancelled": {"entered-in-error"},
    "entered-in-error": set(),
}

# The status of a hop after each fact that moves it; "=" where the fact itself says it.
HOP_AFTER = {
    "hop-requested": "requested",
    "hop-accepted": "accepted",
    "hop-rejected": "rejected",
    "hop-expired": "expired",
    "hop-started": "in-progress",
    "hop-held": "on-hold",
    "hop-resumed": "in-progress",
    "hop-completed": "completed",
    "hop-failed": "failed",
    "hop-fell-through": "failed",
    "hop-cancelled": "cancelled",
    "hop-withdrawn": "cancelled",
    "hop-transferred": "rejected",
    "hop-superseded": "cancelled",
    "hop-reopened": "in-progress",
    "outcome-corrected": "=",
}
HELD = ("accepted", "in-progress", "on-hold")
LET_GO = {"completed", "failed", "cancelled", "rejected"}
HOP: dict[str | None, set[str]] = {
    None: {"requested"},
    "requested": {"accepted", "rejected", "expired", "cancelled"},
    "expired": {"accepted", "cancelled"},
    "accepted": {"in-progress", "on-hold", *LET_GO},
    "in-progress": {"on-hold", *LET_GO},
    "on-hold": {"in-progress", *LET_GO},
    "completed": {"completed", "failed", "in-progress"},
    "failed": {"completed", "failed", "in-progress"},
    "rejected": set(),
    "cancelled": set(),
}


def step_is_legal(before: str | None, after: str | None) -> bool:
    """Whether a referral may go from one status to another; None before its first fact."""
    return (before is not None and before == after) or (after or "") in REFERRAL.get(before, set())


def hop_is_legal(before: str | None, after: str | None) -> bool:
    """Whether a hop may go from one status to another; None before it was requested."""
    return (after or "") in HOP.get(before, set())
