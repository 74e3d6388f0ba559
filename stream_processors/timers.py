"""Deadlines that came due become commands on referral.timer, once what was said before is applied.

Comes in: rows of `deadline`. Goes out: deadline_due records with ids that repeat harmlessly. Never decides: a hop
that was answered meanwhile has moved on, and its deadline's generation is stale (architecture 9).
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from avro_schemas import topics
from infra import crash_points
from infra.kafka import KafkaLogin
from infra.kafka_identity import partition_counts
from infra.postgres import queries
from producers.envelope import Record, deadline_due
from producers.producer import RecordProducer
from referrals.ids import event_id
from stream_processors.patience import IDLE_S, again_and_again, held
from stream_processors.store import columns

SQL = queries("stream_processors", "timers.sql")
SAID_BY_ALL = (topics.RESPONSE, topics.INTAKE_API)


class Timers:
    """One process at a time (advisory lock) looks for deadlines that came due."""

    def __init__(self, url: str, login: KafkaLogin) -> None:
        self._url = url
        self._login = login

    async def run(self) -> None:
        """For ever; after a failure let go of everything and begin anew."""
        await again_and_again("timers", self._session)

    async def _session(self) -> None:
        async with held(self._url, "worker", SQL["try_lock"]) as connection:
            if connection is None:
                return
            consumer = AIOKafkaConsumer(**self._login.aiokafka(), enable_auto_commit=False)
            async with RecordProducer(self._login, "refex-timers") as producer:
                await consumer.start()
                try:
                    while True:
                        await self._step(connection, consumer, producer)
                        await asyncio.sleep(IDLE_S)
                finally:
                    await consumer.stop()

    async def _step(
        self, connection: asyncpg.Connection, consumer: AIOKafkaConsumer, producer: RecordProducer
    ) -> None:
        if due := await connection.fetch(SQL["newly_due"]):
            crash_points.here("timers.due")
            ends = await _ends(self._login, consumer, {r["sender"] for r in due})
            rows = [(*_name(r), _barrier(ends, r["sender"])) for r in due]
            await connection.execute(SQL["set_barrier"], *columns(rows))
            crash_points.here("timers.barred")
        if ready := await connection.fetch(SQL["ready"]):
            crash_points.here("timers.ready")
            now = datetime.now(UTC)
            await producer.send([_record(r, now) for r in ready])
            crash_points.here("timers.published")
            await connection.execute(SQL["sent"], *columns([_name(r) for r in ready]))
            crash_points.here("timers.marked")


def _name(row: asyncpg.Record) -> tuple[UUID, str, int]:
    return row["referral_id"], row["kind"], row["generation"]


async def _ends(
    login: KafkaLogin, consumer: AIOKafkaConsumer, senders: set[str]
) -> dict[str, dict[str, int]]:
    """Where each log that may hold an answer or a cancel ends now: topic -> `topic/partition` -> offset."""
    counts = await asyncio.to_thread(partition_counts, login)
    wanted = {*SAID_BY_ALL, *(topics.intake(s) for s in senders)} & counts.keys()
    places = [TopicPartition(t, n) for t in sorted(wanted) for n in range(counts[t])]
    found: dict[str, dict[str, int]] = {}
    for place, end in (await consumer.end_offsets(places)).items():
        found.setdefault(place.topic, {})[f"{place.topic}/{place.partition}"] = end
    return found


def _barrier(ends: Mapping[str, Mapping[str, int]], sender: str) -> str:
    """What must be applied before this sender's referral may miss anything, as JSON."""
    mine = [ends.get(t, {}) for t in (*SAID_BY_ALL, topics.intake(sender))]
    return msgspec.json.encode({place: end for each in mine for place, end in each.items()}).decode()


def _record(row: asyncpg.Record, now: datetime) -> Record:
    referral, kind, generation = _name(row)
    event = event_id("exchange", "deadline", str(referral), kind, str(generation))
    return deadline_due(event, now, referral, kind, generation)
