"""`refex dead-letters`: what could not be processed - list, look at one, send it again once its cause is mended.

Beside the dead letters stand the records that wait because we failed: those are released, not sent again.
Must never show a person's data: a record's body stays unread here.
"""

import struct
from typing import Any
from uuid import UUID

import asyncpg
import click

from avro_schemas import codec
from cli.common import Exchange, find, json_option, note, print_json, print_table, run, wants_json
from infra import crash_points
from infra.postgres import queries
from infra.vault import intake
from infra.vault.travel import Opener, Unopenable
from infra.vault.vault import vault_of
from producers.envelope import Record
from producers.producer import RecordProducer
from referrals.errors import NEXT_STEP

SQL = queries("cli", "dead_letters.sql")
OURS = (
    "mend the cause, then `refex dead-letters replay` it; it goes on with all that waits behind it, in order"
)
NEXT = {**NEXT_STEP, "our-failure": OURS, "waits": OURS}


@click.group("dead-letters", epilog="Example: refex dead-letters list")
def dead_letters() -> None:
    """List, show and replay what could not be processed."""


@dead_letters.command("list", epilog="Example: refex dead-letters list --limit 20 --json")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=200, show_default=True, help="The newest so many."
)
@json_option
def list_(limit: int, as_json: bool) -> None:
    """The newest dead letters first."""
    rows = run(_rows(find(), "list", limit))
    if wants_json(as_json):
        print_json({"items": rows})
        return
    head = ("id", "at", "topic", "partition", "offset", "reason", "replayed")
    table = [
        (r["id"], f"{r['at']:%Y-%m-%d %H:%M:%S}", r["topic"], r["partition"], r["offset"], r["reason"],
         "yes" if r["replayed_at"] else "no")
        for r in rows
    ]  # fmt: skip
    print_table(head, table)


@dead_letters.command(epilog="Example: refex dead-letters show 2f6c4a0e-0000-5000-8000-000000000000 --json")
@click.argument("id", type=click.UUID)
@json_option
def show(id: UUID, as_json: bool) -> None:
    """Everything about one, except what could tell about a person."""
    rows = run(_rows(find(), "show", id))
    if not rows:
        raise click.ClickException(f"no dead letter {id}; see `refex dead-letters list`")
    row = rows[0]
    value = run(_opened(find(), row["id"], row.pop("value")))
    row |= {"schema": _schema(value), "bytes": len(value or b""), "next": NEXT.get(row["reason"])}
    if wants_json(as_json):
        print_json(row)
        return
    for name, content in row.items():
        click.echo(f"{name:<12} {content if content is not None else '-'}")


@dead_letters.command(epilog="Example: refex dead-letters replay --all")
@click.argument("letters", type=click.UUID, nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="Every one that was not replayed yet.")
@json_option
def replay(letters: tuple[UUID, ...], everything: bool, as_json: bool) -> None:
    """Send records again to the place they came from; let those go on that wait because we failed.

    A dead letter that was replayed is left alone. Releasing one record releases all that wait with it, in their order;
    the worker applies them within seconds.
    """
    if bool(letters) == everything:
        raise click.UsageError("name the dead letters to replay, or say --all")
    sent, left = run(_replay(find(), None if everything else list(letters)))
    if wants_json(as_json):
        print_json({"replayed": sent, "left": left})
        return
    for id in sent:
        click.echo(f"{id}\treplayed")
    for id in left:
        note(f"{id}: not there, or replayed before")


async def _rows(exchange: Exchange, name: str, value: Any) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(exchange.database_url, timeout=5)
    try:
        return [dict(row) for row in await connection.fetch(SQL[name], value)]
    finally:
        await connection.close()


async def _replay(exchange: Exchange, wanted: list[UUID] | None) -> tuple[list[UUID], list[UUID]]:
    """Release what waits, then send the dead letters; what was not there, or was done before, is left."""
    connection = await asyncpg.connect(exchange.database_url, timeout=5)
    try:
        done = await _release(connection, wanted) + await _send(exchange, connection, wanted)
    finally:
        await connection.close()
    return done, [id for id in wanted or [] if id not in done]


async def _release(connection: asyncpg.Connection, wanted: list[UUID] | None) -> list[UUID]:
    """Under the locks of their lanes, so that what a batch is just parking behind them goes with them."""
    async with connection.transaction():
        await connection.execute(SQL["hold_lanes"], wanted)
        rows = await connection.fetch(SQL["release"], wanted)
    return [r["id"] for r in sorted(rows, key=lambda r: r["position"])]


async def _opener(exchange: Exchange, connection: asyncpg.Connection) -> Opener:
    return Opener(await intake.private_keys(connection, vault_of(exchange.settings)))


async def _opened(exchange: Exchange, id: UUID, value: bytes | None) -> bytes | None:
    """The record as it came; None when its key is gone."""
    connection = await asyncpg.connect(exchange.database_url, timeout=5)
    try:
        return (await _opener(exchange, connection)).exhumed(value, id)
    except Unopenable:
        return None
    finally:
        await connection.close()


async def _send(exchange: Exchange, connection: asyncpg.Connection, wanted: list[UUID] | None) -> list[UUID]:
    """Send each and mark it, one transaction each, in the order of their partitions; what is sent twice is harmless."""
    name, values = ("waiting", []) if wanted is None else ("in_order", [wanted])
    ids = [r["id"] for r in await connection.fetch(SQL[name], *values)]
    sent: list[UUID] = []
    if not ids:
        return sent
    opener = await _opener(exchange, connection)
    async with RecordProducer(exchange.kafka, client_id="refex-replay", timeout_s=15) as producer:
        for id in ids:
            async with connection.transaction():
                row = await connection.fetchrow(SQL["take"], id)
                if row is not None:
                    crash_points.here("dead-letters.taken")
                    await producer.send([_record(row, opener)])
                    crash_points.here("dead-letters.sent")
                    sent.append(id)
    return sent


def _record(row: asyncpg.Record, opener: Opener) -> Record:
    """The record as it was, for the partition it was in (a lane below the partition count is its own partition)."""
    try:
        value: Any = opener.exhumed(row["value"], row["id"])
    except Unopenable:
        raise click.ClickException(
            f"{row['id']}: the key of its day was deleted, nobody can read it any more; its sender has to send it again"
        ) from None
    return Record(row["topic"], row["key"], row["partition"], value, row["id"])


def _schema(value: bytes | None) -> str | None:
    if not value or len(value) < 5 or value[0] != 0:
        return None
    number = struct.unpack_from(">I", value, 1)[0]
    return next((name for name, known in codec.ids().items() if known == number), None)
