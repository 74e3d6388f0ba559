"""`refex import-directory`: HSDS files become records on directory.change, and a report of what was wrong.

Comes in: a path. Goes out: records for services that are new, changed, or listed no more by their source. Must never
write the database itself; importing the same files twice sends nothing.
"""

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg
import click

from cli.common import find, json_option, note, print_json, run, wants_json
from infra import crash_points
from infra.kafka import KafkaLogin
from infra.postgres import queries
from producers.hsds import Result, read_path
from producers.hsds.packages import SOURCE
from producers.hsds.upsert import InForce, Plan, plan, records
from producers.producer import RecordProducer

SQL = queries("cli", "import_directory.sql")
BATCH = 500


def _source(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not SOURCE.fullmatch(value):
        raise click.BadParameter("a name has 1 to 80 letters, digits, dots, dashes and underscores")
    return value


@click.command(epilog="Example: refex import-directory hsds/ --source county-211 --dry-run --json")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--source",
    callback=_source,
    metavar="NAME",
    help="Who lists these services; else the package's name, else each organization itself.",
)
@click.option("--partial", is_flag=True, help="Not all that the source lists: end nothing that is missing.")
@click.option("--dry-run", is_flag=True, help="Report only; send nothing.")
@click.option("--strict", is_flag=True, help="Exit 1 when there is any problem.")
@json_option
def import_directory(
    path: Path, source: str | None, partial: bool, dry_run: bool, strict: bool, as_json: bool
) -> None:
    """Load the services of an HSDS 3.0/3.1 JSON file, or of a folder of JSON files or of CSV tables.

    What the source listed before and its whole newer package does not list is ended, with today's date.
    """
    result = read_path(path)
    report = dict(result.report)
    if not dry_run and result.services:
        exchange = find()
        sent = run(load(exchange.database_url, exchange.kafka, result, source, whole=not partial))
        report |= {"unchanged": {"service": sent.unchanged}, "ended": {"service": len(sent.ended)}}
        note(
            f"{len(sent.changed)} of {len(result.services)} services were new or changed, and sent; "
            f"{len(sent.ended)} are listed no more, and ended"
        )
    if wants_json(as_json):
        print_json(report)
    else:
        _print(report)
    if strict and report["problems"]:
        raise SystemExit(1)


async def load(
    database_url: str, login: KafkaLogin, result: Result, source: str | None = None, *, whole: bool = True
) -> Plan:
    """Send what differs from what is in force; returns what was sent. Raises BrokerAway."""
    connection = await asyncpg.connect(database_url, timeout=5)
    try:
        rows = await connection.fetch(SQL["services_in_force"])
    finally:
        await connection.close()
    made = plan(result, (InForce(*row) for row in rows), source, whole=whole)
    if made.changed or made.ended:
        crash_points.here("import.planned")
        sending = records(made, datetime.now(UTC))
        async with RecordProducer(login, client_id="refex-import", timeout_s=30) as producer:
            while some := list(islice(sending, BATCH)):
                await producer.send(some)
                crash_points.here("import.sent")
    return made


def _print(report: dict[str, Any]) -> None:
    for kind in (kind for kind in report if kind != "problems"):
        click.echo(
            f"{kind}: " + (", ".join(f"{n} {table}" for table, n in report[kind].items()) or "nothing")
        )
    for p in report["problems"]:
        field = f" {p['field']}" if p["field"] else ""
        click.echo(f"{p['file']}:{p['row']}{field}: {p['problem']}; {p['next']}")
