"""`refex up`: the embedded exchange on this machine; runs until Ctrl-C or SIGTERM, then stops everything in order.

Must never touch servers configured elsewhere: it starts its own.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec import Struct, structs

from cli import ready
from cli.exchange import Plan, RunningExchange
from cli.keeping import Keeping
from infra.embedded.local import keep_or_pick_port, port_is_free
from infra.settings import Settings, settings, variable

Traffic = Callable[[RunningExchange], Coroutine[Any, Any, None]]
F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_PORT = Settings().port
SHOWN_CBOS = 3
CONNECTIONS = tuple(
    variable(name) for name in Settings.__struct_fields__ if name.startswith(("kafka_", "database_"))
)


class Options(Struct, frozen=True, kw_only=True):
    """What was asked on the command line of `up` or `demo`."""

    ephemeral: bool
    port: int | None
    workers: int
    ready_file: Path | None


def up_options(command: F) -> F:
    """The options that `up` and `demo` share."""
    for option in (
        click.option(
            "--ready-file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Where to write the ready file.",
        ),
        click.option(
            "--workers", type=click.IntRange(1, 8), default=1, show_default=True, help="How many workers."
        ),
        click.option(
            "--port",
            type=click.IntRange(0, 65535),
            help=f"Port of the pages and the API; 0 = any free one. Default {DEFAULT_PORT}.",
        ),
        click.option("--ephemeral", is_flag=True, help="A fresh data directory, removed on exit."),
    ):
        command = option(command)
    return command


@click.command(epilog="Example: refex up --demo --port 0 --ready-file ready.json")
@click.option("--demo", is_flag=True, help="Add the demo participants, directory and log-ins (no traffic).")
@up_options
def up(demo: bool, **asked: Any) -> None:
    """Run the whole exchange here: Kafka, Postgres, workers, API and pages."""
    serve(Options(**asked), demo, _nothing_more)


async def _nothing_more(exchange: RunningExchange) -> None:
    await asyncio.Event().wait()


def serve(options: Options, demo: bool, traffic: Traffic) -> None:
    """Run an exchange until a signal; `traffic` runs beside it."""
    _forget_other_servers()
    with _data_dir(options) as data_dir:
        plan = _plan(options, data_dir, demo)
        asyncio.run(_until_signal(lambda: _serve(plan, demo, traffic)))


async def _serve(plan: Plan, demo: bool, traffic: Traffic) -> None:
    async with RunningExchange(plan) as exchange:
        if demo:
            from cli.demo_setup import load_directory

            await load_directory(exchange)
        exchange.announce()
        _greet(exchange, demo)
        async with asyncio.TaskGroup() as group:
            group.create_task(exchange.keep_announcing())
            group.create_task(traffic(exchange))


async def _until_signal(start: Callable[[], Awaitable[None]]) -> None:
    """Run it; the first Ctrl-C, SIGTERM or hang-up ends it in order, later ones change nothing."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    work = asyncio.ensure_future(start())
    waiter = asyncio.create_task(stop.wait())
    await asyncio.wait((work, waiter), return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    if not work.done():
        work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work


def _plan(options: Options, data_dir: Path, demo: bool) -> Plan:
    configured = settings()
    files = [data_dir / ready.NAME]
    if options.ephemeral and ready.running(configured.data_path) is None:
        configured.data_path.mkdir(mode=0o711, parents=True, exist_ok=True)
        files.append(configured.data_path / ready.NAME)
    if options.ready_file:
        options.ready_file.unlink(missing_ok=True)  # whoever waits for it must not read an old one
        files.append(options.ready_file.absolute())
    members: tuple[Any, ...] = ()
    if demo:
        from cli.demo_setup import demo_participants

        members = demo_participants(Keeping(data_dir))
    return Plan(
        settings=structs.replace(configured, data_dir=str(data_dir)),
        data_dir=data_dir,
        port=_port(options.port, Keeping(data_dir)),
        workers=options.workers,
        ready_files=tuple(files),
        demo=members,
        demo_logins=demo,
        progress=lambda text: click.echo(text, err=True),
    )


def _port(asked: int | None, keeping: Keeping) -> int:
    explicit = asked if asked is not None else _configured_port()
    if explicit:
        if not port_is_free(explicit):
            raise click.ClickException(
                f"port {explicit} is in use; choose another with --port, or --port 0 for any"
            )
        return explicit
    if asked is None and port_is_free(DEFAULT_PORT):
        return DEFAULT_PORT
    port = keep_or_pick_port(keeping.port())
    keeping.keep_port(port)
    return port


def _configured_port() -> int | None:
    return settings().port if {"REFEX_PORT", "REFEX_PORT_FILE"} & os.environ.keys() else None


@contextlib.contextmanager
def _data_dir(options: Options) -> Iterator[Path]:
    if not options.ephemeral:
        path = settings().data_path.absolute()
        path.mkdir(mode=0o711, parents=True, exist_ok=True)
        yield path
        return
    path = Path(tempfile.mkdtemp(prefix="refex-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _forget_other_servers() -> None:
    """The parts must reach the servers started here; a configured connection is for `refex api` and the like."""
    for name in CONNECTIONS:
        for variant in (name, f"{name}_FILE"):
            if os.environ.pop(variant, None) is not None:
                click.echo(f"{variant} is ignored: refex up starts its own servers", err=True)


def _greet(exchange: RunningExchange, demo: bool) -> None:
    click.echo(f"\nReferral Exchange: {exchange.url}")
    if demo:
        click.echo("\nDemo log-ins:")
        members = exchange.keeping.participants()
        cbos = [m for m in members if m.type == "cbo"]
        for member in [m for m in members if m not in cbos[SHOWN_CBOS:]]:
            for user in member.users:
                click.echo(f"  {member.type:<9} {user.email:<40} {user.password}")
        if len(cbos) > SHOWN_CBOS:
            click.echo(f"  {len(cbos) - SHOWN_CBOS} more community organizations: {exchange.keeping.file}")
    click.echo("\nCtrl-C stops everything.")
    sys.stdout.flush()
