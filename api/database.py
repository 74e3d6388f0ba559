"""Postgres as the API may use it: every transaction says for whom, so that row-level security applies.

Comes in: a Principal (or nobody, for the API's own tables). Goes out: a connection inside a transaction.
Must never hand out a connection without a time limit, nor read for a caller without their organization.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from api.principal import Principal
from infra.postgres import ENDED, session_settings

# What says that Postgres is away or overloaded, as opposed to a fault of ours.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    *ENDED,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
)
ASK_AS = (
    "select exists (select from rebuilding), "
    "set_config('refex.organization', $1, true), set_config('refex.organization_type', $2, true)"
)
LOOK = "select set_config('refex.opening', $1, true)"
WHOLE = "select not exists (select from rebuilding)"


class DatabaseAway(ConnectionError):
    """Postgres did not answer in time; try again."""


class Rebuilding(Exception):
    """The tables that lists are read from are being made anew; a part of them is never shown."""


async def _ask_as(connection: asyncpg.Connection, principal: Principal) -> None:
    """Say for whom; in the same snapshot, whether the tables are whole."""
    if await connection.fetchval(ASK_AS, principal.organization, principal.type):
        raise Rebuilding


async def _nothing_to_reset(connection: object) -> None:
    """Every setting is local to its transaction, so that a returned connection needs no round trip."""


async def _closed(pool: asyncpg.Pool) -> None:
    try:
        async with asyncio.timeout(2):
            await pool.close()
    except TimeoutError:
        pool.terminate()


class Database:
    """Two pools: `refex-api` for callers and for the API's own tables, `refex-reader` for aggregates alone."""

    def __init__(self, url: str, size: int = 8, patience_s: float = 2.5) -> None:
        self.url = url
        self._size = size
        self._patience_s = patience_s
        self._pools: dict[str, asyncpg.Pool] = {}

    async def open(self) -> None:
        """Make the pools; they connect when first used, so an API may start before its database."""
        for part, size in (("api", self._size), ("reader", 2)):
            self._pools[part] = await asyncpg.create_pool(
                self.url,
                min_size=0,
                max_size=size,
                timeout=self._patience_s,
                server_settings=session_settings(part),
                reset=_nothing_to_reset,
            )

    async def close(self) -> None:
        """Close every connection, without waiting for what hangs."""
        await asyncio.gather(*map(_closed, self._pools.values()))
        self._pools.clear()

    @asynccontextmanager
    async def reading(
        self, principal: Principal, patience_s: float | None = None
    ) -> AsyncIterator[asyncpg.Connection]:
        """A read-only transaction that sees what the principal may see, of one moment; raises Rebuilding."""
        begin = "begin isolation level repeatable read read only"
        async with self._session("api", begin, patience_s) as connection:
            await _ask_as(connection, principal)
            yield connection

    @asynccontextmanager
    async def looking(self, principal: Principal, opening: UUID) -> AsyncIterator[asyncpg.Connection]:
        """The same, through a break-glass: Postgres gives out its person's key while it is open, and no other."""
        async with self.reading(principal) as connection:
            await connection.execute(LOOK, str(opening))
            yield connection

    @asynccontextmanager
    async def writing(self, principal: Principal) -> AsyncIterator[asyncpg.Connection]:
        """The same, for the few tables that the API itself writes (idempotency)."""
        async with self._session("api", "begin") as connection:
            await _ask_as(connection, principal)
            yield connection

    @asynccontextmanager
    async def keeping(self, principal: Principal) -> AsyncIterator[asyncpg.Connection]:
        """The same for people and break-glass, which no rebuild touches: at any time."""
        async with self._session("api", "begin") as connection:
            await connection.fetchval(ASK_AS, principal.organization, principal.type)
            yield connection

    @asynccontextmanager
    async def own(self) -> AsyncIterator[asyncpg.Connection]:
        """For nobody: sessions, tokens and clients, found by secret; tenant tables show no row. No transaction."""
        async with self._session("api", "") as connection:
            yield connection

    @asynccontextmanager
    async def auditing(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction of the audit's own: it may add records and read its chain."""
        async with self._session("api", "begin") as connection:
            yield connection

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction in which changes.py asks for one organization after another."""
        async with self._session("api", "begin read only") as connection:
            yield connection

    @asynccontextmanager
    async def aggregates(self, patience_s: float | None = None) -> AsyncIterator[asyncpg.Connection]:
        """The reader's view of everything: for counts and measures, never for a row that leaves the API."""
        begin = "begin isolation level repeatable read read only"
        async with self._session("reader", begin, patience_s) as connection:
            if not await connection.fetchval(WHOLE):
                raise Rebuilding
            yield connection

    @asynccontextmanager
    async def _session(
        self, part: str, begin: str, patience_s: float | None = None
    ) -> AsyncIterator[asyncpg.Connection]:
        patience = asyncio.timeout(patience_s or self._patience_s)
        pool = self._pools[part]
        connection: Any = None
        healthy = False
        try:
            async with patience:
                connection = await pool.acquire()
                if begin:
                    await connection.execute(begin)
                try:
                    yield connection
                except Exception as error:
                    if not isinstance(error, AWAY) or isinstance(error, asyncpg.DataError):
                        if begin:
                            await connection.execute("rollback")
                        healthy = True
                    raise
                if begin:
                    await connection.execute("commit")
                healthy = True
        except asyncpg.DataError:
            raise
        except AWAY as error:
            raise DatabaseAway(type(error).__name__) from error
        finally:
            if connection is not None:
                if not healthy:
                    connection.terminate()
                await pool.release(connection, timeout=1)
