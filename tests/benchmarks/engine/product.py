"""The product's engine (Inbox, progress rows) with a step that writes the minimal rows: `python -m ...product`."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import uvloop

from infra.copying import copy, temporary
from infra.postgres import pool, queries
from stream_processors import store
from stream_processors.exchange import Applied
from stream_processors.inbox import Inbox
from stream_processors.progress import fresh
from stream_processors.runs import Consumed, Place, Run
from tests.benchmarks.engine.task import task
from tests.benchmarks.engine.workload import Row, row

SQL = queries("tests.benchmarks.engine", "write.sql")
SAID = "said"
COLUMNS = """event_id uuid, referral_id uuid, seq int, type text, status text, organization text, contract text,
    at timestamptz, payload bytea"""


class Read(NamedTuple):
    """A record and its row, None when it is poison."""

    raw: Consumed
    row: Row | None


class Rows:
    """The step."""

    def __init__(self, connections: asyncpg.Pool, records: int) -> None:
        self._pool = connections
        self._left = records
        self.done = asyncio.Event()

    def read(self, raw: Consumed) -> Read:
        try:
            return Read(raw, row(raw.value or b""))
        except ValueError:
            return Read(raw, None)

    async def write(self, batch: Sequence[Run[Read]], holes: frozenset[Place]) -> Applied:
        async with self._pool.acquire() as connection, connection.transaction():
            before = await store.lock_progress(connection, {run.place for run in batch})
            taken, after, gaps = fresh(batch, before, holes)
            rows = {r.row[0]: r.row for r in taken if r.row is not None}
            await copy(connection, SAID, rows.values())
            await connection.execute(SQL["step_copied"])
            dead = [(r.raw.topic, r.raw.partition, r.raw.offset, r.raw.value) for r in taken if r.row is None]
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
    async with await pool(run.dsn, "worker", prepare=temporary(SAID, COLUMNS)) as connections:
        step = Rows(connections, run.records)
        inbox = asyncio.create_task(Inbox(run.login, connections, step, 0, f"^{run.topic}$").run())
        await asyncio.wait({inbox, asyncio.create_task(step.done.wait())}, return_when="FIRST_COMPLETED")
        inbox.cancel()
        await asyncio.gather(inbox, return_exceptions=True)


if __name__ == "__main__":
    uvloop.run(main())
