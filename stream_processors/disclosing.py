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
from referrals.consent import NO_RECORDS, Known, Records, release
from referrals.ids import consent_id
from referrals.state import Referral
from referrals.telling import asked, may_hear

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
    return found.state is None or may_hear(found.state, found.consents, recipient, type, now)


def on_record(found: About, delivery: Mapping[str, Any], now: datetime) -> Request:
    """The record of a notice that leaves: who hears what of whom, under which consent."""
    state = found.state
    looked = Object(delivery["kind"], str(delivery["stream_id"]))
    if state is not None:
        named = state.consent_id
        basis = f"consent {consent_id(state.sender, named)}" if named else "consent said with it"
        said, known = asked(state, found.consents)
        rule = release(known, said).rule
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
