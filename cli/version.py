"""`refex version`: this version, and those of what it stands on."""

import platform
from importlib import metadata

import click

from cli.common import json_option, print_json, wants_json

PARTS = (
    "faust-streaming",
    "aiokafka",
    "confluent-kafka",
    "fastavro",
    "asyncpg",
    "starlette",
    "uvicorn",
    "msgspec",
)


def versions() -> dict[str, str]:
    """Name -> version of the project, Python and the libraries."""
    found = {"referral-exchange": metadata.version("referral-exchange"), "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in PARTS}


@click.command(epilog="Example: refex version --json")
@json_option
def version(as_json: bool) -> None:
    """Print the version."""
    found = versions()
    if wants_json(as_json):
        print_json(found)
    else:
        click.echo(f"referral-exchange {found['referral-exchange']}")
        for name in ("python", *PARTS):
            click.echo(f"  {name} {found[name]}")
