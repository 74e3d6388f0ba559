"""`refex import-directory`: HSDS files become records on directory.change, and a report of what was wrong.

Comes in: a path. Goes out: records for services that differ from what is in force. Must never write the
database itself; importing the same files twice sends nothing.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import click
import msgspec

from cli.common import find, json_option, note, print_json, run, wants_json
from infra.kafka import KafkaLogin
from infra.postgres import queries
from producers import envelope
from producers.envelope import Record, Said
from producers.hsds import Imported, read_path
from producers.producer import RecordProducer
from referrals import ids

SQL = queries("cli", "import_directory.sql")
BATCH = 500


@click.command(epilog="Example: refex import-directory hsds/ --dry-run --json")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Report only; send nothing.")
@click.option("--strict", is_flag=True, help="Exit 1 when there is any problem.")
@json_option
def import_directory(path: Path, dry_run: bool, strict: bool, as_json: bool) -> None:
    """Load the services of an HSDS 3.0/3.1 JSON file, or of a folder of JSON files or of CSV tables."""
    result = read_path(path)
    if not dry_run and result.services:
        exchange = find()
        sent = run(load(exchange.database_url, exchange.kafka, result.services))
        note(f"{sent} of {len(result.services)} services were new or changed, and sent")
    if wants_json(as_json):
        print_json(result.report)
    else:
        _print(result.report)
    if strict and result.report["problems"]:
        raise SystemExit(1)


async def load(database_url: str, login: KafkaLogin, services: Iterable[Imported]) -> int:
    """Send every service that differs from the one in force; returns how many. Raises BrokerAway."""
    connection = await asyncpg.connect(database_url, timeout=5)
    try:
        rows = await connection.fetch(SQL["services_in_force"])
    finally:
        await connection.close()
    now = datetime.now(UTC)
    in_force = {str(r["id"]): (r["version"], _digest(r["routing"], r["body"])) for r in rows}
    records = [r for s in services if (r := _record(s, in_force, now)) is not None]
    async with RecordProducer(login, client_id="refex-import", timeout_s=30) as producer:
        for start in range(0, len(records), BATCH):
            await producer.send(records[start : start + BATCH])
    return len(records)


def _record(made: Imported, in_force: dict[str, tuple[int, str]], now: datetime) -> Record | None:
    """Its record; None when the same is in force. The version in its event id lets a service change back."""
    service = made.service
    version, digest = in_force.get(service.id, (0, ""))
    new = _digest(msgspec.json.encode(service), msgspec.json.encode(made.body))
    if new == digest:
        return None
    event = ids.event_id(service.organization, "service", service.id, str(version), new)
    return envelope.service_changed(Said(event, service.organization, now), service, made.body)


def _digest(routing: str | bytes, body: str | bytes) -> str:
    """A digest of two JSON texts that does not depend on the order of their keys (jsonb has its own)."""
    both = [msgspec.json.decode(routing), msgspec.json.decode(body)]
    return hashlib.sha256(msgspec.json.encode(both, order="sorted")).hexdigest()


def _print(report: dict[str, Any]) -> None:
    for kind in ("read", "loaded"):
        click.echo(
            f"{kind}: " + (", ".join(f"{n} {table}" for table, n in report[kind].items()) or "nothing")
        )
    for p in report["problems"]:
        field = f" {p['field']}" if p["field"] else ""
        click.echo(f"{p['file']}:{p['row']}{field}: {p['problem']}; {p['next']}")
