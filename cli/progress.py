"""`refex progress`: where each partition stands, and what lets a stopped one go on.

Comes in: a topic. Goes out: rows of `progress` changed by the operator alone, each loss kept in `progress_reset`. Must
never move an offset of a partition that is well, nor forward past records that can still be read.
"""

import asyncio
import getpass
from typing import Any

import asyncpg
import click

from cli.common import Exchange, find, json_option, print_json, print_table, run, wants_json
from infra import topics
from infra.kafka_identity import identity
from infra.postgres import queries

SQL = queries("cli", "progress.sql")


@click.group(epilog="Example: refex progress list --stopped")
def progress() -> None:
    """Where the exchange stands in its topics; let stopped partitions go on."""


@progress.command("list", epilog="Example: refex progress list --stopped --json")
@click.option("--topic", help="Only this one.")
@click.option("--stopped", is_flag=True, help="Only partitions that stand still, with what to do.")
@json_option
def list_(topic: str | None, stopped: bool, as_json: bool) -> None:
    """Every partition's next offset, and why it does not go on."""
    rows = run(_fetch(find(), "list", topic, stopped))
    if wants_json(as_json):
        print_json({"items": rows})
        return
    head = ("topic", "partition", "next offset", "stopped")
    print_table(head, [(r["topic"], r["partition"], r["next_offset"], r["stopped"] or "") for r in rows])


@progress.command(epilog="Example: refex progress resume intake.bay-clinic --partition 3")
@click.argument("topic")
@click.option("--partition", type=click.IntRange(0), help="Only this one.")
@json_option
def resume(topic: str, partition: int | None, as_json: bool) -> None:
    """Let partitions go on that stopped because of too much poison; the worker notices within seconds."""
    rows = run(_fetch(find(), "resume", topic, partition))
    if wants_json(as_json):
        print_json({"resumed": sorted(r["partition"] for r in rows)})
    else:
        click.echo(f"{len(rows)} partitions of {topic} go on")


@progress.command(epilog="Example: refex progress reset intake.bay-clinic --accept-loss")
@click.argument("topic")
@click.option("--partition", type=click.IntRange(0), help="Only this one.")
@click.option("--accept-loss", is_flag=True, help="Records that the log no longer holds are given up.")
@json_option
def reset(topic: str, partition: int | None, accept_loss: bool, as_json: bool) -> None:
    """Go on at the start of what the log still holds, where it was recreated, cut short or overtaken."""
    if not accept_loss:
        raise click.UsageError(
            "records may be lost for good; restore the log if you can, else say --accept-loss"
        )
    done = run(_reset(find(), topic, partition))
    if wants_json(as_json):
        print_json({"items": done})
        return
    for row in done:
        click.echo(f"{topic}/{row['partition']}: from {row['from']} to {row['to']}: {row['why']}")
    if not done:
        click.echo(f"{topic}: nothing to reset; its log is the one that was read")


async def _fetch(exchange: Exchange, name: str, *values: Any) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(exchange.database_url, timeout=5)
    try:
        return [dict(row) for row in await connection.fetch(SQL[name], *values)]
    finally:
        await connection.close()


async def _reset(exchange: Exchange, topic: str, partition: int | None) -> list[dict[str, Any]]:
    """Each partition whose row does not fit its log, in one transaction, each noted; nothing is applied again."""
    log = next((t for t in await topics.listing(exchange.kafka) if t.name == topic), None)
    if log is None:
        raise click.ClickException(f"there is no topic {topic} of ours; run `refex topics list`")
    who = await asyncio.to_thread(identity, exchange.kafka, {topic})
    connection = await asyncpg.connect(exchange.database_url, timeout=5)
    done: list[dict[str, Any]] = []
    try:
        async with connection.transaction():
            for row in await connection.fetch(SQL["rows"], topic, partition):
                number, offset = row["partition"], row["next_offset"]
                same = (row["cluster_id"], row["topic_id"]) == (who.cluster, who.topics[topic])
                first, end = log.start_offsets[number], log.end_offsets[number]
                if same and first <= offset <= end:
                    continue
                why = "the log was cut" if same else "the topic or the cluster is another"
                await connection.execute(SQL["reset"], topic, number, first, who.cluster, who.topics[topic])
                await connection.execute(SQL["note"], topic, number, offset, first, why, getpass.getuser())
                done.append({"partition": number, "from": offset, "to": first, "why": why})
    finally:
        await connection.close()
    return done
