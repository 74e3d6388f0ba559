"""Who is it: a Bearer token or a session cookie becomes a Principal.

Comes in: a request's credentials. Goes out: a Principal with its role's or its token's scopes, or a 401. Only hashes
are stored and compared. Must never answer 401 when the database is away, nor take a script's look for a person's.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from starlette.requests import Request

from api import policy
from api.context import context
from api.principal import Principal as Principal
from api.problems import Problem
from api.sessions import cookie_name, idle
from infra import roles
from infra.passwords import hashed
from infra.postgres import queries

SQL = queries("api", "auth.sql")
TOUCH = timedelta(minutes=1)
TOLD = timedelta(days=7)  # how long pages say that an operator opened something
STREAM = "/v1/events/stream"


class Presented(NamedTuple):
    """What a request shows of its caller: the hash of a token or of a cookie, empty for neither."""

    by_token: bool
    credential: bytes


def presented(request: Request, people_only: bool = False) -> Presented:
    """The token or cookie of a request, whoever's it is; `people_only`: a page, which no system's token opens."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and not people_only:
        return Presented(True, hashed(token.strip()))
    cookie = request.cookies.get(cookie_name(request))
    return Presented(False, hashed(cookie) if cookie else b"")


async def identify(request: Request, shown: Presented, required: bool) -> Principal | None:
    """The caller of a request; raises the 401 where one is required, else None for nobody."""
    read = _by_token if shown.by_token else _by_session
    found = await read(request, shown.credential) if shown.credential else None
    if found is None and required:
        error = 'Bearer error="invalid_token"' if shown.by_token else "Bearer"
        raise Problem("unauthenticated", headers={"WWW-Authenticate": error})
    return found


async def still_valid(request: Request, principal: Principal) -> bool:
    """Whether the caller's token or session holds at this moment: asked by long-lived streams."""
    read = _by_token if principal.session is None else _by_session
    return await read(request, principal.credential) is not None


def _by_itself(request: Request) -> bool:
    """Whether the page's script asks, not a person: an open page must not keep its session alive for ever."""
    return request.headers.get("x-fragment") == "1" or request.url.path == STREAM


async def _by_token(request: Request, credential: bytes) -> Principal | None:
    async with context(request).database.own() as connection:
        row = await connection.fetchrow(SQL["token"], credential, datetime.now(UTC))
    if row is None:
        return None
    return Principal(
        organization=row["tenant"],
        type=row["type"],
        name=row["name"],
        user=row["client_id"],
        scopes=frozenset(row["scope"].split()) & policy.held(row["type"]),
        expires_at=row["expires_at"],
        credential=credential,
    )


async def _by_session(request: Request, credential: bytes) -> Principal | None:
    now = datetime.now(UTC)
    longest = idle(context(request).settings)
    async with context(request).database.own() as connection:
        row: Any = await connection.fetchrow(SQL["session"], credential, now, now - longest, now - TOLD)
        stale = row is not None and row["last_seen_at"] < now - min(TOUCH, longest / 4)
        if stale and not _by_itself(request):
            await connection.execute(SQL["touch_session"], credential, now)
    if row is None:
        return None
    user_id: UUID = row["user_id"]
    return Principal(
        organization=row["tenant"],
        type=row["type"],
        name=row["name"],
        user=str(user_id),
        scopes=roles.scopes(row["type"], row["role"]),
        expires_at=row["expires_at"],
        credential=credential,
        role=row["role"],
        email=row["email"],
        user_name=row["user_name"],
        csrf=row["csrf"],
        session=credential,
        second_step=row["second_step"],
        opened=row["opened"],
    )
