"""The product's engine (Inbox, progress rows) with a step that writes the minimal rows: `python -m ...product`.

`--in-turn`: everything is read inside the transaction, so that nothing overlaps. Several processes are one group.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import uvloop

from infra import heap
from infra.postgres import pool, queries
from stream_processors import store
from stream_processors.careful import Careful
from stream_processors.decode import Poison, poison
from stream_processors.exchange import Applied
from stream_processors.inbox import Inbox
from stream_processors.progress import fresh
from stream_processors.runs import Consumed, Place, Run
from tests.benchmarks.engine.copying import copy, temporary
from tests.benchmarks.engine.task import task
from tests.benchmarks.engine.workload import Row, row

SQL = queries("tests.benchmarks.engine", "write.sql")
SAID = "said"
COLUMNS = """event_id uuid, referral_id uuid, seq int, type text, status text, organization text, contract text,
    at timestamptz, payload bytea"""


class Read(NamedTuple):
    """A record and its row."""

    raw: Consumed
    row: Row


class Rows:
    """The step."""

    def __init__(self, connections: asyncpg.Pool, records: int) -> None:
        self._pool = connections
        self._left = records
        self.done = asyncio.Event()

    def read(self, raw: Consumed) -> Any:
        try:
            return Read(raw, row(raw.value or b""))
        except ValueError as error:
            return poison(raw, "undecodable", str(error))

    async def write(self, batch: Sequence[Run[Any]], holes: frozenset[Place]) -> Applied:
        async with self._pool.acquire() as connection, connection.transaction():
            before = await store.lock_progress(connection, {run.place for run in batch})
            taken, after, gaps = fresh(batch, before, holes)
            rows, dead = self._sorted(taken)
            await copy(connection, SAID, rows.values())
            await connection.execute(SQL["step_copied"])
            if dead:
                await connection.execute(SQL["insert_dead"], *store.columns(dead))
            await store.save_progress(connection, before, after)
        self._left -= len(taken)
        if self._left <= 0:
            self.done.set()
        return Applied(after, len(taken), 0, 0, len(dead), gaps)

    def _sorted(self, taken: Sequence[Any]) -> tuple[dict[Any, Row], list[tuple[Any, ...]]]:
        """The rows by event id, and the poison."""
        rows = {r.row[0]: r.row for r in taken if type(r) is Read}
        bad = [r.raw for r in taken if type(r) is Poison]
        return rows, [(raw.topic, raw.partition, raw.offset, raw.value) for raw in bad]


class Later(NamedTuple):
    """A record that is read when it is written."""

    raw: Consumed


class InTurn(Rows):
    """The step, nothing ahead."""

    def read(self, raw: Consumed) -> Any:
        return Later(raw)

    def _sorted(self, taken: Sequence[Any]) -> tuple[dict[Any, Row], list[tuple[Any, ...]]]:
        return super()._sorted([Rows.read(self, later.raw) for later in taken])


async def main(kind: type[Rows]) -> None:
    """Until all records of the run are written."""
    run, slot = task(), int(os.environ.get("BENCH_SLOT", "0"))
    heap.settle()
    with tempfile.TemporaryDirectory() as folder:
        async with await pool(run.dsn, "worker", max_size=1) as connections:  # the table is its session's
            await connections.execute(temporary(SAID, COLUMNS))
            step = kind(connections, run.records)
            reading = Careful(Path(folder, "reading"), set()).reading
            pattern = f"^{run.topic}$"
            inbox = Inbox(run.login, connections, step, slot, pattern, reading=reading, group=run.group)
            running = asyncio.create_task(inbox.run())
            await asyncio.wait(
                {running, asyncio.create_task(step.done.wait())}, return_when="FIRST_COMPLETED"
            )
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    uvloop.run(main(InTurn if "--in-turn" in sys.argv else Rows))
