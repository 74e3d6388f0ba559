"""What commands share: --json and --as, output, and where the exchange is (configured, or found running here).

Must never print a secret that was not asked for.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
import msgspec

from cli import ready
from cli.keeping import Keeping
from infra import kafka
from infra.kafka import KafkaLogin
from infra.participants import Participant
from infra.settings import Settings, settings

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
# A file that must be there.
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Shared(NamedTuple):
    """The options of the group."""

    as_json: bool = False
    organization: str | None = None


class Exchange(NamedTuple):
    """Where the exchange is and who we are to it."""

    settings: Settings
    database_url: str
    kafka: KafkaLogin
    url: str
    organizations: tuple[Participant, ...] = ()
    data_dir: Path | None = None

    def participant(self, organization: str) -> Participant:
        """The credentials of one of its organizations."""
        for found in self.organizations:
            if found.id == organization:
                return found
        known = ", ".join(o.id for o in self.organizations) or "none"
        raise click.UsageError(
            f"no log-in of {organization!r} is known here (known: {known}); "
            f"add it with `refex participant add {organization}`"
        )


def find() -> Exchange:
    """The configured exchange, else the one that runs in REFEX_DATA_DIR; else says to run `refex up`."""
    configured = settings()
    if configured.database_url:
        login = kafka.login(configured) if configured.kafka_bootstrap else KafkaLogin(bootstrap="")
        return Exchange(configured, configured.database_url, login, configured.base_url)
    running = ready.running(configured.data_path)
    if running is None:
        raise click.ClickException(
            f"no exchange runs in {configured.data_path} and REFEX_DATABASE_URL is not set; run `refex up`"
        )
    login = KafkaLogin(
        bootstrap=running.kafka.bootstrap,
        security_protocol=running.kafka.security_protocol,
        mechanism=running.kafka.sasl_mechanism,
        username=running.kafka.admin.username,
        password=running.kafka.admin.password,
    )
    data_dir = Path(running.data_dir)
    members = tuple(Keeping(data_dir).participants())  # the ready file follows them a moment later
    return Exchange(configured, running.database_url, login, running.url, members, data_dir)


def json_option(command: F) -> F:
    """`--json` after the command's name."""
    return click.option("--json", "as_json", is_flag=True, help="Print data as JSON.")(command)


def as_option(command: F) -> F:
    """`--as ORG` after the command's name."""
    return click.option("--as", "organization", metavar="ORG", help="Use that organization's log-in.")(
        command
    )


def wants_json(as_json: bool) -> bool:
    """Whether --json stands anywhere on the line."""
    shared = click.get_current_context().find_object(Shared)
    return as_json or bool(shared and shared.as_json)


def whose(organization: str | None) -> str:
    """The organization of --as, wherever it stands; a usage error without one."""
    shared = click.get_current_context().find_object(Shared)
    found = organization or (shared.organization if shared else None)
    if not found:
        raise click.UsageError("say which organization: --as ORG (see `refex participant list`)")
    return found


def print_json(data: Any) -> None:
    """Data as indented JSON on stdout."""
    click.echo(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())


def print_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Rows in aligned columns on stdout."""
    cells = [[str(c) for c in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        click.echo("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())


def note(text: str) -> None:
    """A line for the person at the terminal, on stderr."""
    click.echo(text, err=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's asynchronous part."""
    return asyncio.run(work)
