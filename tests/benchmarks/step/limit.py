"""The limit: the same records fetched and decoded, and the very statements the step wrote, prepared beforehand.

`python -m ...limit FILE`: the next batch is decoded while this one commits. It looks nothing up, decides nothing,
builds no row: it is what the rows cost, not what an exchange needs.
"""

import asyncio
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from avro_schemas.codec import CodecError, decode
from infra import heap
from infra.postgres import session_settings
from tests.benchmarks.engine.task import task
from tests.benchmarks.step.prepare import PARTITIONS, TOPICS
from tests.benchmarks.step.workload import Batch

SLICE = 64


def batches(path: str) -> Iterator[Batch]:
    """As they were kept."""
    with Path(path).open("rb") as kept:
        while True:
            try:
                yield pickle.load(kept)  # noqa: S301 - this benchmark's own, of a moment ago
            except EOFError:
                return


async def read(consumer: AIOKafkaConsumer) -> int:
    """How many records one fetch brought, each decoded; what is being written gets its turns."""
    count = 0
    for records in (await consumer.getmany(timeout_ms=200, max_records=2000)).values():
        for record in records:
            count += 1
            if count % SLICE == 0:
                await asyncio.sleep(0)
            try:
                decode(record.value)
            except CodecError:
                continue
    return count


async def write(connection: asyncpg.Connection, batch: Batch) -> None:
    """One batch, one transaction; the wake-up comes after it."""
    async with connection.transaction():
        for query, args in batch.statements:
            await connection.execute(query, *args)
    await connection.execute("notify refex")


async def main(path: str) -> None:
    """Until all that was kept is written; then until it is ended."""
    run = task()
    kept = list(batches(path))
    connection = await asyncpg.connect(run.dsn, server_settings=session_settings("worker"))
    consumer = AIOKafkaConsumer(
        **run.login.aiokafka(), enable_auto_commit=False, max_partition_fetch_bytes=4 * 1024 * 1024
    )
    await consumer.start()
    consumer.assign([TopicPartition(t, p) for t in TOPICS for p in range(PARTITIONS)])
    await consumer.seek_to_beginning()
    heap.settle()
    ready, writing = 0, None
    for batch in kept:
        while ready < batch.records:
            ready += await read(consumer)
        if writing is not None:
            await writing
        writing = asyncio.create_task(write(connection, batch))
        ready -= batch.records
    if writing is not None:
        await writing
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
