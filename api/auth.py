"""Who is it: a Bearer token or a session cookie becomes a Principal; people log in and out.

Comes in: a request's credentials. Goes out: a Principal, or a 401. Only hashes are stored and compared. Must never
answer 401 when the database is away, and never say whether an e-mail address is known.

For pages: `log_in(request, email, password)` -> token or None, then `give_cookie(request, response, token)`;
`await log_out(request)`, then `drop_cookie(request, response)`; `request.state.principal.csrf` goes into each form.
"""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from api import policy
from api.context import context
from api.principal import Principal as Principal
from api.problems import Problem
from infra import passwords
from infra.postgres import queries

SQL = queries("api", "auth.sql")
SESSION = timedelta(hours=12)
IDLE = timedelta(minutes=60)
TOUCH = timedelta(minutes=1)
_HASHING = asyncio.Semaphore(2)


class Presented(NamedTuple):
    """What a request shows of its caller: the hash of a token or of a cookie, empty for neither."""

    by_token: bool
    credential: bytes


def presented(request: Request) -> Presented:
    """The token or cookie of a request, whoever's it is."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
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


async def log_in(request: Request, email: str, password: str) -> str | None:
    """A new session's cookie value, None when the pair is wrong; raises the 429 after too many attempts."""
    address = request.client.host if request.client else ""
    context(request).limits.logins.check(f"{address} {email.lower()}")
    if "\x00" in email:
        return None
    async with context(request).database.own() as connection:
        user = await connection.fetchrow(SQL["user"], email)
    async with _HASHING:
        stored = user["password_hash"] if user else _nobodys_hash()
        right = await asyncio.to_thread(passwords.verify_password, stored, password)
    if user is None or not right:
        return None
    token = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    async with context(request).database.own() as connection:
        await connection.execute(
            SQL["insert_session"],
            hashed(token),
            user["tenant"],
            user["id"],
            secrets.token_urlsafe(24),
            now,
            now + SESSION,
        )
    return token


async def log_out(request: Request) -> None:
    """End the session of the request's cookie, at once and for every stream of it."""
    if cookie := request.cookies.get(cookie_name(request)):
        async with context(request).database.own() as connection:
            await connection.execute(SQL["delete_session"], hashed(cookie))
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


def hashed(token: str) -> bytes:
    """What is stored of a token of 256 random bits."""
    return sha256(token.encode()).digest()


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
    async with context(request).database.own() as connection:
        row: Any = await connection.fetchrow(SQL["session"], credential, now, now - IDLE)
        if row is not None and row["last_seen_at"] < now - TOUCH:
            await connection.execute(SQL["touch_session"], credential, now)
    if row is None:
        return None
    user_id: UUID = row["user_id"]
    return Principal(
        organization=row["tenant"],
        type=row["type"],
        name=row["name"],
        user=str(user_id),
        scopes=policy.held(row["type"]),
        expires_at=row["expires_at"],
        credential=credential,
        role=row["role"],
        email=row["email"],
        user_name=row["user_name"],
        csrf=row["csrf"],
        session=credential,
    )


@cache
def _nobodys_hash() -> str:
    """A hash that no password has, so that an unknown address costs the same time."""
    return passwords.hash_password(secrets.token_urlsafe(32))
