"""GET /v1/events/stream: ids, versions and types of what changed for the caller, as server-sent events.

Comes in: wake-ups of changes.py. Goes out: what history shows under the viewer's own role, from a position per lane.
Must never send more than ids, news of what the viewer may hear no more of, keep a slow viewer's backlog, or outlive the
viewer's session.
"""

import asyncio
import random
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
from starlette.types import Receive, Scope, Send

from api import auth, cursors
from api.context import context, principal_of
from api.database import DatabaseAway, Rebuilding
from api.principal import Principal
from api.reading import consents_of
from api.streams import Streams
from infra import waiting
from infra.postgres import queries
from referrals.ids import LANES
from referrals.state import Referral
from referrals.telling import STOPS, may_hear

SQL = queries("api", "stream.sql")
BACKLOG = 256
HEARTBEAT_S = 15
SEND_S = 10
SOONEST_S, EACH_S, LATEST_S = 0.02, 0.005, 0.4
"""Between two looks of one viewer: at least, more for each open stream (all look 200 times a second), at most."""
RECHECK_S = 5.0

Positions = list[int]
# Organization type -> the query that tells what changed for it; a type without one is told nothing.
CHANGED = {
    "clinic": "changed_sent",
    "platform": "changed_sent",
    "mco": "changed_covered",
    "cbo": "changed_received",
    "hub": "changed_reviewed",
    "operator": "changed_all",
}


# Types that hear of others' referrals, by the consent of the person and as long as it lasts.
HEARS_UNDER_CONSENT = frozenset({"cbo", "mco"})


class Stream(EventSourceResponse):
    """The response of one viewer; its place is given back however it ends."""

    def __init__(self, streams: Streams, user: str, content: AsyncIterator[ServerSentEvent]) -> None:
        super().__init__(content, ping=HEARTBEAT_S, send_timeout=SEND_S, headers={"Retry-After": "2"})
        self._streams = streams
        self._user = user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the viewer or we end it; one that does not read for SEND_S is left."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave(self._user)


async def stream(request: Request) -> Response:
    """Open the stream; `Last-Event-ID` continues where an earlier one ended."""
    principal = principal_of(request)
    streams = context(request).streams
    streams.enter(principal.user)
    try:
        positions = cursors.decode(request.headers.get("last-event-id"), Positions)
        if positions is None or len(positions) != LANES:
            async with streams.looking, context(request).database.reading(principal) as connection:
                positions = await _ends(connection)
    except BaseException:
        streams.leave(principal.user)
        raise
    return Stream(streams, principal.user, _events(request, principal, positions))


async def _events(
    request: Request, principal: Principal, positions: Positions
) -> AsyncIterator[ServerSentEvent]:
    retry = random.randint(1000, 4000)  # after our restart not all of them come back in one moment
    yield ServerSentEvent(data="{}", event="ready", id=cursors.encode(positions), retry=retry)
    checked_at = time.monotonic()
    with context(request).changes.subscription() as woken:
        while principal.expires_at > datetime.now(UTC):
            await waiting.woken(woken, RECHECK_S)
            woken.clear()
            try:
                async with context(request).streams.looking:
                    if time.monotonic() - checked_at > RECHECK_S or principal.session is not None:
                        if not await auth.still_valid(request, principal):
                            break
                        checked_at = time.monotonic()
                    async with context(request).database.reading(principal) as connection:
                        positions, found = await changed(connection, principal, positions)
            except (DatabaseAway, Rebuilding):
                await asyncio.sleep(random.uniform(0.5, 1.5))
                continue
            if len(found) > BACKLOG:
                yield ServerSentEvent(data="{}", event="overflow", id=cursors.encode(positions))
                return
            for number, row in enumerate(found, 1):
                last = cursors.encode(positions) if number == len(found) else None
                yield ServerSentEvent(data=msgspec.json.encode(row).decode(), event="referral", id=last)
            await asyncio.sleep(pause(context(request).streams.open))
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
    if not lanes or principal.type not in CHANGED:
        return ends, []
    rows = await connection.fetch(
        SQL[CHANGED[principal.type]],
        lanes,
        [positions[lane] for lane in lanes],
        BACKLOG + 1,
        principal.organization,
    )
    if principal.type in HEARS_UNDER_CONSENT and len(rows) <= BACKLOG:  # of more, none is told
        rows = await _heard(connection, principal, rows)
    return ends, [{"id": r["stream_id"], "version": r["version"], "type": r["type"]} for r in rows]


async def _heard(
    connection: asyncpg.Connection, principal: Principal, rows: list[asyncpg.Record]
) -> list[asyncpg.Record]:
    """Without news of referrals whose consent has ended, in the snapshot that found the news."""
    about = {r["stream_id"] for r in rows if r["type"] not in STOPS}
    found = await connection.fetch(SQL["about"], list(about)) if about else []
    known = {r["id"]: (msgspec.json.decode(r["state"], type=Referral), consents_of(r)) for r in found}
    own, now = principal.organization, datetime.now(UTC)
    return [
        r
        for r in rows
        if r["type"] in STOPS
        or (r["stream_id"] in known and may_hear(*known[r["stream_id"]], own, r["type"], now))
    ]


async def _ends(connection: asyncpg.Connection) -> Positions:
    return [row["seq"] for row in await connection.fetch(SQL["ends"])]
