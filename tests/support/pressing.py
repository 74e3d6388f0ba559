"""Clients that press on the API: streams nobody reads, and one that asks far too often; over raw sockets.

Comes in: an address and a token. Goes out: what was answered. Cheap enough to leave the processor to the API.
"""

import asyncio
import socket
import time
from collections import Counter
from contextlib import suppress

SMALL = 4096


def request(path: str, token: str, port: int) -> bytes:
    """A GET as bytes."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


async def never_read(port: int, token: str, number: int) -> list[socket.socket]:
    """So many open event streams, of which not a byte is read."""
    loop, made = asyncio.get_running_loop(), []
    for _ in range(number):
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        opened.setblocking(False)
        await loop.sock_connect(opened, ("127.0.0.1", port))
        await loop.sock_sendall(opened, request("/v1/events/stream", token, port))
        made.append(opened)
    return made


class Pressure:
    """One client at a rate; how it was answered, and the longest answers."""

    def __init__(self, port: int, token: str, path: str = "/v1/me") -> None:
        self._port = port
        self._request = request(path, token, port)
        self.statuses: Counter[int] = Counter()
        self.without_retry_after = 0
        self.seconds: list[float] = []

    async def press(self, per_second: float, seconds: float, connections: int = 20) -> None:
        """Ask at this rate, as far as the answers allow."""
        until = time.monotonic() + seconds
        every = connections / per_second
        await asyncio.gather(*(self._one(until, every, n * every / connections) for n in range(connections)))

    async def _one(self, until: float, every: float, lead: float) -> None:
        await asyncio.sleep(lead)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        due = time.monotonic()
        with suppress(asyncio.IncompleteReadError):
            while due < until:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                began = time.monotonic()
                writer.write(self._request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
                status = int(head[9:12])
                self.statuses[status] += 1
                self.without_retry_after += status == 429 and b"\r\nretry-after: " not in head
                self.seconds.append(time.monotonic() - began)
                due += every
        writer.close()

    def percentile(self, share: float) -> float:
        """So much of the answers took at most this long, in seconds."""
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))]
