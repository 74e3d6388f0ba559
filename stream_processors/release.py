"""Parked records that the operator released are applied, in their order, as if they came now.

Comes in: rows of `parked` with a time of release. Goes out: their effects; a row is gone in the transaction that holds
its effects, so releasing twice is one effect. What fails again waits again, with its stream behind it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from referrals import consenting
from stream_processors import parking, store
from stream_processors.decode import Arrival, Poison, Raw
from stream_processors.exchange import NOTIFY, Exchange, is_transient
from stream_processors.parking import SQL
from stream_processors.patience import again_and_again

LOOK_S = 1.0
AT_ONCE = 500
log = structlog.get_logger()


class Waiting(NamedTuple):
    """A parked row, and what its record says as of its release."""

    id: UUID
    lane: int
    record: Arrival | Poison


class Releaser:
    """`run` in every worker: under the lanes' locks it does not matter who is first."""

    def __init__(self, pool: asyncpg.Pool, exchange: Callable[[], Exchange]) -> None:
        """`exchange`: makes an exchange of its own, when there is something to release."""
        self._pool = pool
        self._make = exchange

    async def run(self) -> None:
        """For ever."""
        await again_and_again("release", self._session)

    async def _session(self) -> None:
        if not await self._pool.fetchval(SQL["any_released"]):
            await asyncio.sleep(LOOK_S)
            return
        exchange = self._make()
        while await release(exchange, self._pool):
            pass


async def release(exchange: Exchange, pool: asyncpg.Pool) -> int:
    """Apply what is released, the oldest first; how many rows were looked at."""
    rows = await pool.fetch(SQL["released"], AT_ONCE)
    found = [Waiting(r["id"], r["lane"], exchange.read(_raw(r))) for r in rows]
    if found:
        await _apply(exchange, pool, found)
    return len(found)


async def _apply(exchange: Exchange, pool: asyncpg.Pool, rows: Sequence[Waiting]) -> None:
    """In one transaction, or by halves until the one is found that fails; its stream waits again."""
    try:
        await _transaction(exchange, pool, rows)
        return
    except Exception as error:
        exchange.forget()
        if is_transient(error):
            raise
        if len(rows) == 1:
            log.error("a released record failed again", id=rows[0].id, error=error)
            await _hold_back(pool, rows[0], type(error).__name__)
            return
    middle = len(rows) // 2
    await _apply(exchange, pool, rows[:middle])
    await _apply(exchange, pool, rows[middle:])


async def _transaction(exchange: Exchange, pool: asyncpg.Pool, rows: Sequence[Waiting]) -> None:
    async with pool.acquire() as connection:
        async with connection.transaction():
            lanes = await store.lock_lanes(connection, {n for r in rows for n in (r.lane, r.record.lane)})
            still = await connection.fetch(SQL["still_released"], [r.id for r in rows])
            known = {r.id: r for r in rows}
            ready = [known[r["id"]] for r in still]
            if not ready:
                return
            work = await exchange.effects(connection, lanes, [r.record for r in ready])
            await connection.execute(SQL["applied"], [r.id for r in ready])
            fewer = Counter(r.lane for r in ready)
            await parking.count(connection, {lane: -n for lane, n in fewer.items()})
        exchange.adopt(work)
        await connection.execute(NOTIFY)


async def _hold_back(pool: asyncpg.Pool, row: Waiting, error: str) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await store.lock_lanes(connection, {row.lane})
        await connection.execute(SQL["hold_back"], row.id, error)


def _raw(row: asyncpg.Record) -> Raw:
    """The record as it came; what happens to a referral happens now, what a consent says counts from when it came."""
    at = row["at"] if row["kind"] == consenting.KIND else row["released_at"]
    return Raw(row["topic"], row["partition"], row["offset"], row["key"], row["value"], at)
