"""What a relay that died may have published beyond its saved ends: read the tails of its topics once.

Comes in: the saved end of each topic partition. Goes out: the (topic, lane, lane_seq) found behind them.
"""

import asyncio
import re
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from infra import crash_points
from infra.kafka import KafkaLogin
from infra.kafka_identity import partition_counts
from referrals.ids import partition
from stream_processors.outbox import HEADER

Published = frozenset[tuple[str, int, int]]
OUTPUTS = re.compile(r"^(referral\.event|exchange\.event|dead-letter|coverage\.change|feedback\..+)$")


async def tail(login: KafkaLogin, ends: Mapping[tuple[str, int], int], lanes: frozenset[int]) -> Published:
    """Every record of these lanes behind the saved ends; a partition without one is read from its start."""
    consumer = AIOKafkaConsumer(**login.aiokafka(), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        counts = await asyncio.to_thread(partition_counts, login)
        places = [p for t, n in counts.items() if OUTPUTS.match(t) for p in _written(t, n, lanes)]
        if not places:
            return frozenset()
        last = await consumer.end_offsets(places)
        first = await consumer.beginning_offsets(places)
        starts = {p: max(ends.get((p.topic, p.partition), 0), first[p]) for p in places}
        todo = {p: last[p] for p in places if starts[p] < last[p]}
        consumer.assign(list(todo))
        for place in todo:
            consumer.seek(place, starts[place])
        return await _read(consumer, todo, lanes)
    finally:
        await consumer.stop()


def _written(topic: str, count: int, lanes: frozenset[int]) -> list[TopicPartition]:
    """The partitions of a topic that these lanes are published to."""
    return [TopicPartition(topic, n) for n in sorted({partition(lane, count) for lane in lanes})]


async def _read(
    consumer: AIOKafkaConsumer, todo: dict[TopicPartition, int], lanes: frozenset[int]
) -> Published:
    found: set[tuple[str, int, int]] = set()
    waiting = dict(todo)
    while waiting:
        crash_points.here("relay.scanning")
        for place, records in (await consumer.getmany(timeout_ms=500)).items():
            for record in records:
                text = dict(record.headers).get(HEADER, b"").decode()
                lane, _, seq = text.partition(":")
                if lane.isdigit() and seq.isdigit() and int(lane) in lanes:
                    found.add((place.topic, int(lane), int(seq)))
        for place in list(waiting):
            if await consumer.position(place) >= waiting[place]:
                del waiting[place]
    return frozenset(found)
