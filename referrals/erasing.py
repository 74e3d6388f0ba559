"""Erasing a person: their key goes, and with it all that was sealed under it, wherever it is kept.

Comes in: what is asked, the person's referrals that are still open, which key they have. Goes out: the fact, or a
Rejection. Pure. What stays is impersonal: ids, needs, times, outcomes. While somebody is at work for the person nobody
may take the name away from them: the sender closes or cancels first.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from referrals import commands as c
from referrals import words
from referrals.errors import RejectionReason as No
from referrals.state import Referral
from referrals.submission import Consent, Need, Person, Submission

KIND = "erasure"
ERASED = "person-erased"
FLAG = "person-erased"
SHOWN = 3


def still_open(person: UUID, referrals: Iterable[Referral]) -> list[Referral]:
    """The person's referrals that are not closed."""
    return [r for r in referrals if r.person_key == person and r.status not in words.TERMINAL]


def erased(
    before: Mapping[str, Any], command: c.RecordFact, key: bytes | None, open_ones: Iterable[Referral]
) -> c.RecordFact | c.Rejection:
    """The fact names every key that was ever deleted for the person, so that a rebuild knows what they opened."""
    if named := sorted(str(r.id) for r in open_ones):
        shown = ", ".join(named[:SHOWN]) + (f" and {len(named) - SHOWN} more" if len(named) > SHOWN else "")
        return c.Rejection(
            No.ILLEGAL, f"referrals of the person are open: {shown}; close or cancel them first"
        )
    if key is None:
        return c.Rejection(No.UNKNOWN_PERSON, "nothing of this person is kept under a key")
    data = {
        "person_key": str(command.stream_id),
        "reason": command.data["reason"],
        "keys": [*before.get("keys", ()), key.hex()],
    }
    return c.RecordFact(KIND, command.stream_id, ERASED, data, owner=command.owner)


def stub(state: Referral) -> Submission:
    """What is shown in place of a submission that nobody can open any more."""
    return Submission(
        sender_referral_id=state.sender_referral_id,
        person=Person(person_id="erased", given_name="erased", family_name="erased", birth_date=""),
        need=Need(domain=state.domain, service=state.service, programme=state.programme, code=state.code),
        consent=Consent(status=state.consent_status, id=state.consent_id),
    )
