"""A notice to another organization is a disclosure: whether it may leave now, its labels, and its place on record.

Comes in: a due delivery, the referral it is about, the person's consents as they stand. Goes out: yes or no, labels, an
audit record. Must never let news of a referral leave after its consent has ended, but for the word to stop.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from infra.audit.records import Object, Request
from referrals import labels, words
from referrals.consent import NO_RECORDS, Asked, Known, Records, release, terms, verdict
from referrals.ids import consent_id
from referrals.permitting import asked_of
from referrals.state import Referral
from referrals.submission import Consent

# Facts that tell a recipient to stop: they are news of nobody's need.
STOPS = frozenset(
    {"hop-cancelled", "hop-superseded", "referral-cancelled", "referral-entered-in-error", "referral-refused"}
)
WITHDRAWN = "the consent ended before this was sent"
_RECORDS = msgspec.json.Decoder(dict[UUID, Known])


class About(Struct, frozen=True):
    """The referral of a delivery and its person's consent records; `state` is None when it is not known here."""

    state: Referral | None = None
    consents: Records = NO_RECORDS

    @property
    def labels(self) -> tuple[str, ...]:
        """What the notice is labelled; all there is when the referral is not known."""
        state = self.state
        return words.SENSITIVITIES if state is None else labels.holding(state.sensitivity, state.domain)


def about(row: Mapping[str, Any]) -> About:
    """A row of the statement `about`."""
    consents = _RECORDS.decode(row["consents"]) if row["consents"] else NO_RECORDS
    return About(msgspec.json.decode(row["state"], type=Referral), consents)


def may_leave(found: About, recipient: str, type: str, now: datetime) -> bool:
    """Whether the recipient may hear of it at `now`: its sender always, others until the consent ends."""
    state = found.state
    if state is None or recipient == state.sender or type in STOPS:
        return True
    _, known = _asked(state, found.consents)
    return verdict(known, now).verdict != "refuse"


def _asked(state: Referral, consents: Records) -> tuple[Asked, tuple[Consent, ...]]:
    """What it asks to disclose, and every consent that must allow it, as far as they stand unsealed."""
    asked = asked_of(state, Consent(status=state.consent_status, id=state.consent_id))
    return asked, terms(asked, consents)


def on_record(found: About, delivery: Mapping[str, Any], now: datetime) -> Request:
    """The record of a notice that leaves: who hears what of whom, under which consent."""
    state = found.state
    looked = Object(delivery["kind"], str(delivery["stream_id"]))
    if state is not None:
        named = state.consent_id
        basis = f"consent {consent_id(state.sender, named)}" if named else "consent said with it"
        asked, known = _asked(state, found.consents)
        rule = release(known, asked).rule
        looked = Object(looked.kind, looked.id, state.sender, state.person_key, "notice", basis, rule)
    return Request(
        at=now,
        request=str(delivery["id"]),
        route="webhook",
        action="notify",
        operation="R",
        status=200,
        organization=delivery["recipient"],
        objects=(looked,),
    )
