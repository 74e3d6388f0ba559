"""How far Postgres is behind the log: records in the consumed topics that no transaction has applied yet."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from avro_schemas import topics
from infra.kafka import KafkaLogin
from infra.kafka_identity import partition_counts

Offsets = Mapping[TopicPartition, int]


class Watched(Protocol):
    """Servers as their administrator reaches them."""

    def kafka_login(self) -> KafkaLogin:
        """The broker's administrator."""

    def database(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """The owner's connection."""


async def behind(exchange: Watched, names: Collection[str] = ()) -> int:
    """Log end - next offset, summed over the named topics, or over all that the exchange consumes."""
    found = await ends(exchange, names)
    done = await applied(exchange)
    return sum(
        max(0, end - done.get(place, 0)) for place, end in found.items()
    )  # it may have moved meanwhile


async def ends(exchange: Watched, names: Collection[str] = ()) -> Offsets:
    """Where each partition of the named topics, or of all that the exchange consumes, ends now."""
    counts = await asyncio.to_thread(partition_counts, exchange.kafka_login())
    wanted = names or [t for t in counts if t in topics.consumed() or topics.sender_of(t)]
    places = [TopicPartition(t, p) for t in wanted for p in range(counts[t])]
    consumer = AIOKafkaConsumer(**exchange.kafka_login().aiokafka(), enable_auto_commit=False)
    try:
        await consumer.start()
        found: Offsets = await consumer.end_offsets(places)
        return found
    finally:
        await consumer.stop()


async def applied(exchange: Watched) -> Offsets:
    """The next offset of every partition in Postgres."""
    async with exchange.database() as database:
        rows = await database.fetch("select topic, partition, next_offset from progress")
    return {TopicPartition(r["topic"], r["partition"]): r["next_offset"] for r in rows}


async def relayed(exchange: Watched) -> bool:
    """Whether everything in history is published."""
    async with exchange.database() as database:
        return bool(
            await database.fetchval(
                "select bool_and(l.seq < r.next_seq) from lane l join relay_position r using (lane)"
            )
        )
