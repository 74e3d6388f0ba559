"""Live against rebuilt: the SHA-256 of each table in key order, and the keys and columns that differ.

Comes in: the transaction of the rebuild, which sees both at the same watermark. Goes out: what differs, by name and
key; never a row's content.
"""

from hashlib import sha256
from typing import Any

import asyncpg
from msgspec import Struct

from stream_processors.projections import PROJECTIONS
from stream_processors.rebuild import SQL, Target

NAMED = 20


class Table(Struct, frozen=True):
    """One projection: rows rebuilt, and the hashes; `live` is None when it was not compared."""

    table: str
    rows: int
    live: str | None
    rebuilt: str


class Difference(Struct, frozen=True):
    """One row that is not what its facts make of it; `columns` is empty when it is in one of the two alone."""

    table: str
    key: dict[str, str]
    columns: list[str]


async def tables(connection: asyncpg.Connection, target: Target, compare: bool) -> list[Table]:
    """Every projection with its hashes."""
    found = []
    for projection in PROJECTIONS:
        keys, others = await columns_of(connection, target, projection.table)
        rows, rebuilt = await _hash(connection, f"{target.into}.{projection.table}", keys, others)
        live = None
        if compare:
            _, live = await _hash(connection, f"{target.live}.{projection.table}", keys, others)
        found.append(Table(projection.table, rows, live, rebuilt))
    return found


async def differences(connection: asyncpg.Connection, target: Target, table: str) -> list[Difference]:
    """The first rows of that table that differ, by key."""
    keys, others = await columns_of(connection, target, table)
    same = " and ".join(f"l.{k} = r.{k}" for k in keys)
    named = ", ".join(f"coalesce(l.{k}, r.{k})::text as {k}" for k in keys)
    there = f"l.{keys[0]} is not null and r.{keys[0]} is not null"
    changed = ", ".join(f"case when {there} and l.{c} is distinct from r.{c} then '{c}' end" for c in others)
    distinct = " or ".join([f"not ({there})", *(f"l.{c} is distinct from r.{c}" for c in others)])
    rows = await connection.fetch(
        f"select {named}, array_remove(array[{changed}]::text[], null) as differing"
        f" from {target.live}.{table} l full join {target.into}.{table} r on {same}"
        f" where {distinct} order by {', '.join(str(n + 1) for n in range(len(keys)))} limit {NAMED}"
    )
    return [
        Difference(
            table, {k.strip('"'): r[k.strip('"')] for k in keys}, [c.strip('"') for c in r["differing"]]
        )
        for r in rows
    ]


async def columns_of(
    connection: asyncpg.Connection, target: Target, table: str
) -> tuple[list[str], list[str]]:
    """A projection's primary key's columns, and all others that are compared; quoted."""
    projection = next(p for p in PROJECTIONS if p.table == table)
    rows = await connection.fetch(SQL["columns"], f"{target.live}.{table}")
    keys = [f'"{r["name"]}"' for r in rows if r["key"]]
    return keys, [f'"{r["name"]}"' for r in rows if not r["key"] and r["name"] not in projection.apart]


async def _hash(
    connection: asyncpg.Connection, table: str, keys: list[str], others: list[str]
) -> tuple[int, str]:
    """How many rows, and the SHA-256 of their COPY in key order; streamed."""
    digest = sha256()

    async def take(data: bytes) -> None:
        digest.update(data)

    done: Any = await connection.copy_from_query(
        f"select {', '.join(keys + others)} from {table} order by {', '.join(keys)}", output=take
    )
    return int(str(done).rsplit(" ", 1)[-1]), digest.hexdigest()
