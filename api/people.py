"""The people of an organization, managed by its own admins: listed, added, given a role, shut out, let in, reset.

Comes in: requests of an admin behind the guard. Goes out: people without secrets; a password in clear, once, where no
e-mail can be sent. Must never touch another organization's people, leave an organization without an admin, or commit a
change that ends no session and is not on record.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID, uuid4

import asyncpg
from starlette.requests import Request

from api import policy
from api.context import action_of, context, principal_of
from api.problems import Problem, not_found
from infra import passwords, roles
from infra.audit.records import Object
from infra.participants import ADDRESS
from infra.postgres import affected, queries
from referrals.words import OrganizationType

SQL = queries("api", "people.sql")
LONGEST: Final = 100
DONE: Final = 303
SHOWN: Final = 200
"""What a page answers a deed with: the way to the next page, or the page that shows a password once."""


class Unwise(Exception):
    """What an admin may not do: `field` is the form's, or empty; `why` says which rule, as a page has a string for."""

    def __init__(self, why: str, field: str = "") -> None:
        self.why = why
        self.field = field
        super().__init__(why)


class Made(NamedTuple):
    """Somebody who can log in anew: with the password, or by the link that is sent where there is none."""

    id: UUID
    email: str
    password: str | None


async def listing(request: Request, after: UUID | None, limit: int) -> list[asyncpg.Record]:
    """The people of the caller's organization by name, from `after` on."""
    principal = principal_of(request)
    async with context(request).database.keeping(principal) as connection:
        found: list[asyncpg.Record] = await connection.fetch(
            SQL["listing"], principal.organization, after, limit
        )
    return found


async def one(request: Request, person: UUID) -> asyncpg.Record:
    """One of them; raises the 404 for everybody else."""
    async with context(request).database.keeping(principal_of(request)) as connection:
        return await _own(request, connection, person)


async def add(request: Request, email: str, name: str, role: str, language: str) -> Made:
    """Somebody new. Raises Unwise."""
    principal = principal_of(request)
    _limit(request)
    _known_role(request, role)
    if not ADDRESS.fullmatch(email) or not email.isprintable():
        raise Unwise("address", "email")
    if not name or len(name) > LONGEST or not name.isprintable():
        raise Unwise("name", "name")
    made, hashed = await _secret(request, uuid4(), email)
    principal.looks.add(Object("user", str(made.id), principal.organization))
    principal.looks.add(Object("role", role, principal.organization))
    async with context(request).deeds.done(request, SHOWN if made.password else DONE) as connection:
        await _admins(request, connection)
        values = (made.id, principal.organization, email, name, role, hashed)
        if not affected(await connection.execute(SQL["add"], *values)):
            raise Unwise("taken", "email")
        await _invite(request, connection, made, language)
    context(request).mail.wake()
    return made


async def set_role(request: Request, person: UUID, role: str) -> None:
    """Another role; whoever is logged in with the old one is not any more. Raises Unwise."""
    async with _changing(request, person, DONE) as (connection, found, admins):
        _known_role(request, role)
        if role != roles.ADMIN and admins == {person}:
            raise Unwise("last-admin", "role")
        principal_of(request).looks.add(Object("role", role, found["tenant"]))
        await connection.execute(SQL["set_role"], person, role)


async def shut_out(request: Request, person: UUID) -> None:
    """Let them in no more. Raises Unwise."""
    async with _changing(request, person, DONE) as (connection, _, _):
        _another(request, person, "own-end")
        await connection.execute(SQL["set_active"], person, False)


async def let_in(request: Request, person: UUID) -> None:
    """Let somebody in again, as they logged in before."""
    async with _changing(request, person, DONE) as (connection, _, _):
        await connection.execute(SQL["set_active"], person, True)


async def reset(request: Request, person: UUID, language: str) -> Made:
    """A new way in, the second step to be set up anew, and let in again. Raises Unwise."""
    before = await one(request, person)
    made, hashed = await _secret(request, person, before["email"])
    async with _changing(request, person, SHOWN if made.password else DONE) as (connection, _, _):
        _another(request, person, "own-reset")
        await connection.execute(SQL["set_password"], person, hashed)
        await connection.execute(SQL["end_second_factor"], person)
        await _invite(request, connection, made, language)
    context(request).mail.wake()
    return made


@asynccontextmanager
async def _changing(
    request: Request, person: UUID, status: int
) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Record, set[UUID]]]:
    """One of the caller's people and the admins of the organization, held; every session and link of theirs ends."""
    principal = principal_of(request)
    _limit(request)
    principal.looks.add(Object("user", str(person), principal.organization))
    async with context(request).deeds.done(request, status) as connection:
        admins = await _admins(request, connection)
        found = await _own(request, connection, person)
        await connection.execute(SQL["end_sessions"], person)
        await connection.execute(SQL["end_links"], person)
        yield connection, found, admins
    context(request).changes.wake()  # open streams of theirs ask whether they are still good


async def _own(request: Request, connection: asyncpg.Connection, person: UUID) -> asyncpg.Record:
    found = await connection.fetchrow(SQL["one"], person)
    if found is None:
        raise not_found()
    policy.demand(principal_of(request), action_of(request), policy.owned(found["tenant"]))
    return found


async def _admins(request: Request, connection: asyncpg.Connection) -> set[UUID]:
    """The admins of the caller's organization, held; raises the 403 for who was one a moment ago."""
    principal = principal_of(request)
    rows = await connection.fetch(SQL["hold_admins"], principal.organization, roles.ADMIN)
    admins = {row["id"] for row in rows}
    if principal.user not in map(str, admins):
        raise Problem("not-permitted")
    return admins


async def _secret(request: Request, person: UUID, email: str) -> tuple[Made, str]:
    """A password to be shown, or one that nobody knows where links are sent; and its hash."""
    shown = None if context(request).mail.possible else passwords.new_password()
    hashed = await asyncio.to_thread(passwords.hash_password, shown or secrets.token_urlsafe(32))
    return Made(person, email, shown), hashed


async def _invite(request: Request, connection: asyncpg.Connection, made: Made, language: str) -> None:
    if made.password is None:
        tenant = principal_of(request).organization
        await connection.execute(SQL["invite"], uuid4(), tenant, made.id, language, datetime.now(UTC))


def _known_role(request: Request, role: str) -> None:
    if role not in roles.names(OrganizationType(principal_of(request).type)):
        raise Unwise("role", "role")


def _another(request: Request, person: UUID, why: str) -> None:
    if str(person) == principal_of(request).user:
        raise Unwise(why)


def _limit(request: Request) -> None:
    context(request).limits.people.check(principal_of(request).organization)
