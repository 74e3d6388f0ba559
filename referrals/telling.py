"""Whether an organization may hear that something has happened to a referral: the same by webhook and on its stream.

Comes in: the referral, its person's consent records as they stand, who would hear of which fact, the time. Goes out:
yes or no. Pure. Must never let news of a referral reach another organization after its consent has ended, but for the
word to stop.
"""

from datetime import datetime

from referrals.consent import Asked, Records, terms, verdict
from referrals.permitting import asked_of
from referrals.state import Referral
from referrals.submission import Consent

# Facts that tell a recipient to stop: they are news of nobody's need.
STOPS = frozenset(
    {"hop-cancelled", "hop-superseded", "referral-cancelled", "referral-entered-in-error", "referral-refused"}
)


def may_hear(state: Referral, consents: Records, organization: str, type: str, now: datetime) -> bool:
    """Whether the organization may hear of a fact of that type at `now`: its sender always, others until the end."""
    if organization == state.sender or type in STOPS:
        return True
    _, known = asked(state, consents)
    return verdict(known, now).verdict != "refuse"


def asked(state: Referral, consents: Records) -> tuple[Asked, tuple[Consent, ...]]:
    """What it asks to disclose, and every consent that must allow it, as far as they stand unsealed."""
    said = asked_of(state, Consent(status=state.consent_status, id=state.consent_id))
    return said, terms(said, consents)
