"""One batch, one transaction: the heart. Comes in: raw records. Goes out: their effects and the next offsets.

lock progress -> drop what was applied -> read -> lock lanes -> set apart what waits behind our own failures -> load ->
decide, evolve (capacity.py: until every place taken is there) -> save -> commit -> notify.
Any process may die at any instant: the offsets move with the effects or not at all (architecture 1-3).
"""

import secrets
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import asyncpg

from infra import crash_points
from infra.postgres import CHANNEL, ENDED, Connection
from infra.vault.kms import Locked
from infra.vault.travel import Opener
from infra.vault.vault import Vault
from referrals.errors import NEXT_STEP
from referrals.errors import DeadLetterReason as Bad
from stream_processors import parking, store
from stream_processors.capacity import Lost, settled
from stream_processors.decode import Arrival, Poison, poison, read
from stream_processors.failures import Failures
from stream_processors.journal import Journal
from stream_processors.parking import Parked
from stream_processors.poison import Limits
from stream_processors.progress import Stopped, fresh
from stream_processors.runs import Consumed, Place, Run, flat, runs
from stream_processors.sealing import Sealing
from stream_processors.service_record import Overdrawn
from stream_processors.work import Work
from stream_processors.world import WorldKeeper
from stream_processors.writes import Writes

NOTIFY = f"notify {CHANNEL}"
Holes = frozenset[Place]
NO_HOLES: Holes = frozenset()
LIMITS = Limits()
TRANSIENT_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})
PAUSED_TOO_LONG = "25P03"  # Postgres ended a transaction that stood still: what it did is void
WAITS = (*ENDED, OSError, TimeoutError, store.Overtaken, store.Rebuilding, Overdrawn, Locked)


class Applied(NamedTuple):
    """What one batch did, for metrics and for the consumer's next fetch; `stops`: partitions that must not go on."""

    next_offsets: dict[Place, int]
    records: int
    facts: int
    rejected: int
    dead: int
    gaps: dict[Place, int]
    parked: int = 0
    stops: Mapping[Place, Stopped] = MappingProxyType({})

    def and_then(self, more: "Applied") -> "Applied":
        """This batch and the one after it, as one."""
        return Applied(
            self.next_offsets | more.next_offsets,
            self.records + more.records,
            self.facts + more.facts,
            self.rejected + more.rejected,
            self.dead + more.dead,
            self.gaps | more.gaps,
            self.parked + more.parked,
            {**self.stops, **more.stops},
        )


