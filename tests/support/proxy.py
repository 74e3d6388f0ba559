"""A TCP proxy whose line can be slow, hang or be cut: what a network does to a part and its server.

Comes in: bytes of either side. Goes out: the same bytes, later or never. It changes none of them.
"""

import asyncio
import contextlib

CHUNK = 65_536


class Proxy:
    """`async with Proxy(host, port) as line`: listens on `line.port`."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._is_cut = False
        self.port = 0
        self.delay_s = 0.0
        self.bytes_per_s = float("inf")

    async def __aenter__(self) -> "Proxy":
        self._flows.set()
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection, and every new one."""
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def hang(self) -> None:
        """Nothing passes, in either direction; connections stay."""
        self._flows.clear()

    def mend(self) -> None:
        """As if nothing had been; what hung passes now."""
        self._is_cut = False
        self.delay_s, self.bytes_per_s = 0.0, float("inf")
        self._flows.set()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                await asyncio.sleep(self.delay_s + len(data) / self.bytes_per_s)
                await self._flows.wait()
                sink.write(data)
                await sink.drain()
        self._writers.discard(sink)
        sink.transport.abort()
