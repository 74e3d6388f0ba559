"""People log in: by a password or by a link sent to their address; then, where they set it up, by a code too.

Comes in: what a person gives. Goes out: a new session, or None. Must never say whether an address is known, take a link
or a code twice, or let anybody guess without a bound.
"""

import asyncio
import secrets
from datetime import UTC, datetime
from functools import cache
from uuid import UUID, uuid4

import asyncpg
from starlette.requests import Request

from api import totp
from api.context import context
from api.principal import Principal
from api.problems import Problem
from api.sessions import SQL as SESSIONS
from api.sessions import Begun, Person, acting, begin, cookie_name, end_all
from infra import passwords
from infra.passwords import hashed
from infra.postgres import affected, queries
from infra.vault import kept

SQL = queries("api", "logins.sql")
LONGEST = 254
HASHING = asyncio.Semaphore(2)
"""As many passwords are checked at once."""


async def by_password(request: Request, email: str, password: str) -> Begun | None:
    """A session for a right pair, None for a wrong one; raises the 429 after too many attempts."""
    _quota(request, email)
    if "\x00" in email or len(email) > LONGEST:
        return None
    async with context(request).database.own() as connection:
        user = await connection.fetchrow(SQL["user"], email)
    async with HASHING:
        stored = user["password_hash"] if user else _nobodys_hash()
        right = await asyncio.to_thread(passwords.verify_password, stored, password)
    if user is None:
        return None
    person = Person.of(user)
    acting(request, person)
    return await begin(request, person) if right else None


async def ask_link(request: Request, email: str, language: str) -> None:
    """Have a link sent to that address, if it is somebody's; raises the 429 after too many.

    Guesses at the password do not count here: whoever locks an account by them leaves this way in open.
    """
    context(request).limits.addresses.check(_address(request))
    context(request).limits.links.check(email.lower()[:LONGEST])
    if "\x00" in email or len(email) > LONGEST:
        return
    async with context(request).database.own() as connection:
        await connection.execute(SQL["ask_link"], uuid4(), email, language, datetime.now(UTC))
    context(request).mail.wake()


async def by_link(request: Request, token: str) -> Begun | None:
    """A session for a link that is fresh and unused; it is used up, and every other link of that person."""
    context(request).limits.addresses.check(_address(request))
    now = datetime.now(UTC)
    async with context(request).database.own() as connection:
        user = await connection.fetchrow(SQL["use_link"], hashed(token), now)
        if user is None:
            return None
        await connection.execute(SQL["end_links"], user["id"], now)
    return await begin(request, Person.of(user))


async def awaited(request: Request) -> asyncpg.Record | None:
    """The log-in of this browser that waits for its code."""
    cookie = request.cookies.get(cookie_name(request), "")
    async with context(request).database.own() as connection:
        return await connection.fetchrow(SESSIONS["pending"], hashed(cookie), datetime.now(UTC))


async def by_code(request: Request, csrf: str, given: str) -> Begun | None:
    """The session that a right code opens, None for a wrong or used one; raises the 403, the 429."""
    waiting = await awaited(request)
    if waiting is None or not secrets.compare_digest(csrf.encode(), waiting["csrf"].encode()):
        raise Problem("csrf")
    person = Person(
        waiting["user_id"], waiting["tenant"], waiting["type"], waiting["role"], waiting["generation"]
    )
    acting(request, person)
    context(request).limits.codes.check(str(person.id))
    step = _step(request, person, waiting, given)
    if step is None:
        return None
    async with context(request).database.own() as connection:
        if not affected(await connection.execute(SQL["take_code"], person.id, step)):
            return None  # the same code was taken at this very moment
    return await begin(request, person)


async def enrol(request: Request, principal: Principal) -> bytes | None:
    """A new secret for a device, to be shown once; None for who has confirmed one."""
    secret, vault, user = secrets.token_bytes(totp.BYTES), context(request).vault, UUID(principal.user)
    async with context(request).database.own() as connection:
        await vault.agree(connection, first=False)
        wrapped = vault.wrap(secret, kept.of_device(user, principal.organization))
        values = (user, principal.organization, vault.kek, wrapped)
        made = await connection.execute(SQL["new_factor"], *values)
    return secret if affected(made) else None


async def confirm(request: Request, principal: Principal, given: str) -> Begun | None:
    """A right code proves that the device has the secret: from now on codes are asked; sessions begin anew."""
    context(request).limits.codes.check(principal.user)
    now = datetime.now(UTC)
    async with context(request).database.own() as connection:
        row = await connection.fetchrow(SQL["factor"], UUID(principal.user))
        if row is None:
            return None
        own = (UUID(principal.user), principal.organization, principal.type, principal.role or "")
        person = Person(*own, row["generation"])
        step = _step(request, person, row, given)
        if step is None or not affected(
            await connection.execute(SQL["confirm_factor"], person.id, now, step)
        ):
            return None
    await end_all(request, person)
    return await begin(request, person)


async def has_second_step(request: Request, principal: Principal) -> bool:
    """Whether that person is asked for codes."""
    async with context(request).database.own() as connection:
        row = await connection.fetchrow(SQL["factor"], UUID(principal.user))
    return bool(row and row["confirmed"])


def _step(request: Request, person: Person, row: asyncpg.Record, given: str) -> int | None:
    """The step whose code was given, of the device's secret in that row. Raises Locked."""
    whose = kept.of_device(person.id, person.organization)
    secret = kept.opened(context(request).vault, row["kek"], row["secret"], whose)
    return totp.taken(secret, given.replace(" ", ""), datetime.now(UTC), row["last_step"])


def _quota(request: Request, email: str) -> None:
    """From one address, at one account, and both: neither many guesses nor many victims."""
    limits, address, account = context(request).limits, _address(request), email.lower()[:LONGEST]
    limits.addresses.check(address)
    limits.logins.check(f"{address} {account}")
    limits.accounts.check(account)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


@cache
def _nobodys_hash() -> str:
    """A hash that no password has, so that an unknown address costs the same time."""
    return passwords.hash_password(secrets.token_urlsafe(32))
