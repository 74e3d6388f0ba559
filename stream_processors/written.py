"""What a batch writes of each fact and of each event id; rows.py makes rows of them. Holds no rule."""

from typing import NamedTuple
from uuid import UUID

from referrals import commands as c
from stream_processors.decode import Arrival


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
