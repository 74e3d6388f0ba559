"""Break-glass: an operator's person opens one referral as one of its organizations sees it, with a reason, for a while.

Comes in: requests behind the guard, of who logged in with a code. Goes out: what that organization sees, within
grants.OPENED; for the organization, what was opened on it, by whom and why. Must never show anything of one that is not
open at this moment, nor open one whose organization is not told. For pages: `begun`, `looked`, `ended`, `listed`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
from msgspec import Meta, Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from api import audit, bodies, cursors, views
from api.bodies import answer
from api.context import context, principal_of
from api.principal import Principal
from api.problems import Problem, invalid, not_found
from api.reading import SQL as READING
from api.reading import seen_of
from api.referrals import referral_id
from infra.audit.records import Object
from infra.postgres import queries
from infra.roles import BREAK_GLASS
from referrals import break_glass as rule
from referrals.check import Invalid

SQL = queries("api", "break_glass.sql")
OVER = "this break-glass has ended; open the referral again, with a reason"


class OpenBody(Struct, frozen=True):
    """Which organization's view of which referral, why, and for how many minutes (60 at most)."""

    organization: bodies.Id
    referral_id: UUID
    reason: Annotated[str, Meta(max_length=2_000)]
    minutes: int = rule.MAX_MINUTES


class Position(Struct, frozen=True, array_like=True):
    """Where the last page ended."""

    at: datetime
    id: UUID


async def begin(request: Request) -> Response:
    """Open one referral as an organization sees it, with a reason, for an hour at most; the organization is told."""
    _, said = await bodies.read_as(request, OpenBody)
    made = await begun(request, said, 201)
    return answer(made, 201, {"Location": f"/v1/break-glass/{made['id']}"})


async def index(request: Request) -> Response:
    """What was opened on the caller's organization; to an operator's person, what it opened itself."""
    position = cursors.decode(request.query_params.get("cursor"), Position)
    found, end = await listed(request, position, cursors.limit(request))
    return answer(cursors.page(found, cursors.encode(end) if end else None))


async def look(request: Request) -> Response:
    """The referral as that organization sees it now, without notes, while it is open."""
    opening, referral = await looked(request)
    return answer(opening | {"view": referral})


async def end(request: Request) -> Response:
    """End it before its time."""
    return answer(await ended(request, 200))


async def begun(request: Request, said: OpenBody, status: int) -> dict[str, Any]:
    """A new one, on record and told in one transaction; raises the 422, and the 404 for who has no part in it."""
    try:
        reason = rule.asked(said.reason, said.minutes)
    except Invalid as error:
        raise invalid(error) from None
    principal = principal_of(request)
    async with context(request).database.reading(principal) as connection:
        row = await connection.fetchrow(READING["one"], said.referral_id)
    viewer = structs.replace(principal, organization=said.organization, type="")
    if row is None or views.kind_of(viewer, seen_of(row, context(request).vault)) is None:
        raise not_found()
    id = uuid4()
    principal.looks.add(Object("referral", str(said.referral_id)))
    principal.looks.add(Object("organization", said.organization))
    async with _deed(request, status, audit.Opened(id, reason)) as connection:
        own = (said.organization, principal.organization, UUID(principal.user))
        await connection.execute(SQL["open"], id, *own, said.referral_id, reason, said.minutes)
        await connection.execute(SQL["tell"], uuid4(), principal.organization, id, said.organization)
    return await _one(request, id)


async def looked(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """One's own, and its referral as the organization sees it; raises the 404, and the 403 after its end."""
    principal, id = principal_of(request), referral_id(request)
    async with context(request).database.looking(principal, id) as connection:
        opening = await _own(connection, principal, id)
        request.state.opened = audit.Opened(id, opening["reason"])
        if not opening["open"]:
            raise Problem("not-permitted", OVER)
        row = await connection.fetchrow(READING["one"], opening["referral_id"])
    seen = seen_of(row, context(request).vault) if row is not None else None
    view = views.opened(principal, opening["tenant"], seen, id) if seen is not None else None
    if view is None:
        raise not_found()
    return shape(opening), view


async def ended(request: Request, status: int) -> dict[str, Any]:
    """One's own, which is over now; raises the 404."""
    principal, id = principal_of(request), referral_id(request)
    async with context(request).database.reading(principal) as connection:
        opening = await _own(connection, principal, id)
    async with _deed(request, status, audit.Opened(id, opening["reason"])) as connection:
        await connection.execute(SQL["end"], id, principal.organization, UUID(principal.user))
    return await _one(request, id)


async def listed(
    request: Request, position: Position | None, limit: int
) -> tuple[list[dict[str, Any]], Position | None]:
    """A page of those the caller may know of, the newest first, and where it ended."""
    principal = principal_of(request)
    user = UUID(principal.user) if BREAK_GLASS in principal.scopes else None
    at, id = (position.at, position.id) if position else (None, None)
    async with context(request).database.reading(principal) as connection:
        rows = await connection.fetch(SQL["list"], principal.organization, user, at, id, limit + 1)
    found = rows[:limit]
    more = Position(found[-1]["opened_at"], found[-1]["id"]) if len(rows) > limit else None
    return [shape(row) for row in found], more


def shape(row: asyncpg.Record) -> dict[str, Any]:
    """One as everybody reads it who may know of it."""
    return {
        "id": row["id"],
        "organization": row["tenant"],
        "referral": row["referral_id"],
        "reason": row["reason"],
        "by": {"organization": row["operator"], "user": row["user_id"]},
        "opened_at": row["opened_at"],
        "ends_at": row["ends_at"],
        "ended_at": row["ended_at"],
        "open": row["open"],
    }


@asynccontextmanager
async def _deed(request: Request, status: int, about: audit.Opened) -> AsyncIterator[asyncpg.Connection]:
    """The transaction of what is done and of its record, which says why: both or neither."""
    request.state.opened = about
    principal_of(request).looks.add(Object("break-glass", str(about.opening)))
    async with context(request).deeds.done(request, status) as connection:
        yield connection


async def _one(request: Request, id: UUID) -> dict[str, Any]:
    principal = principal_of(request)
    async with context(request).database.reading(principal) as connection:
        return shape(await _own(connection, principal, id))


async def _own(connection: asyncpg.Connection, principal: Principal, id: UUID) -> asyncpg.Record:
    row = await connection.fetchrow(SQL["one"], id, principal.organization, UUID(principal.user))
    if row is None:
        raise not_found()
    return row
