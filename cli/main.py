"""`refex`: the group of all commands; each is loaded from its own file when it is called.

Comes in: the command line. Goes out: exit 0 ok, 1 failed, 2 wrong use; errors on stderr say what to do next.
Must never show a traceback for what an operator can mend.
"""

import contextlib
import importlib
import resource
from typing import Any

import asyncpg
import click

from cli.common import Shared
from infra import log_words, logs
from infra.settings import SettingsError, settings

COMMANDS = {
    "api": "cli.api:api",
    "asyncapi": "cli.asyncapi:asyncapi",
    "audit": "cli.audit:audit",
    "dead-letters": "cli.dead_letters:dead_letters",
    "demo": "cli.demo:demo",
    "doctor": "cli.doctor:doctor",
    "import-directory": "cli.import_directory:import_directory",
    "ledger": "cli.ledger:ledger",
    "migrate": "cli.migrate:migrate",
    "openapi": "cli.openapi:openapi",
    "participant": "cli.participant:participant",
    "person": "cli.person:person",
    "progress": "cli.progress:progress",
    "publish": "cli.publish:publish",
    "rebuild": "cli.rebuild:command",
    "route": "cli.route:route",
    "simulate": "cli.simulate:simulate",
    "token": "cli.token:token",
    "topics": "cli.topics:topics",
    "up": "cli.up:up",
    "user": "cli.user:user",
    "version": "cli.version:version",
    "worker": "cli.worker:worker",
}
# What an operator can mend; the messages of these errors say how. Named, so that nothing is imported for it.
MENDABLE = {
    "AccessError",
    "BrokerAway",
    "EmbeddedError",
    "ChildFailedError",
    "DataDirInUseError",
    "KeyAway",
    "LedgerError",
    "Locked",
    "MigrationError",
    "NotPermitted",
    "ParticipantError",
    "RebuildError",
    "RegistryError",
    "TopicsError",
}


class Commands(click.Group):
    """A group that imports a command's file only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; what an operator can mend becomes one line on stderr."""
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise click.UsageError(str(error)) from error
        except Exception as error:
            raise _mendable(error) from error


def _mendable(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BrokenPipeError):  # the reader of a pipe had enough; click knows what to do
        return error
    if type(error).__name__ in MENDABLE:
        return click.ClickException(str(error))
    if isinstance(error, asyncpg.UndefinedTableError):
        return click.ClickException("the database has no tables yet; run `refex migrate`")
    if isinstance(error, asyncpg.PostgresError | ConnectionError | TimeoutError):
        what = log_words.error(error)  # its message quotes rows
        return click.ClickException(
            f"a server does not answer: {what}; is the exchange running? `refex doctor`"
        )
    return error


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: refex demo",
)
@click.option("--json", "as_json", is_flag=True, help="Print data as JSON.")
@click.option("--as", "organization", metavar="ORG", help="Use that organization's log-in.")
@click.pass_context
def cli(ctx: click.Context, as_json: bool, organization: str | None) -> None:
    """Referral Exchange: Kafka in, a closed loop out. `refex demo` shows it at work."""
    ctx.obj = Shared(as_json, organization)


def main() -> None:
    """The console script."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold people; what this starts inherits it
    with contextlib.suppress(SettingsError):  # the command says what is wrong with them, if it needs any
        logs.configure(settings())
    cli(prog_name="refex")


if __name__ == "__main__":
    main()
