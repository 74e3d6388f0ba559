"""Many rows into one statement by COPY: into a temporary table of the session, which the statement then reads.

Comes in: rows as tuples, in a transaction. Goes out: the table, filled until the transaction ends. Above some 64 rows
it costs the client less than array arguments, of which asyncpg examines every element. COPY straight into a table with
row-level security is refused.
"""

from collections.abc import Iterable
from typing import Any

from infra.postgres import Connection


def temporary(name: str, columns: str) -> str:
    """What makes the table in a session; every commit empties it."""
    return f"create temporary table if not exists {name} ({columns}) on commit delete rows"


async def copy(connection: Connection, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Fill the session's temporary table; values in the order of its columns."""
    await connection.copy_records_to_table(name, schema_name="pg_temp", records=rows)
