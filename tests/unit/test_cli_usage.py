"""Every command explains itself with an example; wrong use is 2, what failed is 1, and both say what to do next."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from infra import settings as configuration


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No exchange runs and none is configured."""
    monkeypatch.setenv("REFEX_DATA_DIR", str(tmp_path / "nowhere"))
    monkeypatch.delenv("REFEX_DATABASE_URL", raising=False)
    configuration.settings.cache_clear()
    yield
    configuration.settings.cache_clear()


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="refex")


def every_command() -> list[tuple[str, ...]]:
    """The path of each command and subcommand."""
    found: list[tuple[str, ...]] = []
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, sub) for sub in command.commands]
    return found


@pytest.mark.parametrize("path", [(), *every_command()], ids=" ".join)
def test_help_has_an_example(path: tuple[str, ...]) -> None:
    result = call(*path, "--help")
    assert result.exit_code == 0
    assert "Example: " in result.output
    assert "refex " + (path[0] if path else "") in result.output.partition("Example: ")[2]


def test_every_command_of_the_interfaces_is_there() -> None:
    names = {path[0] for path in every_command()}
    assert names >= {
        "up", "demo", "api", "worker", "migrate", "topics", "publish", "import-directory", "route", "simulate",
        "dead-letters", "participant", "token", "doctor", "openapi", "asyncapi", "version", "rebuild",
        "ledger",
        "progress",
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("route",),
        ("route", "--explain", "no-such-file"),
        ("publish",),
        ("publish", "no-such-file", "--as", "x"),
        ("publish", __file__),
        ("publish", __file__, "--as", "x", "--format", "hl7v2"),
        ("simulate", "--seed", "1"),
        ("simulate", "--referrals", "0", "--seed", "1"),
        ("dead-letters", "replay"),
        ("dead-letters", "show", "not-a-uuid"),
        ("ledger", "check", "--ledger", "no-such-file"),
        ("progress", "reset", "intake.clinic"),
        ("progress", "resume"),
        ("rebuild",),
        ("rebuild", "--into", "public"),
        ("rebuild", "--into", "pg_catalog"),
        ("rebuild", "--into", "x; drop schema public"),
        ("rebuild", "--into", "x", "--from", "memory"),
        ("participant", "add", "x-y", "--name", "X"),
        ("participant", "add", "x-y", "--name", "X", "--type", "bakery"),
        ("token", "--client-id", "x"),
        ("up", "--workers", "0"),
        ("up", "--port", "99999"),
        ("demo", "--rate", "-1"),
        ("api",),
        ("worker",),
    ],
)
def test_wrong_use_is_two(arguments: tuple[str, ...]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert "Error: " in result.stderr
    assert result.stdout == ""


def test_hl7v2_says_that_it_comes_later() -> None:
    assert "later" in call("publish", __file__, "--as", "x", "--format", "hl7v2").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("topics", "list"),
        ("doctor",),
        ("dead-letters", "list"),
        ("rebuild", "--into", "rebuilt"),
        ("ledger", "check"),
        ("progress", "list"),
        ("participant", "list"),
        ("token", "--as", "x"),
        ("migrate",),
    ],
)
def test_without_an_exchange_a_command_says_to_start_one(arguments: tuple[str, ...]) -> None:
    result = call(*arguments)
    assert result.exit_code == 1
    assert "refex up" in result.stderr


def test_an_unknown_setting_is_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFEX_DATABSE_URL", "x")
    configuration.settings.cache_clear()
    result = call("topics", "list")
    assert result.exit_code == 2
    assert "REFEX_DATABASE_URL" in result.stderr


def test_version_as_json() -> None:
    for arguments in (("version", "--json"), ("--json", "version")):
        assert json.loads(call(*arguments).stdout)["referral-exchange"]


def test_documents_are_printed_without_an_exchange() -> None:
    assert json.loads(call("openapi").stdout)["openapi"].startswith("3.1")
    assert call("asyncapi").stdout.startswith("asyncapi: 3")


def test_a_bad_organization_id_is_refused_before_anything_is_touched() -> None:
    result = call("participant", "add", "Bad_Id", "--type", "clinic", "--name", "X")
    assert result.exit_code == 1
    assert "lower-case" in result.stderr
