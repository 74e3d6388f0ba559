"""One batch, one transaction: the heart. Comes in: raw records. Goes out: their effects and the next offsets.

lock progress -> drop what was applied -> read -> lock lanes -> load -> decide, evolve (capacity.py: until every place
taken is there) -> save -> commit -> notify.
Any process may die at any instant: the offsets move with the effects or not at all (architecture 1-3).
"""

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import asyncpg

from infra import crash_points
from infra.postgres import CHANNEL
from referrals.errors import NEXT_STEP
from referrals.errors import DeadLetterReason as Bad
from stream_processors import store
from stream_processors.capacity import settled
from stream_processors.decode import Arrival, Poison, Raw, poison, read
from stream_processors.progress import fresh
from stream_processors.service_record import Overdrawn
from stream_processors.world import WorldKeeper

NOTIFY = f"notify {CHANNEL}"
Holes = frozenset[store.Place]
NO_HOLES: Holes = frozenset()
TRANSIENT_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})


class Applied(NamedTuple):
    """What one batch did, for metrics and for the consumer's next fetch."""

    next_offsets: dict[store.Place, int]
    records: int
    facts: int
    rejected: int
    dead: int
    gaps: dict[store.Place, int]
    failed: Mapping[store.Place, int] = MappingProxyType({})


class Exchange:
    """Applies batches; knows Postgres and the rules, nothing of Kafka's client."""

    def __init__(self, pool: asyncpg.Pool, match_secret: bytes | None = None) -> None:
        """`match_secret`: the key of the persons' match keys, the same in every worker; a new one when None."""
        self._pool = pool
        self._match_secret = match_secret or secrets.token_bytes(32)
        self._world = WorldKeeper()
        self.unread: set[tuple[str, int, int]] = set()

    def read(self, raw: Raw) -> Arrival | Poison:
        """What a record says; pure, so it may run while another batch commits. What fails us here is ours to mend."""
        if self.unread and (raw.topic, raw.partition, raw.offset) in self.unread:
            return poison(raw, Bad.QUARANTINED, f"reading it ends the process; {NEXT_STEP[Bad.QUARANTINED]}")
        try:
            return read(raw)
        except Exception as error:
            return poison(raw, Bad.OUR_FAILURE, f"{type(error).__name__}: {NEXT_STEP[Bad.OUR_FAILURE]}")

    async def apply(self, batch: Sequence[Raw], holes: Holes = NO_HOLES) -> Applied:
        """Read and write one batch."""
        return await self.write([self.read(raw) for raw in batch], holes)

    async def write(self, records: Sequence[Arrival | Poison], holes: Holes = NO_HOLES) -> Applied:
        """One batch in one transaction. A record that fails us is found alone and becomes a dead letter.

        `holes`: where the broker has shown twice that offsets do not exist, so step over them.
        """
        try:
            return await self._transaction(records, holes)
        except Exception as error:
            self._world.forget()
            if is_transient(error):
                raise
            return await self._one_by_one(records, error, holes)

    async def _one_by_one(
        self, records: Sequence[Arrival | Poison], error: Exception, holes: Holes
    ) -> Applied:
        if len(records) == 1:
            detail = f"{type(error).__name__}: {NEXT_STEP[Bad.OUR_FAILURE]}"
            raw = records[0].raw
            done = await self._transaction([poison(raw, Bad.OUR_FAILURE, detail)], holes)
            return done._replace(failed={(raw.topic, raw.partition): done.dead})
        middle = len(records) // 2
        first = await self.write(records[:middle], holes)
        second = await self.write(records[middle:], holes)
        return Applied(
            first.next_offsets | second.next_offsets,
            first.records + second.records,
            first.facts + second.facts,
            first.rejected + second.rejected,
            first.dead + second.dead,
            first.gaps | second.gaps,
            Counter(first.failed) + Counter(second.failed),
        )

    async def _transaction(self, records: Sequence[Arrival | Poison], holes: Holes) -> Applied:
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                crash_points.here("batch.begun")
                before = await store.lock_progress(
                    connection, {(r.raw.topic, r.raw.partition) for r in records}
                )
                taken, after, gaps = fresh(records, before, holes)
                crash_points.here("batch.placed")
                work = None
                if taken:
                    loaded = await store.load(connection, taken, self._match_secret)
                    crash_points.here("batch.loaded")
                    work = await settled(connection, loaded, await self._world.current(connection), taken)
                    crash_points.here("batch.decided")
                    await store.save(connection, work, self._world.webhooks)
                    crash_points.here("batch.saved")
                await store.save_progress(connection, before, after)
                crash_points.here("batch.moved")
            if work is None:
                return Applied(after, 0, 0, 0, 0, gaps)
            crash_points.here("batch.committed")
            self._world.adopt(work)
            await connection.execute(NOTIFY)
            crash_points.here("batch.notified")
            counts = (len(taken), len(work.history), len(work.rejections), len(work.dead))
            return Applied(after, *counts, gaps=gaps)


def is_transient(error: Exception) -> bool:
    """Whether the same batch may succeed later: connection lost, deadlock, shutdown, too many connections.

    An event id that another transaction has just taken is one too: read again, the batch sees it in the inbox.
    """
    if isinstance(error, asyncpg.UniqueViolationError):
        return error.table_name is not None and error.table_name.startswith("inbox")
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in TRANSIENT_CLASSES
    return isinstance(error, asyncpg.InterfaceError | OSError | TimeoutError | store.Overtaken | Overdrawn)
