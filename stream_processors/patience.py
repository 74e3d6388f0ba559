"""How the steps wait: what may pass by itself, one holder at a time, begin anew after a failure.

Comes in: an error, a session to keep going, a lock. Goes out: the same behaviour for relay, timers and inbox. Must
never hide an error that will not pass by itself.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from infra.postgres import connect
from infra.vault.kms import Locked
from stream_processors.exchange import is_transient

IDLE_S = 0.5
TRY_S = 2.0  # another process holds the lock: each try is a new session, so not too often
FIRST_S, LAST_S = 0.5, 5.0
WELL_S = 10.0
STATEMENT_S = 60.0
FROZEN_S = 60.0  # a holder that has not asked anything for so long: then another takes its place
HOLDS_NO_LONGER = f"set idle_session_timeout = '{FROZEN_S:.0f}s'"
SPEAKS_S = FROZEN_S / 4  # a holder that waits for something else is heard of so often
T = TypeVar("T")
log = structlog.get_logger()


def may_pass(error: Exception) -> bool:
    """Whether waiting may help: the broker or Postgres is away, busy, or has another leader."""
    return isinstance(error, KafkaError) or is_transient(error)


async def again_and_again(what: str, session: Callable[[], Awaitable[None]]) -> None:
    """Run sessions for ever; one that ends, or fails in a way that may pass, is followed by another.

    After failures in a row it waits longer, and never as long as its neighbours: they would all come back at once.
    """
    pause = FIRST_S
    while True:
        began = time.monotonic()
        try:
            await session()
            wait = TRY_S
        except Exception as error:
            if not may_pass(error):
                raise
            if isinstance(error, Locked):
                log.error("personal data cannot be opened", do=error)
            log.warning("starts anew", what=what, error=error)
            pause = FIRST_S if time.monotonic() - began > WELL_S else min(pause * 2, LAST_S)
            wait = pause
        await asyncio.sleep(wait * random.uniform(0.5, 1.0))


@contextlib.asynccontextmanager
async def held(url: str, part: str, lock: str, *numbers: int) -> AsyncIterator[asyncpg.Connection | None]:
    """A session that holds an advisory lock (a query that tries for it), or None while another process does."""
    connection = await connect(url, part, STATEMENT_S)
    try:
        await connection.execute(HOLDS_NO_LONGER)
        yield connection if await connection.fetchval(lock, *numbers) else None
    finally:
        await connection.close(timeout=2)


async def meanwhile(connection: asyncpg.Connection, waiting: Awaitable[T]) -> T:
    """Wait for what is not Postgres, by whom the holder of a lock is heard all the while: else it counts as frozen.

    A session that is lost is none of this; the next statement says so.
    """
    task = asyncio.ensure_future(waiting)
    try:
        while not (await asyncio.wait({task}, timeout=SPEAKS_S))[0]:
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await connection.execute(HOLDS_NO_LONGER)
        return task.result()
    finally:
        task.cancel()
