"""A rebuild on a real Postgres equals the live tables, and a changed byte in any column of any projection is named."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from cli import rebuild as command
from cli.common import Exchange
from infra.kafka import KafkaLogin
from infra.postgres import connect
from infra.settings import Settings
from stream_processors import comparing, rebuild
from stream_processors.projections import NOT_PROJECTIONS, PROJECTIONS, Projection
from tests.support.api import Api
from tests.support.story import columns, tell

pytestmark = pytest.mark.real
CHANGED = {
    "text": "coalesce({0}, '') || 'x'",
    "uuid": "gen_random_uuid()",
    "integer": "{0} + 1",
    "bigint": "{0} + 1",
    "boolean": "not {0}",
    "jsonb": """coalesce({0}, '{{}}') || '{{"planted": 1}}'""",
    "bytea": "{0} || '\\x00'::bytea",
    "text[]": "{0} || 'planted'::text",
    "timestamp with time zone[]": "{0} || now()",
    "xid8": "'1'::xid8",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 microsecond'",
}


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """An exchange with rows in every projection."""
    async with Api(tmp_path_factory.mktemp("rebuild")) as api:
        await tell(api)
        yield api


def where(api: Api) -> Exchange:
    return Exchange(Settings(), api.url, KafkaLogin(bootstrap=""), "")


async def test_every_projection_is_what_history_makes_of_it(api: Api) -> None:
    result = await command.alone(where(api), "rebuilt", "archive", True)
    assert result.differences == []
    assert {t.table: t.live for t in result.tables} == {t.table: t.rebuilt for t in result.tables}
    assert [t.table for t in result.tables] == [p.table for p in PROJECTIONS]
    empty = {t.table for t in result.tables if not t.rows}
    assert empty == set(), "each projection must be compared with rows in it: extend tests/support/story.py"
    async with api.owner() as owner:
        assert result.events == await owner.fetchval("select count(*) from history")
        assert await owner.fetchval("select count(*) from rebuilt.referral") == 7
    again = await command.alone(where(api), "rebuilt", "archive", True)
    assert again.tables == result.tables, "what an earlier rebuild made is made anew"


async def test_a_schema_of_others_is_left_alone(api: Api) -> None:
    async with api.owner() as owner:
        await owner.execute("create schema reports; create table reports.kept (n int)")
        with pytest.raises(rebuild.RebuildError, match="holds tables of others"):
            await command.alone(where(api), "reports", "archive", False)
        assert await owner.fetchval("select count(*) from reports.kept") == 0


CHECKS = "select conname from pg_constraint where conrelid = to_regclass($1) and contype = 'c'"


@pytest.fixture
async def compared(api: Api) -> AsyncIterator[tuple[asyncpg.Connection, rebuild.Target]]:
    """A transaction with live and rebuilt tables in sight, rolled back afterwards."""
    connection = await connect(api.url, "rebuild")
    transaction = connection.transaction(isolation="repeatable_read")
    await transaction.start()
    result = await command.made(where(api), connection, "compared", "archive", True)
    assert result.differences == []
    yield connection, rebuild.Target("public", '"compared"')
    await transaction.rollback()
    await connection.close()


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda p: p.table)
async def test_a_changed_byte_in_any_column_is_named(
    compared: tuple[asyncpg.Connection, rebuild.Target], projection: Projection
) -> None:
    connection, target = compared
    table = projection.table
    found = [n for n, key in (await columns(connection, table)).items() if not key]
    assert set(projection.apart) <= set(found)
    for check in await connection.fetch(CHECKS, table):  # a byte that rots on disk is not checked either
        await connection.execute(f'alter table {table} drop constraint "{check[0]}"')
    kinds = {
        r["attname"]: r["type"]
        for r in await connection.fetch(
            "select attname, format_type(atttypid, null) as type from pg_attribute"
            " where attrelid = to_regclass($1) and attnum > 0",
            table,
        )
    }
    for name in found:
        change = f'"{name}" = {CHANGED[kinds[name]].format(chr(34) + name + chr(34))}'
        await _planted(connection, target, projection, f"update {table} set {change}", name)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda p: p.table)
async def test_a_row_that_is_missing_or_too_many_is_named(
    compared: tuple[asyncpg.Connection, rebuild.Target], projection: Projection
) -> None:
    connection, target = compared
    live, into = projection.table, f"{target.into}.{projection.table}"
    for table in (live, into):
        found = await _after(connection, target, live, f"delete from {table}", f"{table}.ctid")
        assert [(d.columns, bool(d.key)) for d in found] == [([], True)]


async def _planted(
    connection: asyncpg.Connection, target: rebuild.Target, projection: Projection, change: str, column: str
) -> None:
    found = await _after(connection, target, projection.table, change, f"{projection.table}.ctid")
    wanted = [] if column in projection.apart else [[column]]
    assert [d.columns for d in found] == wanted, f"{projection.table}.{column}"


async def _after(
    connection: asyncpg.Connection, target: rebuild.Target, table: str, change: str, ctid: str
) -> list[comparing.Difference]:
    """What a comparison says after one row was changed; the change is taken back."""
    held = connection.transaction()
    await held.start()
    source = ctid.removesuffix(".ctid")
    await connection.execute(f"{change} where ctid = (select min(ctid) from {source})")
    hashes = {t.table: t for t in await comparing.tables(connection, target, True)}
    found = await comparing.differences(connection, target, table)
    assert (hashes[table].live != hashes[table].rebuilt) == bool(found), "the hash and the names agree"
    await held.rollback()
    return found


async def test_every_table_is_declared(api: Api) -> None:
    async with api.owner() as owner:
        tables = await owner.fetch(
            "select relname, relkind from pg_class c where relnamespace = 'public'::regnamespace"
            " and relkind in ('r', 'p') and not relispartition"
        )
    declared = {p.table for p in PROJECTIONS} | set(NOT_PROJECTIONS)
    assert {t["relname"] for t in tables} == declared, (
        "declare a new table in stream_processors/projections.py: a projection with its fold, or why it is none"
    )
