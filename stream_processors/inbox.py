"""Kafka -> batches: assignment, seek to Postgres' offsets, fetch, read, write, retry. Knows nothing of referrals.

Comes in: every intake and shared topic. Goes out: batches to a Step; the next one is read while this one commits, and
never decided ahead (architecture 15). Kafka's committed offset is only a hint for lag dashboards; nothing is ever
skipped because Postgres or the broker is away.
"""

import asyncio
import contextlib
import re
import time
from typing import Any, Generic

import asyncpg
import stamina
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from avro_schemas import topics
from infra import crash_points
from infra.kafka import KafkaLogin
from stream_processors import markers, metrics
from stream_processors.batch_size import BatchSize
from stream_processors.exchange import Applied, is_transient
from stream_processors.membership import Membership, member
from stream_processors.patience import may_pass
from stream_processors.poison import Limits, PoisonGuard
from stream_processors.progress import Stopped, overtaken, released, starting_offsets, stop
from stream_processors.runs import Consumed, Place, Run, consumed, counted
from stream_processors.started import UNTIL_IT_IS, Started
from stream_processors.step import Reading, Step, T, unmarked

GROUP = "refex-exchange"
FETCH_BYTES = 512 * 1024  # of one partition; fetched ahead is at most this times the partitions assigned
SLICE = 64  # records read before the batch being written gets its turn
GATHER_S = 0.02  # between two looks for what has arrived while a batch is being written; each look is marked
ADVISORY_COMMIT_S = 2.0
LOOK_AGAIN_S = 3.0  # whether the operator let a stopped partition go on
LIMITS = Limits()
PATTERN = "^(" + "|".join([r"intake\.[a-z0-9.-]+", *map(re.escape, topics.consumed())]) + ")$"
log = structlog.get_logger()