class Exchange:
    """Applies batches; knows Postgres and the rules, nothing of Kafka's client."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        vault: Vault,
        match_secret: bytes | None = None,
        limits: Limits = LIMITS,
        opener: Opener | None = None,
    ) -> None:
        """`match_secret`: the key of the persons' match keys, the same in every worker; a new one when None."""
        self._pool = pool
        self._vault = vault
        self._opener = opener
        self._match_secret = match_secret or secrets.token_bytes(32)
        self._world = WorldKeeper()
        self._sealing = Sealing()
        self._failures = Failures(limits)
        self.unread: set[tuple[str, int, int]] = set()

    def read(self, raw: Consumed) -> Arrival | Poison:
        """What a record says; pure, so it may run while another batch commits. What fails us here is ours to mend."""
        if self.unread and (raw.topic, raw.partition, raw.offset) in self.unread:
            return poison(raw, Bad.QUARANTINED, f"reading it ends the process; {NEXT_STEP[Bad.QUARANTINED]}")
        try:
            return read(raw, self._opener)
        except Exception as error:
            return poison(raw, Bad.OUR_FAILURE, f"{type(error).__name__}: {NEXT_STEP[Bad.OUR_FAILURE]}")

    async def apply(self, batch: Sequence[Consumed], holes: Holes = NO_HOLES) -> Applied:
        """Read and write one batch."""
        return await self.write(runs(self.read(raw) for raw in batch), holes)

    async def write(self, batch: Sequence[Run[Arrival | Poison]], holes: Holes = NO_HOLES) -> Applied:
        """One batch in one transaction. A record that fails us is found alone and parked (parking.py).

        `holes`: where the broker has shown twice that offsets do not exist, so step over them.
        """
        try:
            return await self._transaction(batch, holes)
        except Exception as error:
            self.forget()
            if is_transient(error):
                raise
            records = list(flat(batch))
            if len(records) == 1:
                return await self._set_apart(records[0], type(error).__name__, holes)
        middle = len(records) // 2
        first = await self.write(runs(records[:middle]), holes)
        rest = [r for r in records[middle:] if (r.raw.topic, r.raw.partition) not in first.stops]
        return first.and_then(await self.write(runs(rest), holes)) if rest else first

    async def _set_apart(self, record: Arrival | Poison, error: str, holes: Holes) -> Applied:
        """What failed us waits; poison that cannot even be refused as such is refused as our failure."""
        raw = record.raw
        if isinstance(record, Poison):
            detail = f"{error}: {NEXT_STEP[Bad.OUR_FAILURE]}"
            return await self._transaction(runs([poison(raw, Bad.OUR_FAILURE, detail)]), holes)
        done = await self._transaction(runs([Parked(record, error)]), holes)
        place = (raw.topic, raw.partition)
        why = self._failures.failed(place, raw.offset) if done.parked else None
        return done._replace(stops={place: why}) if why else done

    async def _transaction(self, batch: Sequence[Run[Arrival | Poison | Parked]], holes: Holes) -> Applied:
        try:
            return await self._attempt(batch, holes, early=True)
        except Lost:
            return await self._attempt(batch, holes, early=False)

    async def _attempt(
        self, batch: Sequence[Run[Arrival | Poison | Parked]], holes: Holes, early: bool
    ) -> Applied:
        work, ready, waiting = None, list[Arrival | Poison](), list[Parked]()
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                crash_points.here("batch.begun")
                before = await store.lock_progress(connection, {run.place for run in batch})
                taken, after, gaps = fresh(batch, before, holes)
                crash_points.here("batch.placed")
                if taken:
                    lanes = await store.lock_lanes(connection, {r.lane for r in taken})
                    ready, waiting = await parking.apart(connection, lanes, taken)
                    work = await self.effects(connection, lanes, ready, early) if ready else None
                await store.save_progress(connection, before, after)
                crash_points.here("batch.moved")
            crash_points.here("batch.committed")
            if work is not None:
                self.adopt(work)
                self._failures.well(ready)
                await connection.execute(NOTIFY)
                crash_points.here("batch.notified")
        counts = (len(work.history), len(work.rejections), len(work.dead)) if work else (0, 0, 0)
        return Applied(after, len(taken), *counts, gaps=gaps, parked=len(waiting))

    async def effects(
        self,
        connection: Connection,
        lanes: Mapping[int, store.Lane],
        records: Sequence[Arrival | Poison],
        early: bool = False,
    ) -> Work:
        """What the records make, saved in the caller's transaction, which holds the locks of their lanes.

        `early`: what they record is written while the next are decided; then it may raise Lost (capacity.py).
        """
        loaded = await store.load(connection, lanes, records, self._match_secret, self._vault)
        crash_points.here("batch.loaded")
        world = await self._world.current(connection)
        async with Writes(connection) as writes:
            journal = Journal(writes)
            work = await settled(connection, loaded, world, records, journal if early else None)
            crash_points.here("batch.decided")
            await store.save(connection, writes, journal, work, self._world.webhooks, self._opener)
        await self._sealing.seal(connection, work.history)
        crash_points.here("batch.saved")
        return work

    def adopt(self, work: Work) -> None:
        """After the commit: the world as this work left it."""
        self._world.adopt(work)
        self._sealing.trail.adopt()

    def forget(self) -> None:
        """After a failure: the world and the end of the audit's chain are read anew."""
        self._world.forget()
        self._sealing.trail.forget()


def is_transient(error: Exception) -> bool:
    """Whether the same batch may succeed later: connection lost, deadlock, shutdown, too many connections.

    An event id that another transaction has just taken is one too: read again, the batch sees it in the inbox.
    """
    if isinstance(error, asyncpg.UniqueViolationError):
        return error.table_name is not None and error.table_name.startswith("inbox")
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in TRANSIENT_CLASSES or error.sqlstate == PAUSED_TOO_LONG
    return isinstance(error, WAITS)
