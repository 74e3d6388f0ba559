"""Around every request: an id, security headers, and a body of at most 1 MiB whose rest is read and discarded.

Comes in: raw ASGI messages. Goes out: the same, bounded. Must never buffer what it discards, nor log a path's query.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from api.problems import Problem, as_json

MAX_AT_ONCE: Final = 256
"""Requests being answered; each may hold a body of 1 MiB. Further ones wait, their bodies unread, for a moment."""
WAIT_S: Final = 2.0
UNCOUNTED: Final = frozenset({"/livez", "/readyz", "/metrics", "/v1/events/stream"})
"""Probes must be answered when nothing else is; streams have a bound of their own (streams.py)."""
MAX_BODY: Final = 1_048_576
MAX_DISCARDED: Final = 16 * 1_048_576
BODY_S: Final = 30.0
DISCARD_S: Final = 10.0
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
}
log = structlog.get_logger("refex.api")
BUSY: Final = Problem("away", "too many requests at once; try again", headers={"Retry-After": "2"})


class Body:
    """One request's body as it comes in: counted, limited, and drained when nobody reads it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read = 0
        self._done = False
        self._deadline = time.monotonic() + BODY_S

    async def receive(self) -> Message:
        """The next message for the application; raises Problem when the body is too large or too slow."""
        if self._done:
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                message = await self._next()
        except TimeoutError:
            raise Problem("timeout", headers={"Connection": "close"}) from None
        if self._read > MAX_BODY:
            await self.discard()
            raise Problem("too-large")
        return message

    async def discard(self) -> None:
        """Read on without keeping anything, so that a sender who is still writing sees the answer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_S):
                while not self._done and self._read <= MAX_DISCARDED:
                    await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._done = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message


class Frame:
    """The outermost ASGI layer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._places = asyncio.Semaphore(MAX_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request inside the frame."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope)
        given = sent.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex
        has_body = "content-length" in sent or "transfer-encoding" in sent
        body = Body(receive)
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 0

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                if has_body:
                    await body.discard()
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers["X-Request-Id"] = request_id
                status = int(message["status"])
                metrics.REQUESTS.labels(_method(scope), f"{status // 100}xx").inc()
            await send(message)

        try:
            async with self._place(scope["path"]) as free:
                app = self.app if free else as_json(BUSY)
                await app(scope, body.receive, framed)
        finally:
            took = time.perf_counter() - started
            metrics.LATENCY.observe(took)
            _told(scope, status, took)

    @contextlib.asynccontextmanager
    async def _place(self, path: str) -> AsyncIterator[bool]:
        """One of the places while it lasts; False when none came free in time."""
        if path in UNCOUNTED:
            yield True
            return
        try:
            async with asyncio.timeout(WAIT_S):
                await self._places.acquire()
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            self._places.release()


def _method(scope: Scope) -> str:
    """A label of ours: whoever invents methods must not make series."""
    return scope["method"] if scope["method"] in METHODS else "other"


def _told(scope: Scope, status: int, took_s: float) -> None:
    """The access log: the route as it is declared; never the path, which holds ids, nor the query."""
    route = getattr(scope.get("route"), "path", None)
    log.debug("answered", method=_method(scope), route=route, status=status, ms=round(took_s * 1000, 1))
