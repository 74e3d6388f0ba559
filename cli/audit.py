"""`refex audit`: is the record of who saw and wrote what still as it was written?

Comes in: a running exchange, the checkpoints kept outside its database. Goes out: what was proved; exit 1 when anything
was changed, cut off or put in. Must never change anything.
"""

from pathlib import Path
from typing import Any
from uuid import UUID

import click

from api.disclosures import Asking, Position, of_person
from cli.common import FILE, Exchange, find, json_option, print_json, print_table, run, wants_json
from infra.audit import checkpoints, keeping, verify
from infra.audit.checkpoints import Checkpoint
from infra.audit.verify import Proof, Wrong
from infra.postgres import connect, queries

SHOWN = 20
EXCHANGE = Asking("exchange", "operator")
SQL = queries("cli", "audit.sql")
OPENED = ("opened_at", "until", "organization", "referral", "by", "looks", "reason")
LISTED = ("at", "recipient", "what", "why", "under", "rule", "referral", "how")


@click.group(epilog="Example: refex audit verify")
def audit() -> None:
    """The record of who saw and wrote what."""


@audit.command(
    name="verify", epilog="Example: refex audit verify --checkpoints copy.jsonl --public-key audit.pub"
)
@click.option(
    "--checkpoints",
    "files",
    multiple=True,
    type=FILE,
    help="Checkpoints kept elsewhere; may be given more than once.",
)
@click.option(
    "--public-key", "key_file", type=FILE, help="The file with the public key that they are signed with."
)
@json_option
def verify_(files: tuple[Path, ...], key_file: Path | None, as_json: bool) -> None:
    """Prove every chain, every fact's seal and every checkpoint; exit 1 on anything wrong."""
    exchange = find()
    try:
        proof = run(proved(exchange, known(exchange, files, key_file)))
    except checkpoints.Tampered as error:
        proof = Proof(0, 0, 0, 0, [Wrong("checkpoints", str(error))])
    if wants_json(as_json):
        print_json(proof)
    else:
        _print(proof)
    if proof.wrong:
        raise SystemExit(1)


@audit.command(epilog="Example: refex audit key > audit.pub")
def key() -> None:
    """Print the public key that the checkpoints are signed with."""
    click.echo(keeping.as_text(keeping.signing_key(find().settings).public_key()))


@audit.command(epilog="Example: refex audit disclosures 0b7c1e9a-5f0e-5c39-9b0e-1f2d3c4b5a69")
@click.argument("person", type=click.UUID)
@json_option
def disclosures(person: UUID, as_json: bool) -> None:
    """List what was disclosed of a person: who, what, when, why, under which consent and rule.

    PERSON is the person's key, as a referral's events name it.
    """
    found = run(disclosed(find().database_url, person))
    if wants_json(as_json):
        print_json(found)
        return
    for one in found:
        click.echo("  ".join(str(one[name] or "-") for name in LISTED))
    if not found:
        click.echo("Nothing of this person was disclosed to another organization.")


@audit.command("break-glass", epilog="Example: refex audit break-glass --organization riverside-clinic")
@click.option("--organization", help="Only what was opened of this one.")
@json_option
def break_glass(organization: str | None, as_json: bool) -> None:
    """List what people of the operator opened: of whom, who, when, why, and how often they looked."""
    found = run(openings(find().database_url, organization))
    if wants_json(as_json):
        print_json(found)
    elif found:
        print_table(OPENED, [[one[name] for name in OPENED] for one in found])
    else:
        click.echo("Nothing was opened.")


async def openings(url: str, organization: str | None) -> list[dict[str, Any]]:
    """Every break-glass, the newest first."""
    connection = await connect(url, "audit")
    try:
        return [dict(row) for row in await connection.fetch(SQL["openings"], organization)]
    finally:
        await connection.close()


async def disclosed(url: str, person: UUID) -> list[dict[str, Any]]:
    """Everything on record of a person, the newest first."""
    connection = await connect(url, "audit")
    found: list[dict[str, Any]] = []
    position: Position | None = None
    try:
        while True:
            page, position = await of_person(connection, EXCHANGE, person, position, 1000)
            found += page
            if position is None:
                return found
    finally:
        await connection.close()


def known(exchange: Exchange, files: tuple[Path, ...], key_file: Path | None) -> list[Checkpoint]:
    """The checkpoints of those files, or of this exchange's own. Raises Tampered."""
    try:
        signed_by = (
            keeping.public_key(key_file.read_text(encoding="utf-8"))
            if key_file
            else keeping.signing_key(exchange.settings).public_key()
        )
    except ValueError as error:
        raise click.UsageError(f"{key_file} holds no public key as `refex audit key` prints it") from error
    found = [checkpoints.lines(file) for file in files or (keeping.checkpoint_file(exchange.settings),)]
    return [checkpoint for lines in found for checkpoint in checkpoints.read(lines, signed_by)]


async def proved(exchange: Exchange, checkpoints: list[Checkpoint]) -> Proof:
    """The proof, in one snapshot."""
    connection = await connect(exchange.database_url, "audit")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await verify.prove(connection, checkpoints)
    finally:
        await connection.close()


def _print(proof: Proof) -> None:
    click.echo(
        f"{proof.chains} chains, {proof.records} records, {proof.facts} sealed facts, {proof.checkpoints} checkpoints"
    )
    for wrong in proof.wrong[:SHOWN]:
        click.echo(f"{wrong.where}: {wrong.what}", err=True)
    if len(proof.wrong) > SHOWN:
        click.echo(f"... and {len(proof.wrong) - SHOWN} more; --json shows all", err=True)
    if not proof.wrong:
        click.echo("Everything is as it was written.")
