"""The log as the topics hold it: referral.event and exchange.event from the start, as facts for a rebuild.

Comes in: an administrator's login. Goes out: facts in batches, until the ends of this moment. Must never commit an
offset; a fact published twice comes twice.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from avro_schemas import codec, topics
from infra.kafka import KafkaLogin
from infra.kafka_identity import partition_counts
from stream_processors.fold import REFERRAL, LogRow

LOG = (topics.REFERRAL_EVENT, topics.EXCHANGE_EVENT)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Fact(NamedTuple):
    """One published fact and its place in the log."""

    lane: int
    lane_seq: int
    row: LogRow


async def facts(login: KafkaLogin) -> AsyncGenerator[list[Fact], None]:
    """Every fact published so far, each partition in its own order."""
    consumer = AIOKafkaConsumer(
        **login.aiokafka(), enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=5000
    )
    await consumer.start()
    try:
        counts = await asyncio.to_thread(partition_counts, login)
        places = [TopicPartition(topic, n) for topic in LOG for n in range(counts[topic])]
        ends = await consumer.end_offsets(places)
        first = await consumer.beginning_offsets(places)
        waiting = {p: ends[p] for p in places if first[p] < ends[p]}
        consumer.assign(list(waiting))
        for place in waiting:
            consumer.seek(place, first[place])
        while waiting:
            found = await consumer.getmany(timeout_ms=500)
            yield [fact(record.value) for records in found.values() for record in records]
            for place in list(waiting):
                if await consumer.position(place) >= waiting[place]:
                    del waiting[place]
                    consumer.pause(place)
    finally:
        await consumer.stop()


def fact(value: bytes) -> Fact:
    """The fact in one record of the log."""
    name, fields = codec.decode(value, topics.LARGEST_TOLD)
    referral = name.startswith("referral_fact")
    kind, id = (REFERRAL, fields["referral_id"]) if referral else (fields["kind"], fields["stream_id"])
    tenant: Any = fields["sender"] if referral else fields["tenant"]
    row = LogRow(
        kind=kind,
        stream_id=UUID(id),
        version=fields["version"],
        type=fields["type"],
        event_id=UUID(fields["event_id"]),
        at=EPOCH + timedelta(milliseconds=fields["at"]),
        tenant=tenant,
        data=fields["data"],
        sealed=fields["sealed"],
    )
    return Fact(fields["lane"], fields["lane_seq"], row)
