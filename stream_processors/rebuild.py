"""Every projection anew, from the log alone: history in Postgres, or the topics referral.event and exchange.event.

Comes in: the owner's open transaction (repeatable read), whose snapshot is the watermark of every lane while traffic
goes on. Goes out: tables in a schema of their own. Must never read a projection, decide, or touch the live tables.
"""

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

import asyncpg
import msgspec

from infra.postgres import queries
from stream_processors.fold import Folded, LogRow, fold
from stream_processors.logreading import Fact
from stream_processors.projections import PROJECTIONS
from stream_processors.store import columns

SQL = queries("stream_processors", "rebuild.sql")
MADE = "made by refex rebuild"
ROWS = 4000


class RebuildError(RuntimeError):
    """The projections cannot be rebuilt; the message says what to do."""


class Target(NamedTuple):
    """Where the live tables are, and where the rebuilt ones go; both quoted."""

    live: str
    into: str

    def sql(self, name: str) -> str:
        """A query of rebuild.sql for these schemas."""
        return SQL[name].replace("{live}", self.live).replace("{into}", self.into)


async def target_of(connection: asyncpg.Connection, schema: str) -> Target:
    """The live schema is the session's own."""
    return Target(await connection.fetchval("select quote_ident(current_schema())"), f'"{schema}"')


async def begin(connection: asyncpg.Connection, schema: str) -> Target:
    """Make the schema and its empty tables; replaces only what an earlier rebuild made. Raises RebuildError."""
    target = await target_of(connection, schema)
    found = (await connection.fetch(SQL["schema_state"], target.into))[0]
    if target.into.strip('"') == target.live.strip('"') or (found["filled"] and found["comment"] != MADE):
        raise RebuildError(f"schema {schema} holds tables of others; name one that does not exist yet")
    if found["there"]:
        await connection.execute(f"drop schema {target.into} cascade")
    await connection.execute(f"create schema {target.into}")
    await connection.execute(f"comment on schema {target.into} is '{MADE}'")
    for projection in PROJECTIONS:
        await connection.execute(
            f"create table {target.into}.{projection.table}"
            f" (like {target.live}.{projection.table} including defaults including constraints including generated"
            " including indexes)"
        )
    return target


async def watermarks(connection: asyncpg.Connection, target: Target) -> dict[int, int]:
    """The last lane_seq of every lane in this snapshot."""
    return {r["lane"]: r["seq"] for r in await connection.fetch(target.sql("lane_ends"))}


async def from_archive(connection: asyncpg.Connection, target: Target, ends: Mapping[int, int]) -> int:
    """Fold history, lane by lane; returns the number of facts."""
    return await _fold_lanes(connection, target, "archive", ends)


async def from_topics(
    connection: asyncpg.Connection, target: Target, ends: Mapping[int, int], facts: AsyncIterator[list[Fact]]
) -> int:
    """Fold what the topics hold, up to the same ends; returns the number of facts. Raises RebuildError."""
    await _within(connection, target)
    await connection.execute(SQL["create_log"])
    async for some in facts:
        fresh = [(f.lane, f.lane_seq, *f.row) for f in some if f.lane_seq <= ends.get(f.lane, 0)]
        if fresh:
            await connection.execute(SQL["add_log"], *columns(fresh))
    held = {r["lane"]: r["facts"] for r in await connection.fetch(SQL["log_counts"])}
    lacking = {lane: end - held.get(lane, 0) for lane, end in ends.items() if end != held.get(lane, 0)}
    if lacking:
        raise RebuildError(
            f"the topics lack {sum(lacking.values())} facts in {len(lacking)} lanes that history has; restore them, "
            "or rebuild with --from archive"
        )
    await connection.execute(SQL["index_log"])
    count = await _fold_lanes(connection, target, "from_log", ends)
    await connection.execute(f"drop table {target.into}.log")
    return count


async def _fold_lanes(
    connection: asyncpg.Connection, target: Target, query: str, ends: Mapping[int, int]
) -> int:
    """Stream every lane by its streams; memory holds one stream and a batch of rows."""
    await _within(connection, target)
    rows = await connection.fetch(target.sql("erased_log" if query == "from_log" else "erased_archive"))
    erased = frozenset(bytes.fromhex(key) for r in rows for key in msgspec.json.decode(r["keys"]))
    writer = _Writer(connection)
    count = 0
    for lane, end in sorted(ends.items()):
        stream: list[LogRow] = []
        async for record in connection.cursor(target.sql(query), lane, end, prefetch=2000):
            row = LogRow(*record)
            if stream and (row.kind, row.stream_id) != (stream[0].kind, stream[0].stream_id):
                await writer.add(_folded(stream)._replace(erased=erased))
                stream = []
            stream.append(row)
            count += 1
        if stream:
            await writer.add(_folded(stream)._replace(erased=erased))
    await writer.flush()
    return count


def _folded(facts: list[LogRow]) -> Folded:
    try:
        return fold(facts)
    except (ValueError, msgspec.MsgspecError) as error:
        first = facts[0]
        raise RebuildError(
            f"the facts of {first.kind} {first.stream_id} cannot be folded: {error}"
        ) from error


async def _within(connection: asyncpg.Connection, target: Target) -> None:
    """From here on an unqualified table name is one of the rebuilt ones, or an error: never a live one."""
    await connection.execute(f"set local search_path to {target.into}")


class _Writer:
    """Gathers rows by projection and writes them by the exchange's own statements."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._rows: list[list[tuple[object, ...]]] = [[] for _ in PROJECTIONS]
        self._held = 0

    async def add(self, folded: Folded) -> None:
        for projection, held in zip(PROJECTIONS, self._rows, strict=True):
            found = projection.rows(folded)
            held += found
            self._held += len(found)
        if self._held >= ROWS:
            await self.flush()

    async def flush(self) -> None:
        for projection, held in zip(PROJECTIONS, self._rows, strict=True):
            if held:
                await self._connection.execute(projection.sql, *columns(held))
        self._rows = [[] for _ in PROJECTIONS]
        self._held = 0
