"""The people of an organization and their roles: added, listed, given another role, shut out, given a new password.

Comes in: the owner's connection and an e-mail address. Goes out: a password in clear, once. Must never leave a session,
a link or a second step behind that the change was meant to end.
"""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg

from infra import passwords
from infra.participants import ParticipantError, User, checked_role, type_of
from infra.postgres import affected, queries
from referrals.words import OrganizationType

SQL = queries("infra", "people.sql")


async def add(
    connection: asyncpg.Connection, organization: str, email: str, name: str | None, role: str | None
) -> User:
    """A new person with a new password. Raises ParticipantError."""
    wanted = checked_role(await type_of(connection, organization), email, role)
    made = User(email, passwords.new_password(), wanted, name or email.partition("@")[0])
    hashed = await asyncio.to_thread(passwords.hash_password, made.password)
    values = (uuid4(), organization, made.email, made.name, made.role, hashed)
    if not affected(await connection.execute(SQL["add"], *values)):
        raise ParticipantError(
            f"{email} is taken; `refex user reset {email}` makes a new password, another person needs another address"
        )
    return made


async def listing(connection: asyncpg.Connection, organization: str | None = None) -> list[dict[str, Any]]:
    """Everybody, or the people of one organization, without a secret."""
    return [dict(row) for row in await connection.fetch(SQL["listing"], organization)]


async def set_role(connection: asyncpg.Connection, email: str, role: str) -> str:
    """Give another role; whoever is logged in with the old one is not any more. Returns the organization."""
    async with connection.transaction():
        person = await _person(connection, email)
        checked_role(OrganizationType(person["type"]), person["email"], role)
        await connection.execute(SQL["set_role"], person["id"], role)
        await _shut_out(connection, person)
    return str(person["tenant"])


async def disable(connection: asyncpg.Connection, email: str) -> str:
    """Let nobody in under this address; `reset` lets them in again. Returns the organization."""
    async with connection.transaction():
        person = await _person(connection, email)
        await connection.execute(SQL["set_active"], person["id"], False)
        await _shut_out(connection, person)
    return str(person["tenant"])


async def reset(connection: asyncpg.Connection, email: str) -> tuple[str, User]:
    """A new password, the second step to be set up anew, and every session ended; with the organization's id."""
    password = passwords.new_password()
    hashed = await asyncio.to_thread(passwords.hash_password, password)
    async with connection.transaction():
        person = await _person(connection, email)
        await connection.execute(SQL["set_password"], person["id"], hashed)
        await connection.execute(SQL["end_second_factor"], person["id"])
        await _shut_out(connection, person)
    return str(person["tenant"]), User(person["email"], password, person["role"], person["name"])


async def _person(connection: asyncpg.Connection, email: str) -> asyncpg.Record:
    found = await connection.fetchrow(SQL["person"], email)
    if found is None:
        raise ParticipantError(f"nobody logs in as {email}; see `refex user list`")
    return found


async def _shut_out(connection: asyncpg.Connection, person: asyncpg.Record) -> None:
    await connection.execute(SQL["end_sessions"], person["id"])
    await connection.execute(SQL["end_links"], person["id"])
