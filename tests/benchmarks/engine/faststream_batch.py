"""FastStream's batch subscriber on aiokafka: a list of messages, one transaction, offsets in the same transaction."""

import asyncio
from typing import Any

import asyncpg
import uvloop
from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaMessage, TopicPartition
from faststream.security import SASLScram256

from infra.postgres import queries
from tests.benchmarks.engine.task import task
from tests.benchmarks.engine.workload import PARTITIONS, row

SQL = queries("tests.benchmarks.engine", "write.sql")
run = task()
broker = KafkaBroker(run.bootstrap, security=SASLScram256(username=run.username, password=run.password))
app = FastStream(broker)
state: dict[str, Any] = {"left": run.records}


@app.on_startup  # type: ignore[untyped-decorator]
async def connect() -> None:
    """One connection, as one subscriber needs it."""
    state["connection"] = await asyncpg.connect(run.dsn)
    for n in range(PARTITIONS):
        await state["connection"].execute(SQL["first_progress"], run.topic, n)


@broker.subscriber(  # type: ignore[untyped-decorator]
    partitions=[TopicPartition(run.topic, n) for n in range(PARTITIONS)],
    batch=True,
    max_records=2000,
    auto_offset_reset="earliest",
    decoder=None,
)
async def write(message: KafkaMessage) -> None:
    """A batch to its rows."""
    rows, dead, after = dict[str, tuple[Any, ...]](), list[tuple[Any, ...]](), dict[int, int]()
    for r in message.raw_message:
        after[r.partition] = r.offset + 1
        try:
            said = row(r.value)
        except ValueError:
            dead.append((r.topic, r.partition, r.offset, r.value))
            continue
        rows[said[0]] = said
    connection: asyncpg.Connection = state["connection"]
    async with connection.transaction():
        await connection.execute(SQL["step"], *map(list, zip(*rows.values(), strict=True)))
        if dead:
            await connection.execute(SQL["insert_dead"], *map(list, zip(*dead, strict=True)))
        await connection.execute(SQL["save_progress"], run.topic, list(after), list(after.values()))
    state["left"] -= len(message.raw_message)
    if state["left"] <= 0:
        app.exit()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(app.run())