class Inbox(Generic[T]):
    """One consumer of the group; `run` until cancelled."""

    def __init__(
        self,
        login: KafkaLogin,
        pool: asyncpg.Pool,
        step: Step[T],
        slot: int,
        pattern: str = PATTERN,
        limits: Limits = LIMITS,
        reading: Reading = unmarked,
        group: str = GROUP,
    ) -> None:
        self._login = login
        self._pool = pool
        self._step = step
        self._membership = Membership(member(group, slot), slot)
        self._pattern = pattern
        self._group = group
        self._writing: asyncio.Task[Applied] | None = None
        self._open: set[TopicPartition] = set()
        self.reassigned = True
        self._gaps: dict[Place, int] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._committed_at = self._passed_at = 0.0
        self._guard = PoisonGuard(limits)
        self._size = BatchSize()
        self._reading = reading
        self._stopped: set[TopicPartition] = set()
        self._looked_at = 0.0
        self.retrying = False

    @property
    def open(self) -> frozenset[TopicPartition]:
        """The partitions it reads."""
        return frozenset(self._open)

    async def run(self) -> None:
        """Consume for ever; a lost broker is waited for, an unknown error ends the process."""
        async with self._consumer() as consumer:
            consumer.subscribe(pattern=self._pattern, listener=_Reassigned(self))
            try:
                while True:
                    await self._place(consumer)
                    read = await self._take(consumer, 200, self._size.most)
                    await self._gather(consumer, read)
                    again = await self._settle(consumer)
                    await self._pass_markers(consumer, {run.place for run in read})
                    batch = await self._admitted(consumer, [run for run in read if run.place not in again])
                    if batch:
                        crash_points.here("inbox.read")
                        self._writing = asyncio.create_task(self._write(batch))
                    await self._commit(consumer)
                    await self._look_for_released()
            except KafkaError as error:
                raise self._membership.explained(error) from error
            finally:
                await self._drop()

    async def _take(self, consumer: AIOKafkaConsumer, timeout_ms: int, room: int) -> list[Run[T]]:
        """What there is of the partitions that are open, read; waits so long for the first of it."""
        fetched = await consumer.getmany(timeout_ms=timeout_ms, max_records=room)
        runs = [run for p, r in fetched.items() if p in self._open for run in consumed(p, r)]
        return await self._read(runs) if runs else []

    async def _gather(self, consumer: AIOKafkaConsumer, read: list[Run[T]]) -> None:
        """Add what arrives while the batch before is written: else it waits until this one is written too."""
        while read and self._writing is not None and not self.reassigned:
            if (room := self._size.most - counted(read)) <= 0:
                break
            written, _ = await asyncio.wait({self._writing}, timeout=GATHER_S)
            read += await self._take(consumer, 0, room)
            if written:
                break

    async def _admitted(self, consumer: AIOKafkaConsumer, batch: list[Run[T]]) -> list[Run[T]]:
        """The runs up to where there was too much poison; those partitions wait for the operator."""
        kept, stops = self._guard.admit(batch)
        for place, why in stops.items():
            await self._stop(consumer, TopicPartition(*place), why, held=True)
        return kept

    async def _look_for_released(self) -> None:
        """Now and then: may a stopped partition go on? Then everything is placed anew."""
        if not self._stopped or time.monotonic() - self._looked_at < LOOK_AGAIN_S:
            return
        self._looked_at = time.monotonic()
        for place in await UNTIL_IT_IS.on(may_pass)(released, self._pool, self._stopped):
            self._guard.forget((place.topic, place.partition))
            self.reassigned = True

    async def _read(self, batch: list[Run[Consumed]]) -> list[Run[T]]:
        """What the records say, read in slices so that the batch being written goes on meanwhile."""
        found: list[Run[T]] = []
        async with self._reading(batch):
            for run in batch:
                records: list[T] = []
                for start in range(0, len(run.records), SLICE):
                    records += map(self._step.read, run.records[start : start + SLICE])
                    await asyncio.sleep(0)
                found.append(Run(run.place, run.offsets, records))
        return found

    async def _settle(self, consumer: AIOKafkaConsumer) -> frozenset[Place]:
        """Wait for the batch being written and follow what it did; the places whose next batch must wait."""
        if self._writing is None:
            return frozenset()
        writing, self._writing = self._writing, None
        applied = await writing
        crash_points.here("inbox.applied")
        await self._follow(consumer, applied)
        return frozenset({*applied.gaps, *applied.stops})

    async def _drop(self) -> None:
        """On the way out: what is not committed is rolled back and read again by whoever comes next."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait({self._writing})

    def _consumer(self) -> Started:
        return Started(
            AIOKafkaConsumer(
                **self._login.aiokafka(),
                group_id=self._group,
                group_instance_id=self._membership.name,
                client_id=self._membership.name,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",  # what a sender took back was never said
                partition_assignment_strategy=[RangePartitionAssignor],
                session_timeout_ms=10_000,
                heartbeat_interval_ms=3_000,
                max_poll_interval_ms=2**31 - 1,  # waiting for Postgres is no reason to leave the group
                metadata_max_age_ms=5_000,
                fetch_max_wait_ms=100,
                max_partition_fetch_bytes=FETCH_BYTES,
            )
        )

    async def _place(self, consumer: AIOKafkaConsumer) -> None:
        """After an assignment: seek every partition to its row; those that must not go on are paused."""
        if not self.reassigned:
            return
        await self._settle(consumer)
        self.reassigned = False
        self._membership.assigned(consumer._coordinator.member_id, time.monotonic())
        self._open.clear()
        self._stopped.clear()
        assigned = frozenset(consumer.assignment())
        starts = await UNTIL_IT_IS.on(may_pass)(starting_offsets, consumer, self._login, self._pool, assigned)
        crash_points.here("inbox.assigned")
        for partition, start in starts.items():
            if isinstance(start, Stopped):
                await self._stop(consumer, partition, start)
            elif partition in consumer.assignment():
                consumer.seek(partition, start)
                consumer.resume(partition)
                self._open.add(partition)
                self._positions[partition] = start
        metrics.STOPPED.set(len(self._stopped))
        self._positions = {p: o for p, o in self._positions.items() if p in assigned}

    async def _stop(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, why: Stopped, held: bool = False
    ) -> None:
        """Pause it and keep the reason in its row; `held`: until the operator lets it go on."""
        log.error("partition stopped", topic=partition.topic, partition=partition.partition, do=why)
        await UNTIL_IT_IS.on(may_pass)(stop, self._pool, partition, why, held)
        self._open.discard(partition)
        self._stopped.add(partition)
        metrics.STOPPED.set(len(self._stopped))
        if partition in consumer.assignment():
            consumer.pause(partition)

    async def _write(self, batch: list[Run[T]]) -> Applied:
        """Until it is applied: a transient failure is retried for as long as it lasts."""
        with metrics.BATCH_SECONDS.time():
            async for attempt in stamina.retry_context(
                on=is_transient, attempts=None, timeout=None, wait_initial=0.05, wait_max=3.0
            ):
                self.retrying = attempt.num > 1
                metrics.RETRIES.inc(self.retrying)
                with attempt, self._size.timed(counted(batch)):
                    return await self._step.write(batch, frozenset(self._gaps))
        raise AssertionError("unreachable")

    async def _follow(self, consumer: AIOKafkaConsumer, applied: Applied) -> None:
        """Count, remember the next offsets, and look again where one was missing."""
        metrics.RECORDS.inc(applied.records)
        metrics.FACTS.inc(applied.facts)
        metrics.REJECTED.inc(applied.rejected)
        metrics.DEAD_LETTERS.inc(applied.dead)
        metrics.PARKED.inc(applied.parked)
        metrics.GAPS.inc(len(applied.gaps))
        for (topic, partition), offset in applied.next_offsets.items():
            self._positions[TopicPartition(topic, partition)] = offset
        self._gaps = {p: o for p, o in self._gaps.items() if applied.next_offsets.get(p, o) == o}
        for place, why in applied.stops.items():
            await self._stop(consumer, TopicPartition(*place), why, held=True)
        for place, offset in applied.gaps.items():
            await self._look_again(consumer, TopicPartition(*place), offset)

    async def _look_again(self, consumer: AIOKafkaConsumer, place: TopicPartition, offset: int) -> None:
        """A missing offset is read once more and then believed not to exist; below the log's start it is lost."""
        if place not in self._open or place not in consumer.assignment():
            return
        log.warning("an offset is missing", topic=place.topic, partition=place.partition, offset=offset)
        first = (await consumer.beginning_offsets([place]))[place]
        if first > offset:
            await self._stop(consumer, place, overtaken(place.topic, offset))
            return
        self._gaps[place.topic, place.partition] = offset
        if place in consumer.assignment():
            consumer.seek(place, offset)

    async def _pass_markers(self, consumer: AIOKafkaConsumer, read: set[Place]) -> None:
        """Now and then: a log that ends with what is no record is applied to its end, once that was shown twice."""
        if self.reassigned or time.monotonic() - self._passed_at < markers.EVERY_S:
            return
        self._passed_at = time.monotonic()
        ahead = await markers.beyond(consumer, {p: self._positions[p] for p in self._open - read})
        for place, position in ahead.items():
            offset = self._positions[place]
            if self._gaps.get(place) != offset:
                await self._look_again(consumer, place, offset)
            elif await UNTIL_IT_IS.on(may_pass)(markers.passed, self._pool, place, offset, position):
                self._positions[place] = position
                del self._gaps[place]
            else:
                self.reassigned = True

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        if not self._positions or time.monotonic() - self._committed_at < ADVISORY_COMMIT_S:
            return
        self._committed_at = time.monotonic()
        mine = {p: o for p, o in self._positions.items() if p in consumer.assignment()}
        crash_points.here("inbox.hinting")
        with contextlib.suppress(KafkaError, ValueError):
            await consumer.commit(mine)
            crash_points.here("inbox.hinted")


class _Reassigned(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells the inbox that what it reads has changed; it seeks before it takes another record."""

    def __init__(self, inbox: Inbox[Any]) -> None:
        self._inbox = inbox

    def on_partitions_revoked(self, revoked: object) -> None:
        self._inbox.reassigned = True

    def on_partitions_assigned(self, assigned: object) -> None:
        self._inbox.reassigned = True
