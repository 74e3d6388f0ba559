"""One Postgres or broker of the embedded parts without its supervisor, for tests that need just that.

Comes in: a prepared Child. Goes out: its process, ended with the block. Must never outlive the test.
"""

import asyncio
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from infra.embedded.process import Child


@contextmanager
def running(child: Child, log: Path, more: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """The child with `more` arguments; what it prints goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*child.argv(), *more],
            cwd=child.cwd,
            user=child.uid,
            group=child.gid,
            env={**os.environ, **child.environment},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    except TimeoutError:
        print(log.read_text(errors="replace")[-4000:])  # why it never answered
        raise
    finally:
        process.send_signal(child.stop_signals[0][0])
        process.wait(60)


async def answers(child: Child, within_s: float = 30) -> None:
    """Return once it does; raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                return await child.ready()
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.1)
