"""An open event stream of one organization on tests/support/api.py: `async with listening(api, "food-a") as heard`.

`heard.events()` is what it was told of referrals so far, `heard.text` every byte of it.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import Message

from tests.support.api import Api

WAKE_S = 0.02


class Heard:
    """What one viewer was sent."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.ready = asyncio.Event()

    @property
    def text(self) -> str:
        """All of it."""
        return b"".join(self._parts).decode()

    async def take(self, message: Message) -> None:
        """The application sends something."""
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message
        elif body := message.get("body", b""):
            self._parts.append(body)
            self.ready.set()

    def events(self) -> list[dict[str, Any]]:
        """Every event about a referral, in order."""
        blocks = [block.splitlines() for block in self.text.replace("\r\n", "\n").split("\n\n")]
        told = [lines for lines in blocks if "event: referral" in lines]
        return [
            json.loads(line.removeprefix("data: "))
            for lines in told
            for line in lines
            if line.startswith("data: ")
        ]


@asynccontextmanager
async def listening(api: Api, organization: str) -> AsyncIterator[Heard]:
    """The stream, from now on, until it is left."""
    heard, leave = Heard(), asyncio.Event()
    headers = {"authorization": f"Bearer {await api.token(organization)}"}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/v1/events/stream",
        "raw_path": b"/v1/events/stream",
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }

    asked: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if asked:
            return asked.pop()
        await leave.wait()
        return {"type": "http.disconnect"}

    async def waking() -> None:
        while True:
            await asyncio.sleep(WAKE_S)
            api.app.state.context.changes.wake()

    running = asyncio.create_task(api.app(scope, receive, heard.take))
    waker = asyncio.create_task(waking())
    try:
        await asyncio.wait_for(heard.ready.wait(), 10)
        yield heard
    finally:
        leave.set()
        waker.cancel()
        await asyncio.wait({running, waker}, timeout=15)
