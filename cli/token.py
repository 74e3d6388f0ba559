"""`refex token`: an access token of an organization's client, for curl and scripts.

Comes in: --as ORG (its client is known here), or a client id and a file with its secret. Goes out: the token.
"""

from pathlib import Path

import click
import httpx

from cli.common import FILE, as_option, find, json_option, print_json, run, wants_json, whose
from infra.settings import settings
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
@json_option
def token(
    organization: str | None, client_id: str | None, client_secret_file: Path | None, as_json: bool
) -> None:
    """Print an access token."""
    if client_id and client_secret_file:
        url, secret = settings().base_url, client_secret_file.read_text(encoding="utf-8").strip()
    elif client_id or client_secret_file:
        raise click.UsageError("give both --client-id and --client-secret-file")
    else:
        exchange = find()
        client = exchange.participant(whose(organization)).clients[0]
        url, client_id, secret = exchange.url, client.client_id, client.client_secret
    try:
        answer = run(_token(url, client_id, secret))
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


async def _token(url: str, client_id: str, secret: str) -> dict[str, object]:
    async with ExchangeClient(url, client_id, secret) as client:
        return await client.token()
