"""`refex token`: an access token of an organization's client, for curl and scripts.

Comes in: --as ORG (its client is known here), or a client id and a file with its secret. Goes out: the token.
"""

from pathlib import Path

import click
import httpx

from cli.common import FILE, as_option, find, json_option, print_json, run, wants_json, whose
from infra.settings import settings
from producers import signing
from producers.exchange_client import ExchangeClient, Refused


@click.command(
    epilog='Example: curl -H "Authorization: Bearer $(refex token --as riverside-clinic)" URL/v1/me'
)
@as_option
@click.option("--client-id", help="A client of an exchange configured elsewhere.")
@click.option(
    "--client-secret-file",
    type=FILE,
    help="The file that holds its secret.",
)
@click.option("--private-key-file", type=FILE, help="Or the file with the private key (JWK) it signs with.")
@json_option
def token(
    organization: str | None,
    client_id: str | None,
    client_secret_file: Path | None,
    private_key_file: Path | None,
    as_json: bool,
) -> None:
    """Print an access token."""
    kept = client_secret_file or private_key_file
    if client_id and kept:
        if client_secret_file and private_key_file:
            raise click.UsageError("give one proof: --client-secret-file or --private-key-file")
        url, proof = _url(), _proof(kept, signs=private_key_file is not None)
    elif client_id or kept:
        raise click.UsageError("give --client-id with --client-secret-file or --private-key-file")
    else:
        exchange = find()
        client = exchange.participant(whose(organization)).clients[0]
        url, client_id, proof = exchange.url, client.client_id, client.client_secret
    try:
        answer = run(_token(url, client_id, proof))
    except Refused as error:
        raise click.ClickException(f"{url} refused the client: {error}") from error
    except httpx.HTTPError as error:
        raise click.ClickException(
            f"{url} does not answer ({error}); is the API running? `refex doctor`"
        ) from error
    if wants_json(as_json):
        print_json(answer)
    else:
        click.echo(answer["access_token"])


def _url() -> str:
    """The configured exchange, else the embedded one that runs here."""
    configured = settings()
    return configured.base_url if configured.database_url or configured.public_url else find().url


def _proof(file: Path, signs: bool) -> str | signing.PrivateKey:
    text = file.read_text(encoding="utf-8").strip()
    try:
        return signing.read_key(text) if signs else text
    except signing.BadKey as error:
        raise click.UsageError(f"{file}: {error}") from error


async def _token(url: str, client_id: str, proof: str | signing.PrivateKey) -> dict[str, object]:
    async with ExchangeClient(url, client_id, proof) as client:
        return await client.token()
