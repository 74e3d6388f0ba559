"""The product's engine (Inbox, progress rows) with a step that writes the minimal rows: `python -m ...product`."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import uvloop

from infra.postgres import pool, queries
from stream_processors import store
from stream_processors.decode import Raw
from stream_processors.exchange import Applied
from stream_processors.inbox import Inbox
from stream_processors.progress import Place, fresh
from tests.benchmarks.engine.task import task
from tests.benchmarks.engine.workload import FIELDS, Row, row

SQL = queries("tests.benchmarks.engine", "write.sql")


class Read(NamedTuple):
    """A record and its row, None when it is poison."""

    raw: Raw
    row: Row | None


class Rows:
    """The step."""

    def __init__(self, connections: asyncpg.Pool, records: int) -> None:
        self._pool = connections
        self._left = records
        self.done = asyncio.Event()

    def read(self, raw: Raw) -> Read:
        try:
            return Read(raw, row(raw.value or b""))
        except ValueError:
            return Read(raw, None)

    async def write(self, records: Sequence[Read], holes: frozenset[Place]) -> Applied:
        async with self._pool.acquire() as connection, connection.transaction():
            before = await store.lock_progress(connection, {(r.raw.topic, r.raw.partition) for r in records})
            taken, after, gaps = fresh(records, before, holes)
            rows = {r.row[0]: r.row for r in taken if r.row is not None}
            await connection.execute(SQL["step"], *store.columns(list(rows.values()), len(FIELDS)))
            dead = [(*r.raw[:3], r.raw.value) for r in taken if r.row is None]
            if dead:
                await connection.execute(SQL["insert_dead"], *store.columns(dead))
            await store.save_progress(connection, before, after)
        self._left -= len(taken)
        if self._left <= 0:
            self.done.set()
        return Applied(after, len(taken), 0, 0, len(dead), gaps)


async def main() -> None:
    """Until all records of the run are written."""
    run = task()
    async with await pool(run.dsn, "worker") as connections:
        step = Rows(connections, run.records)
        inbox = asyncio.create_task(Inbox(run.login, connections, step, 0, f"^{run.topic}$").run())
        await asyncio.wait({inbox, asyncio.create_task(step.done.wait())}, return_when="FIRST_COMPLETED")
        inbox.cancel()
        await asyncio.gather(inbox, return_exceptions=True)


if __name__ == "__main__":
    uvloop.run(main())
