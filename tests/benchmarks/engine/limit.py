"""The limit: the smallest aiokafka -> one transaction per batch writer one would write by hand, in turn.

`python -m ...limit`, or `... --pipelined`: the next batch is decoded while this one commits, one statement a batch.
No rebalances, no holes, no retries, no supervision: it is what the rows cost, not what a service needs.
"""

import asyncio
import sys
from collections import Counter
from typing import Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer

from infra.postgres import queries
from tests.benchmarks.engine.task import Task, task
from tests.benchmarks.engine.workload import PARTITIONS, places, row

SQL = queries("tests.benchmarks.engine", "write.sql")
Batch = tuple[dict[str, tuple[Any, ...]], list[tuple[Any, ...]], dict[int, int], int]


async def decoded(fetched: dict[Any, Any]) -> Batch:
    """Rows by event id, the poison, the next offsets, how many records; what is being written gets its turns."""
    rows, dead, after, count = dict[str, tuple[Any, ...]](), list[tuple[Any, ...]](), dict[int, int](), 0
    for place, records in fetched.items():
        count += len(records)
        after[place.partition] = records[-1].offset + 1
        for n, r in enumerate(records):
            if n % 64 == 0:
                await asyncio.sleep(0)
            try:
                said = row(r.value)
            except ValueError:
                dead.append((r.topic, r.partition, r.offset, r.value))
                continue
            rows[said[0]] = said
    return rows, dead, after, count


async def in_turn(connection: asyncpg.Connection, topic: str, batch: Batch) -> None:
    """One table after the other, one transaction."""
    rows, dead, after, _ = batch
    async with connection.transaction():
        await connection.fetch(SQL["lock_progress"], topic, list(after))
        events = zip(*((r[0], r[1], r[2], r[3], r[7], r[8]) for r in rows.values()), strict=True)
        fresh = {r["event_id"] for r in await connection.fetch(SQL["insert_events"], *map(list, events))}
        states: dict[str, tuple[Any, ...]] = {}
        for r in rows.values():
            if r[1] not in states or states[r[1]][1] < r[2]:
                states[r[1]] = (r[1], r[2], r[4], r[5], r[6], r[7])
        await connection.execute(SQL["upsert_states"], *map(list, zip(*states.values(), strict=True)))
        totals = Counter(r[6] for id, r in rows.items() if id in fresh)
        await connection.execute(SQL["add_totals"], list(totals), list(totals.values()))
        if dead:
            await connection.execute(SQL["insert_dead"], *map(list, zip(*dead, strict=True)))
        await connection.execute(SQL["save_progress"], topic, list(after), list(after.values()))


async def at_once(connection: asyncpg.Connection, topic: str, batch: Batch) -> None:
    """All rows in one statement."""
    rows, dead, after, _ = batch
    async with connection.transaction():
        await connection.fetch(SQL["lock_progress"], topic, list(after))
        await connection.execute(SQL["step"], *map(list, zip(*rows.values(), strict=True)))
        if dead:
            await connection.execute(SQL["insert_dead"], *map(list, zip(*dead, strict=True)))
        await connection.execute(SQL["save_progress"], topic, list(after), list(after.values()))


async def main(run: Task, pipelined: bool) -> None:
    """Until all records of the run are written."""
    connection = await asyncpg.connect(run.dsn)
    for n in range(PARTITIONS):
        await connection.execute(SQL["first_progress"], run.topic, n)
    consumer = AIOKafkaConsumer(
        **run.login.aiokafka(), enable_auto_commit=False, max_partition_fetch_bytes=4 * 1024 * 1024
    )
    await consumer.start()
    consumer.assign(places(run.topic))
    await consumer.seek_to_beginning()
    left, writing = run.records, None
    while left > 0:
        batch = await decoded(await consumer.getmany(timeout_ms=200, max_records=2000))
        if writing is not None:
            await writing
            writing = None
        if not batch[3]:
            continue
        left -= batch[3]
        if pipelined:
            writing = asyncio.create_task(at_once(connection, run.topic, batch))
        else:
            await in_turn(connection, run.topic, batch)
    if writing is not None:
        await writing
    await consumer.stop()
    await connection.close()


if __name__ == "__main__":
    uvloop.run(main(task(), "--pipelined" in sys.argv))
