"""`refex user`: the people who log in to the pages - added, listed, given a role, shut out, given a new password.

Comes in: an organization or an e-mail address. Goes out: a password, once. Must never print a secret it did not just
make.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import click
from msgspec import structs

from cli.common import (
    Exchange,
    as_option,
    find,
    json_option,
    note,
    print_json,
    print_table,
    run,
    wants_json,
    whose,
)
from cli.keeping import Keeping
from infra import people
from infra.participants import User

T = TypeVar("T")
COLUMNS = ("organization", "email", "name", "role", "active", "second_step")


@click.group(epilog="Example: refex user add riverside-clinic ana@riverside.example.org --role admin")
def user() -> None:
    """Who logs in to the pages, and as what."""


@user.command(epilog="Example: refex user add riverside-clinic ana@riverside.example.org --role admin")
@click.argument("organization")
@click.argument("email")
@click.option("--name", help="The name people read; else what stands before the @.")
@click.option("--role", help="What they may do; else the usual role of such an organization.")
@json_option
def add(organization: str, email: str, name: str | None, role: str | None, as_json: bool) -> None:
    """Let EMAIL log in for ORGANIZATION, and print the password, once."""
    exchange = find()
    made = _with(exchange, lambda c: people.add(c, organization, email, name, role))
    _keep(exchange, organization, made)
    _print(organization, made, as_json)


@user.command("list", epilog="Example: refex user list --as riverside-clinic")
@click.option("--all", "everybody", is_flag=True, help="The people of every organization.")
@as_option
@json_option
def list_(everybody: bool, organization: str | None, as_json: bool) -> None:
    """The people of an organization, or of all, without secrets."""
    wanted = None if everybody else whose(organization)
    rows = _with(find(), lambda c: people.listing(c, wanted))
    if wants_json(as_json):
        print_json({"items": rows})
    else:
        print_table(COLUMNS, [[row[c] for c in COLUMNS] for row in rows])


@user.command(epilog="Example: refex user role ana@riverside.example.org staff")
@click.argument("email")
@click.argument("role")
def role(email: str, role: str) -> None:
    """Give EMAIL another ROLE; they log in again."""
    exchange = find()
    organization = _with(exchange, lambda c: people.set_role(c, email, role))
    _keep(exchange, organization, email, role=role)
    click.echo(f"{email} is {role} of {organization}")


@user.command(epilog="Example: refex user disable ana@riverside.example.org")
@click.argument("email")
def disable(email: str) -> None:
    """Let EMAIL in no more; `refex user reset` lets them in again."""
    organization = _with(find(), lambda c: people.disable(c, email))
    click.echo(f"{email} of {organization} is logged out and cannot log in")


@user.command(epilog="Example: refex user reset ana@riverside.example.org")
@click.argument("email")
@json_option
def reset(email: str, as_json: bool) -> None:
    """Make EMAIL a new password; a second step is set up anew, the account at a provider is forgotten, and whoever is
    logged in is not any more."""
    exchange = find()
    organization, made = _with(exchange, lambda c: people.reset(c, email))
    _keep(exchange, organization, made)
    _print(organization, made, as_json)


def _with(exchange: Exchange, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Do it over a connection of the owner's."""

    async def done() -> T:
        name = {"application_name": "refex-user"}
        connection = await asyncpg.connect(exchange.database_url, timeout=5, server_settings=name)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return run(done())


def _keep(exchange: Exchange, organization: str, made: User | str, **changes: Any) -> None:
    """What the ready file of an embedded exchange says of a person follows."""
    if exchange.data_dir is None:
        return
    member = next((p for p in exchange.organizations if p.id == organization), None)
    if member is None:
        return
    email = made if isinstance(made, str) else made.email
    old = next((u for u in member.users if u.email.lower() == email.lower()), None)
    new = made if isinstance(made, User) else structs.replace(old, **changes) if old else None
    if new is None:
        return
    users = [new if u is old else u for u in member.users] + ([] if old else [new])
    Keeping(exchange.data_dir).replace(structs.replace(member, users=users))


def _print(organization: str, made: User, as_json: bool) -> None:
    if wants_json(as_json):
        print_json({"organization": organization, "user": made})
        return
    click.echo(f"Log-in        {made.email}  {made.password}\n  role        {made.role} of {organization}")
    note("Shown once: hand it over safely; the exchange keeps its hash alone.")
