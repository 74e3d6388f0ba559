"""Streams beside the referrals (consent, service, capacity, coverage, screening, ...): what a record makes of one.

Comes in: the stream as it stands (or None), a RecordFact, its envelope. Goes out: the fact to record with the stream's
new data, None when nothing changes, or a Rejection. Pure; a kind without a row of its own is recorded as said.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from referrals import capacity, consenting, linking, listing, screening
from referrals import commands as c
from referrals.covering import MEMBER, SPELL, member_known, spell_said
from referrals.errors import RejectionReason as No
from referrals.sharing import sharing


class Stream(Struct, frozen=True):
    """One stream: its owner, version 1..n, the newest fact's type, data and sealed part."""

    tenant: str
    version: int
    type: str
    data: Mapping[str, Any]
    sealed: bytes = b""


Record = Callable[[Stream | None, c.RecordFact, c.Envelope], c.RecordFact | c.Rejection | None]


def record(
    before: Stream | None,
    command: c.RecordFact,
    envelope: c.Envelope,
    organizations: Mapping[str, str] = MappingProxyType({}),
) -> c.RecordFact | c.Rejection | None:
    """The fact to record: its `data` is what the stream holds from now on. `organizations`: id -> type."""
    owner, type = owner_of(command, envelope), organizations.get(envelope.organization)
    if owner != envelope.organization and type not in ON_BEHALF.get(command.type, ()):
        return c.Rejection(No.NOT_PERMITTED, "only the organization that recorded it may do this")
    if before is not None and before.tenant != owner:
        return c.Rejection(No.NOT_PERMITTED, "this stream is another organization's")
    return RECORDS.get(command.kind, _as_said)(before, command, envelope)


def owner_of(command: c.RecordFact, envelope: c.Envelope) -> str:
    """Whose stream it is: the one who says it, unless the command names another."""
    return command.owner or envelope.organization


def _as_said(before: Stream | None, command: c.RecordFact, envelope: c.Envelope) -> c.RecordFact:
    return command


RECORDS: dict[str, Record] = {
    "capacity": capacity.recorded,
    SPELL: spell_said,
    MEMBER: member_known,
    "service": listing.recorded,
    linking.KIND: linking.record,
    screening.KIND: screening.record,
    consenting.KIND: consenting.consent_said,
}

# Type of fact -> the types of organization that may say it of another's stream.
ON_BEHALF: Mapping[str, frozenset[str]] = {
    consenting.REVOKED: sharing().on_behalf["revoke"],
    consenting.GRANTED: sharing().on_behalf["grant"],
}
