"""A receiver of webhooks that remembers what it was sent; told so, it refuses the first calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

OK, BUSY = (
    f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    for answer in ("204 No Content", "503 Busy")
)


class Receiver:
    """`ids`: what it has; a delivery may come more than once, under the same id.

    `calls`: headers and bodies, in order.
    """

    def __init__(self, refusing: int) -> None:
        self.ids: set[str] = set()
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self._refusing = refusing

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request; a sender that dies in the middle of it has sent nothing."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
            self.calls.append((headers, await reader.readexactly(int(headers["content-length"]))))
            taken = len(self.calls) > self._refusing
            if taken:
                self.ids.add(headers["webhook-id"])
            writer.write(OK if taken else BUSY)
            await writer.drain()
        except (OSError, EOFError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving(refusing: int = 0) -> AsyncIterator[tuple[Receiver, str]]:
    """A receiver on a free port, and its URL; so many calls are refused at first."""
    receiver = Receiver(refusing)
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    async with server:
        yield receiver, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
