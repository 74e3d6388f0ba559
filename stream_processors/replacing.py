"""The live projections made whole: rows that are not what history makes of them are replaced by the rebuilt ones.

Comes in: the owner's transaction, in which a rebuild stands beside the live tables. Goes out: how many rows were wrong.
Must never empty a table that others read meanwhile: only rows that differ are touched, and all at one commit.
"""

import asyncpg
from msgspec import Struct

from infra.postgres import affected
from stream_processors import comparing
from stream_processors.projections import PROJECTIONS
from stream_processors.rebuild import SQL, RebuildError, Target


class Replaced(Struct, frozen=True):
    """One table: rows taken out because they were wrong or too many, and rows put in."""

    table: str
    removed: int
    added: int


async def begin(connection: asyncpg.Connection, who: str) -> None:
    """Alone, and said to everyone before anything is touched; raises RebuildError while another is at it."""
    if not await connection.fetchval(SQL["try_lock"]):
        raise RebuildError("another rebuild is under way; wait for it to end")
    await connection.execute(SQL["say_rebuilding"], who)


async def stand_still(connection: asyncpg.Connection) -> None:
    """First in the transaction, before its snapshot: batches that began are done, none begins, readers go on."""
    await connection.execute("lock table lane in exclusive mode")
    tables = ", ".join(p.table for p in PROJECTIONS)
    await connection.execute(f"lock table {tables} in share row exclusive mode")


async def put_right(connection: asyncpg.Connection, target: Target) -> list[Replaced]:
    """Every wrong row out, then every missing row in; raises RebuildError when the tables are not the same then."""
    removed = {p.table: await _remove(connection, target, p.table) for p in PROJECTIONS}
    added = {p.table: await _add(connection, target, p.table) for p in PROJECTIONS}
    wrong = [t.table for t in await comparing.tables(connection, target, True) if t.live != t.rebuilt]
    if wrong:
        raise RebuildError(f"{', '.join(wrong)} would not be what history makes of them; nothing was changed")
    return [Replaced(table, removed[table], added[table]) for table in removed]


async def end(connection: asyncpg.Connection, target: Target) -> None:
    """In the same transaction: the tables are whole."""
    await connection.execute(f"drop schema {target.into} cascade")
    await connection.execute(SQL["say_whole"])


async def _remove(connection: asyncpg.Connection, target: Target, table: str) -> int:
    keys, others = await comparing.columns_of(connection, target, table)
    same = " and ".join(
        [*(f"l.{k} = r.{k}" for k in keys), *(f"l.{c} is not distinct from r.{c}" for c in others)]
    )
    done = await connection.execute(
        f"delete from {target.live}.{table} l where not exists (select from {target.into}.{table} r where {same})"
    )
    return affected(done)


async def _add(connection: asyncpg.Connection, target: Target, table: str) -> int:
    keys, others = await comparing.columns_of(connection, target, table)
    names, same = ", ".join(keys + others), " and ".join(f"l.{k} = r.{k}" for k in keys)
    done = await connection.execute(
        f"insert into {target.live}.{table} ({names}) select {names} from {target.into}.{table} r"
        f" where not exists (select from {target.live}.{table} l where {same})"
    )
    return affected(done)
