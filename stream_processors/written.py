"""What a batch writes of each fact and of each event id; rows.py makes rows of them. Holds no rule."""

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from referrals import commands as c
from referrals import events as e
from referrals.errors import NEXT_STEP
from referrals.ids import origin_id
from referrals.state import Hop, Referral
from referrals.timing import tells_hub
from referrals.words import Channel
from stream_processors.decode import EXCHANGE, Arrival, Poison
from stream_processors.runs import Consumed, appended_at


class Written(NamedTuple):
    """One row of history."""

    lane: int
    lane_seq: int
    kind: str
    stream_id: UUID
    version: int
    type: str
    envelope: c.Envelope
    tenant: str
    sender: str | None
    recipients: tuple[str, ...]
    payer: str | None
    status: str | None
    data: bytes
    sealed: bytes


class InboxRow(NamedTuple):
    """The recorded outcome of one event id; `version` is the stream's after it."""

    arrival: Arrival
    outcome: str
    reason: str | None = None
    detail: str | None = None
    version: int | None = None


def refusal(raw: Consumed, reason: str, detail: str) -> dict[str, Any]:
    """The data of a refusal: why, what to do next, and where in the log the record is."""
    return {
        "reason": str(reason),
        "detail": detail,
        "next": NEXT_STEP.get(reason, ""),
        "topic": raw.topic,
        "partition": raw.partition,
        "offset": raw.offset,
    }


def recipients(state: Referral, event: e.Event, hop: Hop | None) -> tuple[str, ...]:
    """Whom a fact concerns besides sender and payer: the hop's organization, and the hub where a clock tells it."""
    told = (state.hub,) if isinstance(event, e.ClockEvent) and tells_hub(event, state.hub) else ()
    return tuple(dict.fromkeys(((hop.organization,) if hop else ()) + told))


def buried(poison: Poison) -> tuple[c.Envelope, bytes]:
    """The refusal of a dead letter as a fact: who says it, and its data."""
    at = appended_at(poison.raw)
    envelope = c.Envelope(
        event_id=poison.event_id,
        organization=poison.tenant,
        channel=Channel.EXCHANGE if poison.tenant == EXCHANGE else Channel.KAFKA,
        occurred_at=at,
        at=at,
    )
    said = {"event_id": poison.said} if poison.said else {}
    return envelope, msgspec.json.encode(refusal(poison.raw, poison.reason, poison.detail) | said)


def origin(raw: Consumed) -> UUID:
    """The id of a record by its place in the log."""
    return origin_id(raw.topic, raw.partition, raw.offset)
