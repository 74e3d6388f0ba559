"""The audit of what a batch writes: its facts are sealed by one record, in their own transaction.

Comes in: the facts of a batch. Goes out: a record in the exchange's chain. Must never leave a fact unsealed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from infra.audit import records
from infra.audit.records import Fact
from infra.audit.trail import Trail
from infra.postgres import Connection
from stream_processors.written import Written


class Sealing:
    """The chain of one exchange since its start."""

    def __init__(self) -> None:
        self.trail = Trail("exchange", uuid4(), datetime.now(UTC))

    async def seal(self, connection: Connection, written: Sequence[Written]) -> None:
        """Add the seal to the caller's transaction; raises Moved when another was first."""
        if written:
            found = records.sealed([_fact(w) for w in written], datetime.now(UTC))
            await self.trail.add(connection, [found])


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
