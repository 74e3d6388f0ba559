"""`refex participant`: onboards an organization - row, topics, Kafka login and ACLs, client, people.

Comes in: who they are. Goes out: their credentials, once. Must never print a secret it did not just make.
"""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import click

from cli.common import FILE, Exchange, find, json_option, note, print_json, print_table, run, wants_json
from cli.keeping import Keeping
from infra import identity_providers, participants, signing_clients, webhooks
from infra.embedded.local import write_private
from infra.participants import Participant
from infra.vault.vault import vault_of
from producers import signing
from referrals.words import OrganizationType

TYPES = [t.value for t in OrganizationType]


@click.group(epilog="Example: refex participant add bay-clinic --type clinic --name 'Bay Clinic'")
def participant() -> None:
    """Add, list and re-key organizations."""


@participant.command(epilog="Example: refex participant add bay-clinic --type clinic --name 'Bay Clinic'")
@click.argument("organization")
@click.option("--type", "kind", type=click.Choice(TYPES), required=True, help="What it is to the exchange.")
@click.option("--name", required=True, help="The name people read.")
@click.option("--email", help="Also make a log-in to the pages for this address.")
@click.option("--role", help="That person's role; else the usual one of such an organization.")
@json_option
def add(organization: str, kind: str, name: str, email: str | None, role: str | None, as_json: bool) -> None:
    """Add ORGANIZATION and print its credentials, once."""
    people = [(email, email.partition("@")[0], role)] if email else []
    made = participants.draft(organization, name, OrganizationType(kind), people)
    exchange = find()
    if not run(_enrol(exchange, made)):
        raise click.ClickException(
            f"{organization} is there already; `refex participant rotate-key {organization}` makes new keys"
        )
    if exchange.data_dir is not None:
        Keeping(exchange.data_dir).replace(made)
    _print(made, wants_json(as_json))


@participant.command("list", epilog="Example: refex participant list")
@json_option
def list_(as_json: bool) -> None:
    """Every organization, without secrets."""
    rows = run(_listing(find()))
    if wants_json(as_json):
        print_json({"items": rows})
        return
    columns = ("id", "type", "name", "kafka_username", "clients", "users")
    print_table(columns, [[row[c] or "-" for c in columns] for row in rows])


@participant.command("rotate-key", epilog="Example: refex participant rotate-key bay-clinic")
@click.argument("organization")
@json_option
def rotate_key(organization: str, as_json: bool) -> None:
    """Make ORGANIZATION a new Kafka password and client secret; the old ones end at once."""
    exchange = find()
    changed = run(_rotate(exchange, organization))
    if exchange.data_dir is not None:
        Keeping(exchange.data_dir).replace(changed)
    _print(changed, wants_json(as_json))


@participant.command(
    epilog="Example: refex participant webhook harvest-food-bank --url https://cbo.example.org/hook"
)
@click.argument("organization")
@click.option("--url", help="Where to send signed news of its referrals; leave out to stop them.")
@json_option
def webhook(organization: str, url: str | None, as_json: bool) -> None:
    """Send ORGANIZATION signed webhooks, and print the secret that signs them, once."""
    secret = run(_webhook(find(), organization, url))
    if wants_json(as_json):
        print_json({"organization": organization, "url": url, "secret": secret})
    elif secret:
        click.echo(f"Webhook secret  {secret}")
        note("Shown once: the receiver checks each signature with it (Standard Webhooks).")


@participant.command(epilog="Example: refex participant keys bay-clinic --generate bay-clinic.jwk.json")
@click.argument("organization")
@click.option("--jwks", type=FILE, help="A file with its public keys (a JSON Web Key Set).")
@click.option("--jwks-url", help="The https address where it publishes them, so that they can rotate.")
@click.option(
    "--generate", type=click.Path(path_type=Path), help="Make a key and write its private half here."
)
@json_option
def keys(
    organization: str, jwks: Path | None, jwks_url: str | None, generate: Path | None, as_json: bool
) -> None:
    """Let a client of ORGANIZATION sign instead of sending a secret; without an option, end that client."""
    if sum(given is not None for given in (jwks, jwks_url, generate)) > 1:
        raise click.UsageError("give one of --jwks, --jwks-url and --generate")
    public = jwks.read_bytes() if jwks else None
    if generate is not None:
        if generate.exists():
            raise click.UsageError(
                f"{generate} exists; a private key is never overwritten, choose another name"
            )
        key = signing.new_key(f"{organization}-{uuid4().hex[:8]}")
        public = json.dumps(signing.public_set(key)).encode()
        write_private(generate, json.dumps(key.as_dict(private=True)))
    try:
        client_id = run(_keys(find(), organization, public, jwks_url))
    except participants.ParticipantError as error:
        raise click.ClickException(str(error)) from error
    if wants_json(as_json):
        print_json({"organization": organization, "client_id": client_id})
    elif client_id is None:
        click.echo(f"{organization} has no signing client any more; its tokens have ended")
    else:
        click.echo(f"OAuth client  {client_id}  signs RS384 or ES384 (SMART Backend Services)")


