"""The statements that save a batch, one after the other: while Postgres works on one, the rows of the next are made.

Comes in: statements with a column of values for each parameter, in their order. Goes out: their effects, all there at
the end of the block. Must never leave a statement running behind it.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from infra.postgres import Connection, affected


def columns(found: Sequence[tuple[Any, ...]], width: int = 0) -> list[list[Any]]:
    """Rows turned into one array per column, as unnest wants them; `width` when there may be no row."""
    return [list(column) for column in zip(*found, strict=True)] or [[] for _ in range(width)]


class Overtaken(RuntimeError):
    """Another process moved a row this batch had read: throw the batch away and read it again."""


class Writes:
    """`async with Writes(connection) as writes`: `send` returns when Postgres has begun; `done` when it has ended."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._running: asyncio.Task[str] | None = None
        self._rows: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.done()
        elif self._running is not None:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                await self._running

    async def send(self, query: str, columns: Sequence[list[Any]], rows: int | None = None) -> None:
        """Begin a statement as soon as the one before has ended; `rows`: so many it must concern, or Overtaken."""
        await self.done()
        self._running = asyncio.create_task(self._connection.execute(query, *columns))
        self._rows = rows
        await asyncio.sleep(0)  # it is sent now

    async def done(self) -> None:
        """Wait for the statement that is running; raises what it raises, or Overtaken."""
        running, self._running = self._running, None
        found = affected(await running) if running is not None else None
        if self._rows is not None and found is not None and found != self._rows:
            raise Overtaken("a row that this batch had read was written by another")
