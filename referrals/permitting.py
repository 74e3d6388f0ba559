"""What the consents of a person say of one referral now: its verdict and whom they cover.

Comes in: the referral, the opener of its submission, the person's consent records. Goes out: verdict, cover. Pure.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import structs

from referrals import labels
from referrals.consent import (
    NO_RECORDS,
    Asked,
    ConsentDecision,
    Cover,
    Known,
    Records,
    Release,
    cover,
    release,
    terms,
    verdict,
)
from referrals.state import Referral
from referrals.submission import Consent, Submission


class Knows(Protocol):
    """The part of the world that consent looks at: `consents` per person key, `links` between person keys."""

    @property
    def open(self) -> Callable[[UUID, bytes], Submission | None]: ...
    @property
    def consents(self) -> Mapping[UUID, Records]: ...
    @property
    def links(self) -> Mapping[UUID, frozenset[UUID]]: ...


def asked_of(state: Referral, said: Consent) -> Asked:
    """What a referral asks to disclose, under the consent said with it."""
    at = state.consent_said_at or state.created_at
    said = structs.replace(said, status=state.consent_status)
    need = (state.domain, state.programme, labels.holding(state.sensitivity, state.domain))
    return Asked(state.sender, said, at, *need, attested=state.consent_attested)


def found(state: Referral, world: Knows) -> tuple[Asked, tuple[Consent, ...]]:
    """What it asks, and every consent that must allow it."""
    submission = world.open(state.id, state.sealed) if state.sealed else None
    bare = Consent(status=state.consent_status, id=state.consent_id)
    asked = asked_of(state, submission.consent if submission else bare)
    records = world.consents.get(state.person_key, NO_RECORDS)
    return asked, terms(asked, records, elsewhere(state.person_key, world))


def elsewhere(person: UUID, world: Knows) -> tuple[Known, ...]:
    """The records of the same person at other senders, as person links say."""
    others = sorted(world.links.get(person, frozenset()) - {person})
    return tuple(k for key in others for k in world.consents.get(key, NO_RECORDS).values())


def standing(state: Referral, at: datetime, world: Knows) -> tuple[ConsentDecision, Cover]:
    """The verdict of every consent at that moment, and whom they cover together."""
    asked, consents = found(state, world)
    return verdict(consents, at), cover(consents, asked)


def released(state: Referral, world: Knows) -> Release:
    """Whether the outcome is released to sender and payer, and by which rule."""
    asked, consents = found(state, world)
    return release(consents, asked)
