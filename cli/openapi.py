"""`refex openapi`: the OpenAPI 3.1 document of the HTTP API on stdout, from the route table itself."""

import click

from cli.common import print_json
from infra.settings import settings


@click.command(epilog="Example: refex openapi > openapi.json")
def openapi() -> None:
    """Print the OpenAPI document."""
    from api.app import ROUTES
    from api.openapi import document
    from api.operations import released

    print_json(document(ROUTES, settings().base_url, released()))
