"""`refex rebuild`: every projection anew from the log, in a schema of its own, compared with the live ones.

Comes in: where the exchange is. Goes out: tables, their hashes, and the rows that are not what history makes of them.
Must never change a live table unless told to --replace; live traffic may go on. What it makes is the owner's alone.
"""

import asyncio
import getpass
import re
import time
from contextlib import aclosing

import asyncpg
import click
from msgspec import Struct, structs

from cli.common import Exchange, find, json_option, note, print_json, print_table, run, wants_json
from infra import crash_points
from infra.postgres import connect
from stream_processors import comparing, logreading, rebuild, replacing
from stream_processors.comparing import Difference, Table
from stream_processors.exchange import NOTIFY
from stream_processors.replacing import Replaced

SCHEMA = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")
RELAY_S = 60.0
OWN = "refex_rebuilt"
CUT_SHORT = (
    "the tables are as they were, and the API goes on saying 503 `rebuilding`: mend the cause, then run"
    " `refex rebuild --replace` again (or --abandon, to serve the tables as they are)"
)


class Result(Struct, frozen=True, kw_only=True):
    """What a rebuild found; `differences` names rows, and is empty when nothing was compared."""

    events: int
    source: str
    seconds: float
    tables: list[Table]
    differences: list[Difference]
    replaced: list[Replaced] | None = None


@click.command("rebuild", epilog="Example: refex rebuild --into rebuilt --verify --json")
@click.option("--into", "schema", metavar="SCHEMA", help="A schema to make, or to make anew.")
@click.option("--verify", is_flag=True, help="Compare with the live tables at the same watermark.")
@click.option(
    "--replace",
    is_flag=True,
    help="Put the live tables right; until then the API says 503, the workers wait.",
)
@click.option(
    "--abandon", is_flag=True, help="Give a --replace up that was cut short: serve the tables as they are."
)
@click.option(
    "--from",
    "source",
    type=click.Choice(["archive", "kafka"]),
    default="archive",
    show_default=True,
    help="History in Postgres, or the topics referral.event and exchange.event from their start.",
)
@json_option
def command(
    schema: str | None, verify: bool, replace: bool, abandon: bool, source: str, as_json: bool
) -> None:
    """Make every projection anew from the log, reading none; exit 1 when --verify finds a difference.

    Say one of --into, --replace and --abandon.
    """
    if bool(schema) + replace + abandon != 1:
        raise click.UsageError("say one of --into SCHEMA, --replace and --abandon")
    if abandon:
        run(abandoned(find()))
        note("the tables are served as they are; look with `refex rebuild --into rebuilt --verify`")
        return
    if schema and (not SCHEMA.match(schema) or schema == "public" or schema.startswith("pg_")):
        raise click.UsageError("SCHEMA is a new name of a-z, 0-9 and _; the live tables stay as they are")
    result = run(alone(find(), schema, source, verify) if schema else replaced(find(), source))
    if wants_json(as_json):
        print_json(result)
    else:
        _print(result)
    if any(table.live not in (None, table.rebuilt) for table in result.tables):
        raise SystemExit(1)


async def alone(exchange: Exchange, schema: str, source: str, verify: bool) -> Result:
    """Rebuild in a transaction of its own: all of it appears at once, or nothing."""
    connection = await connect(exchange.database_url, "rebuild")
    try:
        async with connection.transaction(isolation="repeatable_read"):
            return await made(exchange, connection, schema, source, verify)
    finally:
        await connection.close()


async def made(
    exchange: Exchange, connection: asyncpg.Connection, schema: str, source: str, verify: bool
) -> Result:
    """Rebuild within the connection's transaction, and compare there: what it sees is the watermark."""
    began = time.monotonic()
    target = await rebuild.begin(connection, schema)
    ends = await rebuild.watermarks(connection, target)
    crash_points.here("rebuild.begun")
    if source == "archive":
        events = await rebuild.from_archive(connection, target, ends)
    else:
        await _relayed(exchange, ends)
        async with aclosing(logreading.facts(exchange.kafka)) as facts:
            events = await rebuild.from_topics(connection, target, ends, facts)
    crash_points.here("rebuild.folded")
    tables = await comparing.tables(connection, target, verify)
    differing = [t.table for t in tables if t.live not in (None, t.rebuilt)]
    differences = [d for t in differing for d in await comparing.differences(connection, target, t)]
    await connection.execute(f"set local search_path to {target.live}")
    seconds = round(time.monotonic() - began, 3)
    return Result(events=events, source=source, seconds=seconds, tables=tables, differences=differences)


async def replaced(exchange: Exchange, source: str) -> Result:
    """Put the live tables right in one transaction; while it runs, and after a failure, nobody is shown a part."""
    connection = await connect(exchange.database_url, "rebuild")
    try:
        await replacing.begin(connection, getpass.getuser())
        try:
            async with connection.transaction(isolation="repeatable_read"):
                await replacing.stand_still(connection)
                found = await made(exchange, connection, OWN, source, True)
                target = await rebuild.target_of(connection, OWN)
                done = await replacing.put_right(connection, target)
                await replacing.end(connection, target)
        except Exception:
            note(CUT_SHORT)
            raise
        await connection.execute(NOTIFY)
    finally:
        await connection.close()
    tables = [Table(t.table, t.rows, t.rebuilt, t.rebuilt) for t in found.tables]
    return structs.replace(found, tables=tables, replaced=done)


async def abandoned(exchange: Exchange) -> None:
    """Take the sign down that a rebuild left which was cut short."""
    connection = await connect(exchange.database_url, "rebuild")
    try:
        await replacing.begin(connection, getpass.getuser())
        await connection.execute(rebuild.SQL["say_whole"])
    finally:
        await connection.close()


async def _relayed(exchange: Exchange, ends: dict[int, int]) -> None:
    """Wait until history up to these ends is published; raises RebuildError when nothing publishes it."""
    connection = await connect(exchange.database_url, "rebuild-wait")
    try:
        deadline = time.monotonic() + RELAY_S
        while True:
            found = await connection.fetch(rebuild.SQL["relayed"])
            behind = sum(max(0, ends.get(r["lane"], 0) + 1 - r["next_seq"]) for r in found)
            if not behind:
                return
            if time.monotonic() > deadline:
                raise rebuild.RebuildError(
                    f"{behind} facts are not published yet; start `refex worker`, or rebuild --from archive"
                )
            await asyncio.sleep(0.2)
    finally:
        await connection.close()


def _print(result: Result) -> None:
    rows = [(t.table, t.rows, t.rebuilt[:16], _said(t)) for t in result.tables]
    print_table(("table", "rows", "rebuilt", "live"), rows)
    for r in result.replaced or ():
        if r.removed or r.added:
            click.echo(f"{r.table}: {r.removed} rows out, {r.added} in")
    click.echo(f"{result.events} facts from {result.source} in {result.seconds:.1f} s")
    for d in result.differences:
        key = ", ".join(f"{k}={v}" for k, v in d.key.items())
        note(f"{d.table} {key}: {', '.join(d.columns) or 'in one of the two alone'}")


def _said(table: Table) -> str:
    if table.live is None:
        return "not compared"
    return "same" if table.live == table.rebuilt else "DIFFERS"
