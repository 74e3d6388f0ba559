"""A receiver of webhooks that takes everything at once and remembers the ids it was sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

OK = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Receiver:
    """`ids`: what it has; a delivery may come more than once, under the same id."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request; a sender that dies in the middle of it has sent nothing."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
            await reader.readexactly(int(headers["content-length"]))
            self.ids.add(headers["webhook-id"])
            writer.write(OK)
            await writer.drain()
        except (OSError, EOFError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Receiver, str]]:
    """A receiver on a free port, and its URL."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    async with server:
        yield receiver, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
