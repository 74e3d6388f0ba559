"""One audit record for every request that is somebody's: kept before a byte of the answer leaves.

Comes in: a request, what it showed, its answer's status. Goes out: a committed record; many requests share a commit.
Must never let an answer pass that is not on record: without the database nothing of a person is shown.
"""

import asyncio
import itertools
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from starlette.requests import Request

from api import policy
from api.database import Database, DatabaseAway
from api.principal import Acting, Principal
from api.routing import Route
from infra.audit import records
from infra.audit.records import Object
from infra.audit.trail import Moved, Trail

TOGETHER: Final = 500
# Ids as we make them or as organizations and contracts have them; whatever else stands in a path is not kept.
ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[a-z][a-z0-9-]{1,58}[a-z0-9]")
# The segment before an id -> what it names.
KINDS: Final = {
    "referrals": "referral",
    "Task": "referral",
    "services": "service",
    "consents": "consent",
    "links": "person-link",
    "persons": "person",
    "contracts": "contract",
    "organization": "organization",
    "people": "user",
    "break-glass": "break-glass",
}
UNAUDITED: Final = frozenset({"public", "metrics"})


class Opened(NamedTuple):
    """The break-glass that a request is about: in request.state.opened."""

    opening: UUID
    reason: str


class Audit:
    """`await audit.keep(record)` returns when it is committed; raises DatabaseAway."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._trail = Trail("api", uuid4(), datetime.now(UTC))
        self._waiting: list[tuple[records.Request, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, record: records.Request) -> None:
        """Keep a record; requests that wait at the same time share one transaction."""
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append((record, kept))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        await kept

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self._waiting:
            now, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            try:
                await self._commit([record for record, _ in now])
            except Exception as error:
                self._trail.forget()
                away = error if isinstance(error, DatabaseAway) else DatabaseAway(type(error).__name__)
                _settle((kept for _, kept in now), away)
            else:
                _settle((kept for _, kept in now), None)
        self._writer = None

    async def _commit(self, found: list[records.Request]) -> None:
        for last in (False, True):
            try:
                async with self._database.auditing() as connection:
                    await self._trail.add(connection, found)
                self._trail.adopt()
                return
            except Moved:
                if last:
                    raise


def is_audited(route: Route) -> bool:
    """Whether requests of the route go on record: all but probes, documents and counters."""
    return route.action not in UNAUDITED


def record_of(request: Request, route: Route, status: int) -> records.Request:
    """What is written of a request that ends with that status."""
    principal: Principal | None = request.state.principal
    who: Acting | Principal | None = getattr(request.state, "acting", None) or principal
    named = _named(request, route)
    shown = tuple(principal.looks.all()) if principal is not None and status < 400 else ()
    known = {(o.kind, o.id) for o in shown}
    through: Opened | None = getattr(request.state, "opened", None)
    made = records.Request if through is None else partial(records.BreakGlass, **through._asdict())
    return made(
        at=datetime.now(UTC),
        request=request.state.request_id,
        route=f"{route.method} {route.path}",
        action=route.action,
        operation="R" if route.method == "GET" else policy.ACTIONS[route.action].operation,
        status=status,
        organization=who.organization if who else None,
        type=who.type if who else None,
        user=who.user if who else None,
        role=who.role if who else None,
        objects=shown + tuple(o for o in named if (o.kind, o.id) not in known),
    )


def _named(request: Request, route: Route) -> Iterable[Object]:
    """What the path names; an id that is none of ours is not written down."""
    segments = route.path.split("/")
    for before, segment in itertools.pairwise(segments):
        value = request.path_params.get(segment.strip("{}"), "") if segment.startswith("{") else ""
        if value and ID.fullmatch(value):
            yield Object(KINDS.get(before, before), value.lower())


def _settle(waiting: Iterable[asyncio.Future[None]], error: Exception | None) -> None:
    for kept in waiting:
        if kept.done():
            continue
        if error is None:
            kept.set_result(None)
        else:
            kept.set_exception(error)
