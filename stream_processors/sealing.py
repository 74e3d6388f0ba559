"""The audit of what a batch writes: its facts are sealed by one record, in their own transaction.

Comes in: the facts of a batch. Goes out: a record in the exchange's chain. Must never leave a fact unsealed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from infra.audit import records
from infra.audit.chain import Head
from infra.audit.records import Fact
from infra.audit.trail import Trail
from infra.postgres import Connection
from stream_processors.written import Written


class Sealing:
    """The chain of one exchange since its start."""

    def __init__(self) -> None:
        self._trail = Trail("exchange", uuid4(), datetime.now(UTC))
        self._reached: Head | None = None

    async def seal(self, connection: Connection, written: Sequence[Written]) -> None:
        """Add the seal to the caller's transaction; raises Moved when another was first."""
        if written:
            now = datetime.now(UTC)
            sealed = records.sealed([_fact(w) for w in written])
            self._reached = await self._trail.add(connection, [("", sealed, now)])

    def adopt(self) -> None:
        """The transaction is committed."""
        if self._reached is not None:
            self._trail.adopt(self._reached)
            self._reached = None

    def forget(self) -> None:
        """What became of it is not known."""
        self._reached = None
        self._trail.forget()


def _fact(w: Written) -> Fact:
    e = w.envelope
    return Fact(
        w.lane,
        w.lane_seq,
        w.kind,
        w.stream_id,
        w.version,
        w.type,
        e.event_id,
        e.occurred_at,
        e.at,
        e.organization,
        e.user,
        e.on_behalf_of,
        str(e.channel),
        w.tenant,
        w.sender,
        w.recipients,
        w.payer,
        w.status,
        w.data,
        w.sealed,
    )
