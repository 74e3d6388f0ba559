"""Persons of two senders that look like one: the hub reads the proposals and says whether they are.

Comes in: a hub's requests behind the guard. Goes out: links as ids, fields and a score; never a value of a person. What
the hub says is published, never written. For pages: `links_of`, `one`.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, cursors, events
from api.bodies import answer
from api.context import context, principal_of
from api.outcomes import refused
from api.principal import Principal
from api.problems import not_found, wrong
from api.referrals import referral_id
from infra.postgres import queries
from producers import envelope
from referrals.linking import ANSWERS

SQL = queries("api", "persons.sql")
STATUSES = ("proposed", *ANSWERS.values())
SHOWN = ("persons", "senders", "status", "score", "same", "alike", "differing", "reason")


class LinkBody(Struct, frozen=True):
    """Why the hub says so, in a few words."""

    reason: Annotated[str, Meta(max_length=300)] = ""


class Position(Struct, frozen=True, array_like=True):
    """Where the last page ended."""

    at: datetime
    id: UUID


async def index(request: Request) -> Response:
    """The links of the caller's hub, newest first; `status` narrows them."""
    status = request.query_params.get("status") or None
    if status is not None and status not in STATUSES:
        raise wrong("?status", f"use one of {', '.join(STATUSES)}")
    position = cursors.decode(request.query_params.get("cursor"), Position)
    limit = cursors.limit(request)
    principal = principal_of(request)
    async with context(request).database.reading(principal) as connection:
        found, end = await links_of(connection, principal, status, position, limit)
    return answer(cursors.page(found, cursors.encode(end) if end else None))


async def confirm(request: Request) -> Response:
    """They are one person: a withdrawn consent of the one then reaches the other."""
    return await _decide(request, "confirm")


async def reject(request: Request) -> Response:
    """They are two people."""
    return await _decide(request, "reject")


async def links_of(
    connection: asyncpg.Connection,
    principal: Principal,
    status: str | None,
    position: Position | None,
    limit: int,
) -> tuple[list[dict[str, Any]], Position | None]:
    """A page of the links of the caller's hub, and where it ended."""
    at, id = (position.at, position.id) if position else (None, None)
    rows = await connection.fetch(SQL["links"], status, at, id, limit + 1, principal.organization)
    found = [link(row) for row in rows[:limit]]
    end = Position(rows[limit - 1]["at"], rows[limit - 1]["id"]) if len(rows) > limit else None
    return found, end


def link(row: asyncpg.Record) -> dict[str, Any]:
    """One link as the hub sees it."""
    data = msgspec.json.decode(row["data"])
    return {"id": row["id"], "version": row["version"], "updated_at": row["at"]} | {
        name: data.get(name) for name in SHOWN
    }


async def _decide(request: Request, said: str) -> Response:
    """200 with the link once it is recorded, else 202."""
    id = referral_id(request)
    if await one(request, id) is None:
        raise not_found()
    body = await bodies.read(request)
    value = bodies.decode(body, request.headers.get("content-type", "")) if body else {}
    given = bodies.shaped(value, LinkBody)
    asked = await events.ask(request, body)
    record = envelope.link_decided(events.said(request, asked), id, said, given.reason)
    outcome = asked.outcome
    if outcome is None:
        await events.publish(request, [record])
        outcome = await events.outcome(request, record.event_id)
    if outcome is not None and not outcome.effective:
        raise refused(outcome, None)
    return answer(await one(request, id), 200 if outcome is not None else 202)


async def one(request: Request, id: UUID) -> dict[str, Any] | None:
    """The link if it is one of the caller's hub, else None."""
    principal = principal_of(request)
    async with context(request).database.reading(principal) as connection:
        row = await connection.fetchrow(SQL["link"], id, principal.organization)
    return link(row) if row is not None else None
