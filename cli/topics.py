"""`refex topics`: declares the topics of topics.yaml on the broker, and lists what is there.

Must never delete a topic.
"""

import asyncio

import asyncpg
import click

from avro_schemas import registry
from cli.common import Exchange, find, json_option, print_json, print_table, run, wants_json
from infra import participants
from infra import topics as declared


@click.group(epilog="Example: refex topics apply")
def topics() -> None:
    """Declare or list the topics."""


@topics.command("apply", epilog="Example: refex topics apply")
@json_option
def apply_(as_json: bool) -> None:
    """Create the topics that are missing; those of each Kafka participant too."""
    exchange = find()
    made = run(_apply(exchange))
    if wants_json(as_json):
        print_json({"created": made})
    else:
        click.echo("\n".join(made) if made else "nothing to do: every topic is there")


@topics.command("list", epilog="Example: refex topics list --json")
@json_option
def list_(as_json: bool) -> None:
    """Every topic of the exchange with its partitions and end offsets."""
    found = run(declared.listing(find().kafka))
    if wants_json(as_json):
        print_json({"items": found})
        return
    rows = [
        (t.name, t.partitions, sum(t.end_offsets) - sum(t.start_offsets), " ".join(map(str, t.end_offsets)))
        for t in found
    ]
    print_table(("topic", "partitions", "records", "end offsets"), rows)


async def _apply(exchange: Exchange) -> list[str]:
    connection = await asyncpg.connect(exchange.database_url, timeout=5)
    try:
        known = await participants.listing(connection)
    finally:
        await connection.close()
    senders = [row["id"] for row in known if row["kafka_username"]]
    made = await declared.apply(exchange.kafka, exchange.settings.partitions, senders)
    if exchange.settings.schema_registry_url:
        await asyncio.to_thread(registry.register, exchange.settings.schema_registry_url, senders)
    return made
