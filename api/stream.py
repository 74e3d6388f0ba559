"""GET /v1/events/stream: ids, versions and types of what changed for the caller, as server-sent events.

Comes in: wake-ups of changes.py. Goes out: what history shows under the viewer's own role, from a position per lane.
Must never send more than ids, keep a slow viewer's backlog, or outlive the viewer's session.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response

from api import auth, cursors, metrics
from api.context import context, principal_of
from api.database import DatabaseAway, Rebuilding
from api.principal import Principal
from api.problems import Problem
from infra import waiting
from infra.postgres import queries
from referrals.ids import LANES

SQL = queries("api", "stream.sql")
BACKLOG = 256
MAX_STREAMS = 500
MAX_PER_USER = 20
HEARTBEAT_S = 15
SOONEST_S, EACH_S, LATEST_S = 0.02, 0.005, 0.4
"""Between two looks of one viewer: at least, more for each open stream (all look 200 times a second), at most."""
RECHECK_S = 5.0
_open: dict[str, int] = {}

Positions = list[int]


async def stream(request: Request) -> Response:
    """Open the stream; `Last-Event-ID` continues where an earlier one ended."""
    principal = principal_of(request)
    if sum(_open.values()) >= MAX_STREAMS or _open.get(principal.user, 0) >= MAX_PER_USER:
        raise Problem("too-many", "too many open streams; close one", headers={"Retry-After": "5"})
    positions = cursors.decode(request.headers.get("last-event-id"), Positions)
    if positions is None or len(positions) != LANES:
        async with context(request).database.reading(principal) as connection:
            positions = await _ends(connection)
    return EventSourceResponse(
        _counted(request, principal, positions),
        ping=HEARTBEAT_S,
        send_timeout=10,
        headers={"Retry-After": "2"},
    )


async def _counted(
    request: Request, principal: Principal, positions: Positions
) -> AsyncIterator[ServerSentEvent]:
    _open[principal.user] = _open.get(principal.user, 0) + 1
    metrics.STREAMS.inc()
    try:
        async for event in _events(request, principal, positions):
            yield event
    finally:
        metrics.STREAMS.dec()
        _open[principal.user] -= 1
        if _open[principal.user] <= 0:
            del _open[principal.user]


async def _events(
    request: Request, principal: Principal, positions: Positions
) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(data="{}", event="ready", id=cursors.encode(positions), retry=2000)
    checked_at = time.monotonic()
    with context(request).changes.subscription() as woken:
        while principal.expires_at > datetime.now(UTC):
            await waiting.woken(woken, RECHECK_S)
            woken.clear()
            try:
                if time.monotonic() - checked_at > RECHECK_S or principal.session is not None:
                    if not await auth.still_valid(request, principal):
                        break
                    checked_at = time.monotonic()
                async with context(request).database.reading(principal) as connection:
                    positions, found = await changed(connection, principal, positions)
            except (DatabaseAway, Rebuilding):
                await asyncio.sleep(1.0)
                continue
            if len(found) > BACKLOG:
                yield ServerSentEvent(data="{}", event="overflow", id=cursors.encode(positions))
                return
            for number, row in enumerate(found, 1):
                last = cursors.encode(positions) if number == len(found) else None
                yield ServerSentEvent(data=msgspec.json.encode(row).decode(), event="referral", id=last)
            await asyncio.sleep(pause(sum(_open.values())))
    yield ServerSentEvent(data="{}", event="closed")


def pause(streams: int) -> float:
    """Seconds between two looks of one viewer while so many streams are open."""
    return min(LATEST_S, max(SOONEST_S, EACH_S * streams))


async def changed(
    connection: asyncpg.Connection, principal: Principal, positions: Positions
) -> tuple[Positions, list[dict[str, Any]]]:
    """The facts after the positions that the principal may know of, and the new positions; one snapshot."""
    ends = await _ends(connection)
    lanes = [lane for lane in range(LANES) if ends[lane] > positions[lane]]
    if not lanes:
        return ends, []
    query = SQL["changed_own_hops" if principal.type == "cbo" else "changed"]
    rows = await connection.fetch(
        query, lanes, [positions[lane] for lane in lanes], BACKLOG + 1, principal.organization
    )
    return ends, [{"id": r["stream_id"], "version": r["version"], "type": r["type"]} for r in rows]


async def _ends(connection: asyncpg.Connection) -> Positions:
    return [row["seq"] for row in await connection.fetch(SQL["ends"])]
