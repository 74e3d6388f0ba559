"""Step 2, consent: may this referral be disclosed at all?

Comes in: the consent as recorded, today. Goes out: go on, refuse, or a person must ask. Never looks anything up.
"""

from datetime import datetime
from typing import NamedTuple

from referrals.check import parse_time


class ConsentDecision(NamedTuple):
    """`verdict` is allow, refuse or review; the other two say why, for the person who reads it."""

    verdict: str
    reason: str = ""
    detail: str = ""


BY_STATUS = {
    "active": ConsentDecision("allow"),
    "refused": ConsentDecision("refuse", "consent-refused", "the person refused; nothing was disclosed"),
    "revoked": ConsentDecision("refuse", "consent-refused", "the consent is revoked; nothing was disclosed"),
    "expired": ConsentDecision("review", "consent-absent", "the consent has expired; ask the person again"),
    "absent": ConsentDecision("review", "consent-absent", "no consent was sent; ask the person"),
}


def consent(status: str, expires_at: str | None, now: datetime) -> ConsentDecision:
    """The verdict for a consent status (interfaces.md, Submission) at `now` (aware)."""
    if status == "active" and expires_at is not None:
        ends = parse_time(expires_at)
        if ends is not None and ends <= now:
            return BY_STATUS["expired"]
    return BY_STATUS.get(status, BY_STATUS["absent"])
