"""Browser sessions: begun anew at every log-in, held by a cookie, ended at once.

Comes in: a person who has proved who they are. Goes out: the cookie's value; its hash alone is stored. Must never go
on under an id from before a log-in, nor let in whoever still owes a code.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from api.context import context
from api.principal import Acting
from infra.passwords import hashed
from infra.postgres import queries
from infra.settings import Settings

SQL = queries("api", "sessions.sql")
SESSION = timedelta(hours=12)
CODE = timedelta(minutes=5)


class Person(NamedTuple):
    """Who proved who they are; `generation`: of what they may do and the password, when they were looked up;
    `second_step`: a code is still to come."""

    id: UUID
    organization: str
    type: str
    role: str
    generation: int
    second_step: bool = False

    @classmethod
    def of(cls, row: asyncpg.Record) -> "Person":
        """A row of the statements that find somebody who may log in."""
        return cls(row["id"], row["tenant"], row["type"], row["role"], row["generation"], row["second_step"])


class Begun(NamedTuple):
    """A new session's cookie value; `pending`: it lets nobody in until the code is given."""

    token: str
    pending: bool


def idle(settings: Settings) -> timedelta:
    """How long a session lasts that nobody uses (45 CFR 164.312(a)(2)(iii), automatic logoff)."""
    return timedelta(minutes=settings.idle_minutes)


def acting(request: Request, person: Person) -> None:
    """Say whom the log-in is about, for the audit."""
    request.state.acting = Acting(person.organization, person.type, str(person.id), person.role)


async def begin(request: Request, person: Person) -> Begun:
    """A session under a new id; the one that the request came with ends."""
    acting(request, person)
    token, now = secrets.token_urlsafe(32), datetime.now(UTC)
    async with context(request).database.own() as connection:
        await connection.execute(
            SQL["begin"],
            hashed(token),
            person.organization,
            person.id,
            person.generation,
            secrets.token_urlsafe(24),
            now,
            now + (CODE if person.second_step else SESSION),
            hashed(request.cookies.get(cookie_name(request), "")),
            person.second_step,
        )
    return Begun(token, person.second_step)


async def end(request: Request) -> None:
    """End the session of the request's cookie, at once and for every stream of it."""
    if cookie := request.cookies.get(cookie_name(request)):
        async with context(request).database.own() as connection:
            await connection.execute(SQL["end"], hashed(cookie))
        context(request).changes.wake()


async def end_all(request: Request, person: Person) -> None:
    """End every session of a person."""
    async with context(request).database.own() as connection:
        await connection.execute(SQL["end_all"], person.id)
    context(request).changes.wake()


def cookie_name(request: Request) -> str:
    """The session cookie's name: bound to the host where we are reached over https."""
    return "__Host-refex-session" if context(request).secure else "refex-session"


def give_cookie(request: Request, response: Response, token: str) -> None:
    """Set the session cookie on a response."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=int(SESSION.total_seconds()),
        path="/",
        secure=context(request).secure,
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, response: Response) -> None:
    """Remove the session cookie."""
    response.delete_cookie(
        cookie_name(request), path="/", secure=context(request).secure, httponly=True, samesite="lax"
    )