@participant.command(
    epilog="Example: refex participant oidc bay-clinic --issuer https://id.bay.example.org --client-id exchange "
    "--client-secret-file secret.txt --domain bay.example.org"
)
@click.argument("organization")
@click.option("--issuer", help="The https address that names its identity provider (OpenID Connect).")
@click.option("--client-id", help="What the provider calls this exchange.")
@click.option("--client-secret-file", type=FILE, help="The file with the secret the provider gave for it.")
@click.option(
    "--domain", "domains", multiple=True, help="A domain of its people's e-mail addresses; repeat it."
)
def oidc(
    organization: str,
    issuer: str | None,
    client_id: str | None,
    client_secret_file: Path | None,
    domains: tuple[str, ...],
) -> None:
    """Let people of ORGANIZATION log in at its own identity provider; without options, not any more."""
    given = (issuer, client_id, client_secret_file)
    if any(given) and not all(given):
        raise click.UsageError("give --issuer, --client-id, --client-secret-file and --domain together")
    provider = None
    if issuer and client_id and client_secret_file:
        secret = client_secret_file.read_text(encoding="utf-8").strip()
        provider = identity_providers.Provider(issuer, client_id, secret, domains)
    exchange = find()
    run(_oidc(exchange, organization, provider))
    if provider is None:
        click.echo(f"{organization} has no identity provider any more")
    else:
        click.echo(f"Identity provider  {issuer}\n  redirect URI       {exchange.url}/login/oidc")


async def _oidc(exchange: Exchange, organization: str, provider: identity_providers.Provider | None) -> None:
    connection = await _connect(exchange)
    try:
        await identity_providers.set_provider(connection, vault_of(exchange.settings), organization, provider)
    finally:
        await connection.close()


async def _keys(exchange: Exchange, organization: str, public: bytes | None, url: str | None) -> str | None:
    connection = await _connect(exchange)
    try:
        return await signing_clients.set_keys(connection, organization, public, url)
    finally:
        await connection.close()


async def _webhook(exchange: Exchange, organization: str, url: str | None) -> str | None:
    connection = await _connect(exchange)
    try:
        return await webhooks.set_webhook(connection, vault_of(exchange.settings), organization, url)
    finally:
        await connection.close()


async def _enrol(exchange: Exchange, made: Participant) -> list[str]:
    connection = await _connect(exchange)
    try:
        if any(row["id"] == made.id for row in await participants.listing(connection)):
            return []
        return await participants.enrol(connection, exchange.kafka, exchange.settings.partitions, [made])
    finally:
        await connection.close()


async def _listing(exchange: Exchange) -> list[dict[str, Any]]:
    connection = await _connect(exchange)
    try:
        return await participants.listing(connection)
    finally:
        await connection.close()


async def _rotate(exchange: Exchange, organization: str) -> Participant:
    connection = await _connect(exchange)
    try:
        return await participants.rotate(connection, exchange.kafka, organization)
    finally:
        await connection.close()


async def _connect(exchange: Exchange) -> asyncpg.Connection:
    return await asyncpg.connect(
        exchange.database_url, timeout=5, server_settings={"application_name": "refex-participant"}
    )


def _print(made: Participant, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    if made.kafka:
        click.echo(f"Kafka login   {made.kafka.username}  {made.kafka.password}")
        click.echo(
            f"  writes      intake.{made.id}\n  reads       feedback.{made.id} (groups feedback.{made.id}.*)"
        )
    for client in made.clients:
        click.echo(f"OAuth client  {client.client_id}  {client.client_secret}\n  scope       {client.scope}")
    for user in made.users:
        click.echo(f"Log-in        {user.email}  {user.password}")
    note("Shown once: hand them over safely; the exchange keeps hashes alone.")
