"""What every handler of a page needs: the caller's Show with names, one visible referral, cursors of a list.

Comes in: a request behind the guard. Goes out: view models' ingredients, read under the caller's role. Must never
read with another role, nor keep anything but names of organizations.
"""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from starlette.requests import Request

from api import cursors, views
from api.context import context, principal_of
from api.pages.render import text_of
from api.pages.show import Model, Show, View
from api.problems import not_found
from api.reading import Position, decision_of, events_of, seen_of
from api.referrals import explained, found_on
from infra.postgres import queries
from referrals.events import RoutingDecided
from referrals.state import Referral

SQL = queries("api.pages", "pages.sql")
PAGE = 25
NAMES_S = 30.0
Names = Mapping[str, Mapping[str, Any]]


async def organizations(request: Request) -> Names:
    """Every organization by id (name, type, active); read at most every half minute."""
    until, names = getattr(request.app.state, "page_names", (0.0, {}))
    if until < time.monotonic():
        async with context(request).database.own() as connection:
            rows = await connection.fetch(SQL["organizations"])
        names = {row["id"]: dict(row) for row in rows}
        request.app.state.page_names = (time.monotonic() + NAMES_S, names)
    found: Names = names
    return found


async def show_for(request: Request, services: Iterable[Any] = ()) -> Show:
    """The Show of this request, with the names of organizations and of the services named."""
    names = {id: str(row["name"]) for id, row in (await organizations(request)).items()}
    wanted = [str(s) for s in services if s]
    known: dict[str, str] = {}
    if wanted:
        async with context(request).database.own() as connection:
            rows = await connection.fetch(SQL["service_names"], wanted)
        known = {row["id"]: row["name"] for row in rows}
    return Show(text_of(request), datetime.now(UTC), names, known)


class Opened(msgspec.Struct, frozen=True):
    """One referral as the caller sees it, with its story and the last routing decision."""

    seen: views.Seen
    view: View
    events: list[dict[str, Any]]
    decision: View | None
    show: Show


async def opened(request: Request, *kinds: str) -> Opened:
    """The referral of the path for viewers of these kinds (views.GRANTS); raises the 404 for all others."""
    principal = principal_of(request)
    async with context(request).database.reading(principal) as connection:
        seen = await found_on(request, connection)
        view, kind = views.referral(principal, seen), views.kind_of(principal, seen)
        if view is None or (kinds and kind not in kinds):
            raise not_found()
        events = await events_of(connection, context(request).vault, principal, seen)
        explains = kind in ("sender", "hub")
        decision = decided(await decision_of(connection, seen.state.id)) if explains else None
    services = [h["service"] for h in view["hops"]]
    services += [c["service"] for c in (decision or {}).get("candidates", ())]
    return Opened(seen, view, events, decision, await show_for(request, services))


def decided(stored: str | None) -> View | None:
    """The stored decision as the routing page explains it; None before the first."""
    if stored is None:
        return None
    decision = explained(msgspec.json.decode(stored, type=RoutingDecided))
    made: dict[str, Any] = msgspec.to_builtins(decision, builtin_types=(datetime, UUID))
    return made


def visible(request: Request, rows: Iterable[asyncpg.Record]) -> list[View]:
    """Stored rows as the caller sees them."""
    principal = principal_of(request)
    found = (views.referral(principal, seen_of(row, context(request).vault)) for row in rows)
    return [view for view in found if view is not None]


def position(request: Request) -> tuple[datetime | None, UUID | None]:
    """Where the page before this one ended."""
    found = cursors.decode(request.query_params.get("cursor"), Position)
    return (found.created_at, found.id) if found else (None, None)


def turned(request: Request, last: Struct | None) -> Model:
    """The links to the next page and back to the first, keeping tab, search and dates."""
    kept = {k: v for k, v in request.query_params.items() if k not in ("cursor", "done", "fragment")}
    path = request.url.path
    first = f"{path}?{urlencode(kept)}" if kept else path
    following = f"{path}?{urlencode(kept | {'cursor': cursors.encode(last)})}" if last else ""
    return {"next_href": following, "first_href": first if request.query_params.get("cursor") else ""}


def cut(rows: list[asyncpg.Record], place: str | None = None) -> tuple[list[asyncpg.Record], Position | None]:
    """One page of rows asked for with one more, and where it ends; `place` = the column it is ordered by."""
    if len(rows) <= PAGE:
        return rows, None
    last = msgspec.json.decode(rows[PAGE - 1]["state"], type=Referral)
    return rows[:PAGE], Position(rows[PAGE - 1][place] if place else last.created_at, last.id)
