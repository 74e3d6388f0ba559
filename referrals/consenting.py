"""The consent record as a stream: granted, changed, revoked; what was said last counts, not what came last.

Comes in: the stream as it stands (or None), a grant or revocation, its envelope. Goes out: the fact with the consent's
new data, None when nothing changes, or a Rejection. Pure; expiry is no fact, it is read from the terms.
The same terms said again later are recorded (they outlive a late revocation) but reach no referral.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from referrals import commands as c
from referrals.consent import ENDED, Known
from referrals.errors import RejectionReason as No
from referrals.ids import consent_id
from referrals.sharing import sharing
from referrals.state import Referral
from referrals.submission import Consent

KIND = "consent"
GRANTED = "consent-granted"
REVOKED = "consent-revoked"
REACH = "consent-reach"
REACHED = "consent-reached"
ENDED_HERE, ENDED_ELSEWHERE, CHANGED = EFFECTS = ("ended", "ended-elsewhere", "changed")
PERSONAL = {"granted_by": None, "document_sha256": None, "method": None, "discloser": None}


class Recorded(Struct, frozen=True, omit_defaults=True):
    """The data of a consent stream: whose, since when it stands as it does, and its terms."""

    person_key: UUID
    since: datetime
    consent: Consent

    @property
    def known(self) -> Known:
        """What routing and disclosing read of it."""
        return Known(self.since, self.consent)

    @property
    def ended(self) -> bool:
        """Whether the person has revoked or refused."""
        return self.consent.status in ENDED


def impersonal(consent: Consent) -> Consent:
    """The terms alone: who granted it, how and on which document stay in the sealed part."""
    return structs.replace(consent, **PERSONAL)


def fact(consent: UUID, person: UUID, since: datetime, terms: Consent, sealed: bytes = b"") -> c.RecordFact:
    """A grant or a revocation, by the status of its terms, as the command to record it."""
    data = msgspec.to_builtins(Recorded(person, since, impersonal(terms)), str_keys=True)
    return c.RecordFact(KIND, consent, REVOKED if terms.status in ENDED else GRANTED, data, sealed)


def recorded(data: Mapping[str, Any]) -> Recorded | None:
    """The consent that a stream's data holds; None for a fact of before these rules, which had no effect."""
    return msgspec.convert(dict(data), Recorded, str_keys=True) if "since" in data else None


def consent_said(
    before: Any, command: c.RecordFact, envelope: c.Envelope
) -> c.RecordFact | c.Rejection | None:
    """The fact to record of a consent; `before` is its Stream. A revocation keeps the terms that were granted."""
    new = recorded(command.data)
    assert new is not None
    old = recorded(before.data) if before is not None else None
    if old is None:
        return command
    if old.person_key != new.person_key:
        return c.Rejection(
            No.INVALID, "this consent is another person's; use an id of its own for each person"
        )
    if new.ended:
        terms = structs.replace(old.consent, status=new.consent.status)
        command = fact(command.stream_id, new.person_key, new.since, terms, command.sealed)
        new = structs.replace(new, consent=terms)
    return command if _rank(new) > _rank(old) else None


def effects(
    consent: UUID, before: Recorded | None, after: Recorded, sender: str, open_ones: Iterable[Referral]
) -> dict[UUID, str]:
    """Which open referrals of the person (and of linked ones) a recorded fact concerns, and how.

    An end concerns what names this consent, and of what was said before it: what names none, and what another sender
    sent. A change concerns what names it. The same terms again concern nothing.
    """
    if before is not None and not after.ended and before.consent == after.consent:
        return {}
    found = {}
    for state in open_ones:
        own = state.sender == sender
        named = own and state.consent_id is not None and consent_id(sender, state.consent_id) == consent
        earlier = (state.consent_said_at or state.created_at) <= after.since
        if after.ended and own and (named or (state.consent_id is None and earlier)):
            found[state.id] = ENDED_HERE
        elif after.ended and not own and earlier and sharing().across_links["revoke"]:
            found[state.id] = ENDED_ELSEWHERE
        elif named:
            found[state.id] = CHANGED
    return found


def _rank(one: Recorded) -> tuple[datetime, bool, bytes]:
    """What counts of two: the later said; of the same instant the end; then any, but always the same one."""
    return one.since, one.ended, msgspec.json.encode(one.consent)
