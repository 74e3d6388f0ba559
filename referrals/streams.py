"""Streams beside the referrals (consent, service, capacity, coverage, screening, ...): what a record makes of one.

Comes in: the stream as it stands (or None), a RecordFact, its envelope. Goes out: the fact to record with the stream's
new data, None when nothing changes, or a Rejection. Pure; a kind without a row of its own is recorded as said.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from referrals import capacity, linking, listing, screening
from referrals import commands as c
from referrals.covering import MEMBER, SPELL, member_known, spell_said
from referrals.errors import RejectionReason as No


class Stream(Struct, frozen=True):
    """One stream: its owner, version 1..n, the newest fact's type, data and sealed part."""

    tenant: str
    version: int
    type: str
    data: Mapping[str, Any]
    sealed: bytes = b""


Record = Callable[[Stream | None, c.RecordFact, c.Envelope], c.RecordFact | c.Rejection | None]


def record(
    before: Stream | None, command: c.RecordFact, envelope: c.Envelope
) -> c.RecordFact | c.Rejection | None:
    """The fact to record: its `data` is what the stream holds from now on."""
    if before is not None and before.tenant != envelope.organization:
        return c.Rejection(No.NOT_PERMITTED, "this stream is another organization's")
    return RECORDS.get(command.kind, _as_said)(before, command, envelope)


def _as_said(before: Stream | None, command: c.RecordFact, envelope: c.Envelope) -> c.RecordFact:
    return command


RECORDS: dict[str, Record] = {
    "capacity": capacity.recorded,
    SPELL: spell_said,
    MEMBER: member_known,
    "service": listing.recorded,
    linking.KIND: linking.record,
    screening.KIND: screening.record,
}
