"""Offsets that no record has at the end of a log, as the markers of a transactional sender: passed, or all would wait.

Comes in: where the client stands, where Postgres goes on. Goes out: moved progress rows. Must never move a row past an
offset that was not looked at twice, nor one that another process moved.
"""

from collections.abc import Mapping

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream_processors.store import Overtaken, save_progress

EVERY_S = 1.0


async def beyond(
    consumer: AIOKafkaConsumer, next_offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Where the client has gone past what is applied; whoever asks holds no record of these partitions."""
    found = {}
    for place in next_offsets.keys() & consumer.assignment():
        position = await consumer.position(place)
        if position > next_offsets[place]:
            found[place] = position
    return found


async def passed(pool: asyncpg.Pool, place: TopicPartition, offset: int, position: int) -> bool:
    """Move its row by compare-and-set; False when another process was there first."""
    try:
        async with pool.acquire() as connection, connection.transaction():
            await save_progress(connection, {place: offset}, {place: position})
    except Overtaken:
        return False
    return True
