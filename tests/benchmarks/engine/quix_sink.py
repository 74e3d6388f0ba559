"""A Quix Streams batching sink: psycopg is what its users take; here the rows go through one statement a batch."""

import asyncio
from typing import Any

import asyncpg
from quixstreams import Application
from quixstreams.kafka.configuration import ConnectionConfig
from quixstreams.sinks import BatchingSink, SinkBatch

from infra.postgres import queries
from tests.benchmarks.engine.task import task
from tests.benchmarks.engine.workload import PARTITIONS, row

SQL = queries("tests.benchmarks.engine", "write.sql")
run = task()


class Rows(BatchingSink):  # type: ignore[misc]
    """One partition's batch, one transaction."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._connection = self._loop.run_until_complete(self._connect())

    async def _connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(run.dsn)
        for n in range(PARTITIONS):
            await connection.execute(SQL["first_progress"], run.topic, n)
        return connection

    def write(self, batch: SinkBatch) -> None:
        """Called by Quix at every checkpoint, for each partition."""
        self._loop.run_until_complete(self._write(batch))

    async def _write(self, batch: SinkBatch) -> None:
        rows, dead, last = dict[str, tuple[Any, ...]](), list[tuple[Any, ...]](), 0
        for item in batch:
            last = item.offset + 1
            try:
                said = row(item.value)
            except ValueError:
                dead.append((run.topic, batch.partition, item.offset, item.value))
                continue
            rows[said[0]] = said
        async with self._connection.transaction():
            await self._connection.execute(SQL["step"], *map(list, zip(*rows.values(), strict=True)))
            if dead:
                await self._connection.execute(SQL["insert_dead"], *map(list, zip(*dead, strict=True)))
            await self._connection.execute(SQL["save_progress"], run.topic, [batch.partition], [last])


def main() -> None:
    """Until all records of the run are written."""
    app = Application(
        broker_address=ConnectionConfig(
            bootstrap_servers=run.bootstrap,
            security_protocol="sasl_plaintext",
            sasl_mechanism="SCRAM-SHA-256",
            sasl_username=run.username,
            sasl_password=run.password,
        ),
        consumer_group=run.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        commit_every=2000,
        commit_interval=0.5,
        loglevel="ERROR",
    )
    frame = app.dataframe(app.topic(run.topic, value_deserializer="bytes", key_deserializer="bytes"))
    frame.sink(Rows())
    app.run(count=run.records, timeout=30)


if __name__ == "__main__":
    main()
