"""`refex publish`: the referrals of a file, one line each: the id, or the reason it was refused.

Comes in: JSON, FHIR or CSV. Goes out: records on the organization's own intake topic, or POSTs when it has no
Kafka login. Must never stop at a bad referral, nor send one twice as two.
"""

import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec
from msgspec import Struct

from cli.common import FILE, Exchange, as_option, find, json_option, print_json, run, wants_json, whose
from cli.publish_files import Found, read
from producers.exchange_client import ExchangeClient, Refused
from producers.publisher import BrokerAway, ReferralPublisher
from referrals.submission import Submission

BATCH = 200
LATER = "HL7 v2 comes with a later version; send FHIR, CSV or JSON"


class Line(Struct, frozen=True, omit_defaults=True):
    """What became of one referral of the file."""

    where: str
    id: str | None = None
    refused: str | None = None


Send = Callable[[list[Submission]], Awaitable[list[str | Refused]]]


@click.command(epilog="Example: refex publish referrals.csv --as golden-health-plan")
@click.argument("file", type=FILE)
@as_option
@click.option(
    "--format", "kind", type=click.Choice(["fhir", "hl7v2", "csv", "json"]), help="Default: by the content."
)
@json_option
def publish(file: Path, organization: str | None, kind: str | None, as_json: bool) -> None:
    """Publish the referrals of FILE as ORG."""
    if kind == "hl7v2" or file.suffix.lower() in (".hl7", ".er7"):
        raise click.UsageError(LATER)
    sender = whose(organization)
    exchange = find()
    try:
        found = read(file, kind, functools.cache(lambda: run(_known(exchange, sender))))
        lines = run(_publish(exchange, sender, found, not wants_json(as_json)))
    except (BrokerAway, httpx.HTTPError) as error:
        raise click.ClickException(
            f"the exchange does not answer: {error}; publish the file again, what it has is not taken twice"
        ) from error
    if wants_json(as_json):
        print_json({"items": lines})
    if any(line.refused for line in lines):
        raise SystemExit(1)


async def _known(exchange: Exchange, sender: str) -> dict[str, str]:
    """Every organization and its type, as the exchange tells the sender."""
    client = exchange.participant(sender).clients[0]
    known: dict[str, str] = {}
    async with ExchangeClient(exchange.url, client.client_id, client.client_secret) as door:
        cursor = None
        while True:
            page = await door.get("/v1/organizations", limit=200, **({"cursor": cursor} if cursor else {}))
            known |= {o["id"]: o["type"] for o in page["items"]}
            if not (cursor := page["next_cursor"]):
                return known


async def _publish(exchange: Exchange, sender: str, found: list[Found], show: bool) -> list[Line]:
    member = exchange.participant(sender)
    if member.kafka:
        async with ReferralPublisher(
            bootstrap=exchange.kafka.bootstrap,
            organization=sender,
            username=member.kafka.username,
            password=member.kafka.password,
            security_protocol=exchange.kafka.security_protocol,
            mechanism=exchange.kafka.mechanism,
            ca_file=exchange.kafka.ca_file,
            url=exchange.url,
        ) as publisher:
            return await _lines(found, functools.partial(_by_kafka, publisher), show)
    client = member.clients[0]
    async with ExchangeClient(exchange.url, client.client_id, client.client_secret) as door:
        return await _lines(found, functools.partial(_by_http, door), show)


async def _lines(found: list[Found], send: Send, show: bool) -> list[Line]:
    lines: list[Line] = []
    for start in range(0, len(found), BATCH):
        part = found[start : start + BATCH]
        answers = iter(await send([f.submission for f in part if f.submission]))
        for one in part:
            answer = next(answers) if one.submission else Refused(422, one.problem or "")
            refused = str(answer) if isinstance(answer, Refused) else None
            lines.append(Line(one.where, None if refused else str(answer), refused))
            if show:
                click.echo(f"{one.where}\trefused: {refused}" if refused else str(answer))
    return lines


async def _by_kafka(publisher: ReferralPublisher, submissions: list[Submission]) -> list[str | Refused]:
    return [str(sent.id) for sent in await publisher.submit_many(submissions)]


async def _by_http(door: ExchangeClient, submissions: list[Submission]) -> list[str | Refused]:
    answers: list[str | Refused] = []
    for submission in submissions:
        try:
            answer: Any = await door.post("/v1/referrals", msgspec.to_builtins(submission))
            answers.append(str(answer["id"]))
        except Refused as error:
            answers.append(error)
    return answers
