"""An idiomatic Faust agent: one event at a time, each in a transaction of its own. `faust -A ... worker` in one file.

Offsets are Faust's own; a duplicate is caught by the primary key of event_log.
"""

import os
from typing import Any

import asyncpg
import faust

from infra.postgres import queries
from stream_processors.app import credentials
from tests.benchmarks.engine.task import task
from tests.benchmarks.engine.workload import PARTITIONS, row

SQL = queries("tests.benchmarks.engine", "write.sql")
run = task()
app = faust.App(
    run.group,
    broker=f"kafka://{run.bootstrap}",
    broker_credentials=credentials(run.login),
    value_serializer="raw",
    store="memory://",
    web_enabled=False,
    topic_disable_leader=True,
    topic_allow_declare=False,
    datadir=os.environ["BENCH_DATADIR"],
)
topic = app.topic(run.topic, value_serializer="raw")


@app.agent(topic)
async def write(stream: Any) -> None:
    """Each event to its rows."""
    connection = await asyncpg.connect(run.dsn)
    for n in range(PARTITIONS):
        await connection.execute(SQL["first_progress"], run.topic, n)
    async for event in stream.events():
        message = event.message
        async with connection.transaction():
            try:
                said = row(message.value)
            except ValueError:
                dead = (run.topic, message.partition, message.offset, message.value)
                await connection.execute(SQL["insert_dead"], *([v] for v in dead))
            else:
                await connection.execute(SQL["step"], *([v] for v in said))
            await connection.execute(
                SQL["save_progress"], run.topic, [message.partition], [message.offset + 1]
            )


if __name__ == "__main__":
    app.main()
