"""Everybody's reading: one referral, the list, its events, its routing explained.

Comes in: requests behind the guard. Goes out: what views.py shows; foreign and nonexistent are the same 404.
For pages: `load`, `list_visible`, `events_of`, `Filters`, `Position` (reading.py) are importable from here.
"""

import re
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import cursors, grants, policy, views
from api.bodies import answer
from api.context import action_of, context, principal_of
from api.problems import Problem, not_found, wrong
from api.reading import Filters as Filters
from api.reading import Position as Position
from api.reading import decision_of, list_visible, load, waits
from api.reading import events_of as events_of
from referrals import labels, words
from referrals.events import RoutingDecided

CANONICAL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
STATUSES = frozenset(words.ReferralStatus) | frozenset(words.HopStatus)


def referral_id(request: Request) -> UUID:
    """The id of the path; anything that is no id is not found."""
    text = request.path_params["id"]
    if not CANONICAL_ID.fullmatch(text):
        raise not_found()
    return UUID(text)


async def found(request: Request) -> views.Seen:
    """The referral of the path, if the caller may do the route's action on it; raises the 404 or the 403."""
    async with context(request).database.reading(principal_of(request)) as connection:
        return await found_on(request, connection)


async def found_on(request: Request, connection: asyncpg.Connection) -> views.Seen:
    """The same on a connection that goes on being used."""
    principal = principal_of(request)
    seen = await load(connection, context(request).vault, principal, referral_id(request))
    if seen is None:
        raise not_found()
    policy.demand(principal, action_of(request), policy.referral(seen.state, seen.reviewed))
    return seen


async def show(request: Request) -> Response:
    """One referral as the caller may see it; ETag is its version."""
    try:
        seen = await found(request)
    except Problem as problem:
        if problem.kind == "not-found" and (just := await _just_submitted(request)) is not None:
            return answer(just)
        raise
    return shown(request, seen)


def shown(request: Request, seen: views.Seen, status: int = 200) -> Response:
    """The referral as an answer, or 304 when the caller has this version already."""
    view = views.referral(principal_of(request), seen)
    if view is None:
        raise not_found()
    etag = f'"{seen.state.version}"'
    given = [e.strip().removeprefix("W/") for e in request.headers.get("if-none-match", "").split(",")]
    headers = {"ETag": etag, "Location": f"/v1/referrals/{seen.state.id}"}
    if request.method in ("GET", "HEAD") and (etag in given or "*" in given):
        return Response(status_code=304, headers={"ETag": etag})
    return answer(view, status, headers)


async def index(request: Request) -> Response:
    """What the caller may see, newest first."""
    principal = principal_of(request)
    filters = filters_of(request)
    position = cursors.decode(request.query_params.get("cursor"), Position)
    limit = cursors.limit(request)
    async with context(request).database.reading(principal) as connection:
        found, end = await list_visible(
            connection, context(request).vault, principal, filters, position, limit
        )
    items = [views.referral(principal, seen) for seen in found]
    return answer(cursors.page(items, cursors.encode(end) if end else None))


def filters_of(request: Request) -> Filters:
    """The filters of a list's query parameters; raises the 422."""
    status = request.query_params.get("status") or None
    if status is not None and status not in STATUSES:
        raise wrong("?status", f"use one of {', '.join(sorted(STATUSES))}")
    organization = request.query_params.get("organization") or None
    return Filters(status, organization, cursors.moment(request, "updated_after"))


async def history(request: Request) -> Response:
    """The referral's events, oldest first; the sender sees every version without gaps."""
    principal = principal_of(request)
    after = cursors.decode(request.query_params.get("cursor"), int) or 0
    limit = cursors.limit(request, cursors.MAX_LIMIT)
    async with context(request).database.reading(principal) as connection:
        seen = await found_on(request, connection)
        if not 0 <= after < 2**31:
            raise not_found()
        found = await events_of(connection, context(request).vault, principal, seen, after, limit + 1)
    more = cursors.encode(found[limit - 1]["version"]) if len(found) > limit else None
    notice = labels.notice(views.labels_of(seen.state))
    return answer(cursors.page(found[:limit], more) | {"notice": notice})


async def routing(request: Request) -> Response:
    """The last routing decision explained: to sender, hub and operator."""
    async with context(request).database.reading(principal_of(request)) as connection:
        seen = await found_on(request, connection)
        stored = await decision_of(connection, seen.state.id)
    return answer(explained(msgspec.json.decode(stored, type=RoutingDecided) if stored else None))


def explained(decision: RoutingDecided | None) -> dict[str, Any]:
    """A decision as interfaces.md shapes it; empty before the first one."""
    if decision is None:
        return dict.fromkeys(("decided_at", "policy", "chosen")) | {"candidates": [], "others_excluded": {}}
    return {
        "decided_at": decision.decided_at,
        "policy": decision.policy,
        "chosen": decision.chosen,
        "candidates": [
            {
                "service": c.service,
                "organization": c.organization,
                "excluded_by": c.excluded_by,
                "score": c.score,
                "parts": c.parts,
            }
            for c in decision.candidates
        ],
        "others_excluded": decision.others_excluded,
    }


async def _just_submitted(request: Request) -> dict[str, Any] | None:
    """What its sender sees of a referral that the broker has and the exchange has not recorded yet."""
    principal = principal_of(request)
    organization, id = principal.organization, referral_id(request)
    if (own_id := context(request).recent.get(organization, id)) is None:
        async with context(request).database.reading(principal) as connection:
            if not await waits(connection, principal, id):
                return None
    known = {
        "id": id,
        "sender": organization,
        "sender_referral_id": own_id,
        "status": "received",
        "version": 0,
    }
    empty: dict[str, Any] = {"sensitivity": [], "hops": [], "services_delivered": [], "flags": []}
    return dict.fromkeys(grants.FIELDS) | empty | known
