"""One stream's facts become what the rows of its projections are made from; as the exchange does, fact by fact. Pure.

Comes in: the facts of one stream, version 1..n. Goes out: a Folded. Must never decide, nor read a projection.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from referrals.events import Event, Fact
from referrals.evolve import evolve
from referrals.service_record import CAPACITY
from referrals.state import Referral
from referrals.streams import Stream
from referrals.timing import tells_hub
from stream_processors.service_record import Told

REFERRAL = "referral"


class LogRow(NamedTuple):
    """What a fact says that a projection may hold, the same from history and from the topics."""

    kind: str
    stream_id: UUID
    version: int
    type: str
    event_id: UUID
    at: datetime
    tenant: str
    data: bytes
    sealed: bytes


class Folded(NamedTuple):
    """One stream after its facts: `referral` with what its row holds besides, or `stream`; `told` of services.

    `erased`: the keys of people who were erased since.
    """

    facts: Sequence[LogRow]
    told: Told
    referral: Referral | None = None
    decision: bytes | None = None
    reviewed: bool = False
    stream: Stream | None = None
    erased: frozenset[bytes] = frozenset()

    @property
    def newest(self) -> LogRow:
        """The last fact."""
        return self.facts[-1]


def fold(facts: Sequence[LogRow]) -> Folded:
    """Raises ValueError when a version is missing, or the facts are not ones a referral can have."""
    first = facts[0]
    if any(fact.version != number for number, fact in enumerate(facts, 1)):
        raise ValueError(f"{first.kind} {first.stream_id}: its versions are not 1..{len(facts)}")
    if first.kind == REFERRAL:
        return _referral(facts)
    newest, told = facts[-1], Told()
    for fact in facts if first.kind == CAPACITY else ():
        told.capacity(first.stream_id, first.tenant, msgspec.json.decode(fact.data), fact.at)
    data = msgspec.json.decode(newest.data)
    return Folded(facts, told, stream=Stream(first.tenant, newest.version, newest.type, data, newest.sealed))


def _referral(facts: Sequence[LogRow]) -> Folded:
    state: Referral | None = None
    decision, reviewed, told = None, False, Told()
    for fact in facts:
        event = msgspec.json.decode(fact.data, type=Event)
        before, state = state, evolve(state, fact.stream_id, Fact(event, fact.sealed), fact.at)
        told.fact(before, state, event, fact.at)
        decision = fact.data if fact.type == "routing-decided" else decision
        reviewed = reviewed or tells_hub(event, state.hub)
    return Folded(facts, told, referral=state, decision=decision, reviewed=reviewed)
