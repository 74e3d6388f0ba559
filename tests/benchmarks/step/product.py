"""The product's step as its worker runs it, until it is told to end: `python -m ...product [--keep FILE]`.

`--keep`: every statement that writes, with its arrays, is kept batch by batch; the limit writes them again.
"""

import contextlib
import pickle
import re
import sys
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import asyncpg
import uvloop

from infra import heap
from infra.postgres import session_settings
from stream_processors.exchange import Exchange
from stream_processors.inbox import Inbox
from tests.benchmarks.engine.task import task
from tests.benchmarks.step.prepare import SECRET
from tests.benchmarks.step.workload import Batch, Statement
from tests.support.vault import vault

WRITES = re.compile(r"\b(insert|update|delete)\b")


class Keeping(asyncpg.Connection):
    """A connection that keeps what it writes."""

    to: ClassVar[BinaryIO | None] = None
    kept: ClassVar[list[Statement]] = []

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> Any:
        self._keep(query, args)
        return await super().execute(query, *args, timeout=timeout)

    async def fetch(self, query: str, *args: Any, **how: Any) -> Any:
        self._keep(query, args)
        return await super().fetch(query, *args, **how)

    def _keep(self, query: str, args: tuple[Any, ...]) -> None:
        if query.startswith("BEGIN"):
            type(self).kept = []
        elif query.startswith("COMMIT"):
            _, _, before, after = self.kept[-1].args  # save_progress comes last
            assert self.to is not None
            pickle.dump(Batch(sum(after) - sum(before), self.kept), self.to)
            self.to.flush()
        elif WRITES.search(query):
            self.kept.append(Statement(query, args))


async def main(keep: str | None) -> None:
    """Until it is ended."""
    run = task()
    kind: Any = Keeping if keep else asyncpg.Connection
    settings = session_settings("worker")
    with Path(keep).open("wb") if keep else contextlib.nullcontext() as Keeping.to:
        async with asyncpg.create_pool(
            run.dsn, min_size=1, max_size=4, server_settings=settings, connection_class=kind
        ) as connections:
            exchange = Exchange(connections, vault(), SECRET)
            heap.settle()
            await Inbox(run.login, connections, exchange, 0).run()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[2] if "--keep" in sys.argv else None))
