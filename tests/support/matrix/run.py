"""Makes every request of the matrix and keeps what was answered; one after another for a caller, callers side by side.

Comes in: the application in this process, the world, everybody. Goes out: Answers. Judges nothing.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import uuid4

import httpx
from starlette.types import Message

from tests.support.api import Api
from tests.support.matrix.cells import Cell, cells, cursors, references
from tests.support.matrix.declared import ROUTES
from tests.support.matrix.people import Who
from tests.support.matrix.world import World

AT_ONCE = 6
STREAM_S, LOOKS = 1.0, 10
STREAM = "GET /v1/events/stream"
GROWS, LAST = "POST /v1/referrals", "POST /logout"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Answer(NamedTuple):
    """What a cell was answered: `headers` without the request id."""

    cell: Cell
    status: int
    headers: tuple[tuple[str, str], ...]
    body: str
    request: str

    @property
    def bytes_alike(self) -> tuple[object, ...]:
        """Everything that foreign and missing must have in common; what was asked for is a blank of its length."""

        def plain(text: str) -> str:
            text = text.replace(self.cell.named, "#" * len(self.cell.named))
            return UUID.sub("#" * 36, text) if self.cell.way in ("body", "batch") else text

        return self.status, tuple((k, plain(v)) for k, v in self.headers), plain(self.body)

    @property
    def said(self) -> str:
        """All of it as one text."""
        return "\n".join([*(f"{k}: {v}" for k, v in self.headers), self.body])


async def run(api: Api, world: World, people: Sequence[Who], reading: bool = False) -> list[Answer]:
    """The whole matrix, or what only reads."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(who: Who) -> list[Answer]:
        async with places:
            return await _asked(api, who, _of(who, world, reading))

    found = await asyncio.gather(*map(one, people))
    return [answer for answers in found for answer in answers]


def _of(who: Who, world: World, reading: bool) -> list[Cell]:
    """Every cell of a caller: twins before one's own lists grow, and leaving as the last thing that a person does."""
    made = [cell for route in ROUTES if route != STREAM for cell in cells(route, who, world)]
    made += [*cursors(who, world), *references(who, world)]
    found = sorted(made, key=lambda cell: (cell.route == LAST, cell.route == GROWS and cell.way != "none"))
    return [cell for cell in found if not reading or cell.route.startswith("GET ")]


async def _asked(api: Api, who: Who, asked: Iterable[Cell]) -> list[Answer]:
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    found = [await streamed(api, cell) for cell in cells(STREAM, who, World(api))]
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=who.headers) as http:
        for cell in asked:
            found.append(await _answer(http, cell))
            http.cookies.clear()  # what a log-in page sets is nobody's here: each sends its own header alone
    return found


async def _answer(http: httpx.AsyncClient, cell: Cell) -> Answer:
    sent = dict(cell.sent)
    request = uuid4().hex
    headers = {**sent.pop("headers", {}), "X-Request-Id": request}
    got = await http.request(cell.route.split()[0], cell.path, headers=headers, **sent)
    kept = tuple((k, v) for k, v in got.headers.items() if k != "x-request-id")
    return Answer(cell, got.status_code, kept, got.text, request)


async def said(api: Api, who: Who, path: str) -> str:
    """What one caller is answered at one address, whole."""
    if path == STREAM.split()[1]:
        [cell] = cells(STREAM, who, World(api))
        return (await streamed(api, cell)).said
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=who.headers) as http:
        return (await http.get(path)).text


async def streamed(api: Api, cell: Cell) -> Answer:
    """The stream from the beginning of everything, left after a moment."""
    from api.cursors import encode
    from referrals.ids import LANES

    request, leave = uuid4().hex, asyncio.Event()
    told: list[Message] = []
    headers = cell.who.headers | {"X-Request-Id": request, "Last-Event-ID": encode([0] * LANES)}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/v1/events/stream",
        "raw_path": b"/v1/events/stream",
        "query_string": b"",
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }

    async def receive() -> Message:
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        told.append(message)

    task = asyncio.create_task(api.app(scope, receive, send))
    for _ in range(LOOKS):
        await asyncio.wait({task}, timeout=STREAM_S / LOOKS)
        api.app.state.context.changes.wake()
    leave.set()
    await asyncio.wait_for(task, 15)
    start = told[0]
    kept = tuple((k.decode(), v.decode()) for k, v in start["headers"] if k != b"x-request-id")
    body = b"".join(m.get("body", b"") for m in told[1:]).decode()
    return Answer(cell, start["status"], kept, body, request)
