"""`refex simulate`: synthetic referrals as files, or published to the exchange by its own clinics and plans.

Comes in: how many and a seed. Goes out: the same bytes for the same seed. Must never send a real person's data.
"""

import asyncio
import csv
import io
import itertools
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec

from cli.common import Exchange, as_option, find, json_option, print_json, run, wants_json
from infra.participants import Participant
from producers import csv_file
from producers.exchange_client import Refused
from producers.ledger import Ledger
from producers.people import Simulated, as_csv_row, as_fhir_bundle
from producers.publisher import BrokerAway, NotPermitted
from producers.simulator.senders import Sender, Site, send, senders

AT_ONCE = 16


@click.command(epilog="Example: refex simulate --referrals 100 --seed 7 --out synthetic/")
@click.option("--referrals", type=click.IntRange(1), required=True, help="How many.")
@click.option(
    "--seed", type=int, required=True, help="The same seed gives the same people and the same bytes."
)
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Referrals a minute; default: as fast as it goes."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write files here instead of publishing: referrals.jsonl, referrals.csv and fhir/*.json.",
)
@click.option(
    "--ledger",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep what is sent and acknowledged here, for `refex ledger check --ledger`.",
)
@as_option
@json_option
def simulate(
    referrals: int,
    seed: int,
    rate: float | None,
    out: Path | None,
    ledger: Path | None,
    organization: str | None,
    as_json: bool,
) -> None:
    """Make synthetic referrals: files, or traffic on the running exchange."""
    submissions = itertools.islice(Simulated(seed), referrals)
    if out is not None:
        _write(out, submissions)
        done, refused = referrals, 0
    else:
        exchange = find()
        members = _members(exchange, organization)
        done, refused = run(_publish(exchange, members, submissions, rate, ledger))
    if wants_json(as_json):
        print_json({"referrals": done, "refused": refused, "seed": seed})
    else:
        click.echo(f"{done} referrals {'written to ' + str(out) if out else 'published'}, {refused} refused")
    if refused:
        raise SystemExit(1)


def _write(out: Path, submissions: Iterator[dict[str, Any]]) -> None:
    """One line each in referrals.jsonl and referrals.csv, one file each in fhir/."""
    bundles = out / "fhir"
    bundles.mkdir(parents=True, exist_ok=True)
    with (out / "referrals.jsonl").open("wb") as lines, (out / "referrals.csv").open("wb") as table:
        table.write(_csv(list(csv_file.COLUMNS)))
        for number, one in enumerate(submissions):
            lines.write(msgspec.json.encode(one) + b"\n")
            table.write(_csv(list(as_csv_row(one).values())))
            bundle = msgspec.json.format(msgspec.json.encode(as_fhir_bundle(one)), indent=1)
            (bundles / f"{number:06}.json").write_bytes(bundle + b"\n")


def _csv(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _members(exchange: Exchange, organization: str | None) -> list[Participant]:
    if organization:
        return [exchange.participant(organization)]
    return list(exchange.organizations)


async def _publish(
    exchange: Exchange,
    members: list[Participant],
    submissions: Iterator[dict[str, Any]],
    rate: float | None,
    kept: Path | None,
) -> tuple[int, int]:
    """Send them through each sender in turn; returns how many were taken and how many refused."""
    site = Site(
        url=exchange.url,
        bootstrap=exchange.kafka.bootstrap,
        security_protocol=exchange.kafka.security_protocol,
        mechanism=exchange.kafka.mechanism,
        ca_file=exchange.kafka.ca_file,
    )
    outcomes: list[bool] = []
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(sender: Sender, submission: dict[str, Any]) -> None:
        try:
            outcomes.append(await _taken(sender, submission, ledger))
        finally:
            gate.release()

    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(Ledger(kept)) if kept else None
        sending = await stack.enter_async_context(senders(site, members))
        if not sending:
            raise click.UsageError(
                "no clinic or plan of this exchange is known here; start `refex up --demo`"
            )
        due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, submission in enumerate(submissions):
                await gate.acquire()
                group.create_task(one(sending[number % len(sending)], submission))
                due += 60 / rate if rate else 0
                await asyncio.sleep(max(0.0, due - time.monotonic()) if rate else 0)
    return outcomes.count(True), outcomes.count(False)


async def _taken(sender: Sender, submission: dict[str, Any], ledger: Ledger | None) -> bool:
    try:
        await send(sender, submission, ledger)
    except (Refused, NotPermitted) as error:
        click.echo(f"{submission['sender_referral_id']}\trefused: {error}", err=True)
        return False
    except (BrokerAway, httpx.HTTPError) as error:
        raise click.ClickException(
            f"the exchange does not answer: {error}; run the same command again"
        ) from error
    return True
