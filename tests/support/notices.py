"""A receiver of notices on loopback, and the notifier that sends them; for tests on tests/support/api.py."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from infra import webhooks
from infra.postgres import pool
from stream_processors.notify import Notifier
from tests.support.api import Api
from tests.support.vault import vault


@asynccontextmanager
async def hearing(api: Api, forbidden: Iterable[str]) -> AsyncIterator[Counter[str]]:
    """The notices run, to one receiver for both community organizations; which ids it has heard."""
    heard: Counter[str] = Counter()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        body = await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
        assert not any(name.encode() in body for name in forbidden)
        heard[head.split("webhook-id: ")[1].split("\r\n")[0]] += 1
        writer.write(b"HTTP/1.1 204 Taken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with api.owner() as owner:
        for organization in ("food-a", "food-b"):
            await webhooks.set_webhook(owner, vault(), organization, url)
    async with server, await pool(api.url, "worker") as connections:
        running = asyncio.create_task(Notifier(connections, vault()).run())
        try:
            yield heard
        finally:
            running.cancel()
            await asyncio.wait({running})
