"""Whether Postgres and the broker answer now: one session with each is kept, and however many ask share one look.

Comes in: addresses. Goes out: "ok" or what is wrong, within PATIENCE_S. Must never queue looks behind each other, nor
ask more often because more ask us.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import asyncpg
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from infra import postgres
from infra.kafka import KafkaLogin

OK = "ok"
AWAY = "cannot be reached"
PATIENCE_S = 3.0
FRESH_S = 0.25
"""So often at most the servers are asked, whoever asks us: /readyz is open to everyone."""
Look = Callable[[], Awaitable[dict[str, str]]]


class Shared:
    """A look at something, shared by all who ask while it goes on or is fresh."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._going: asyncio.Task[dict[str, str]] | None = None
        self._found: dict[str, str] = {}
        self._at = float("-inf")

    async def __call__(self) -> dict[str, str]:
        """What was found a moment ago, or is found now."""
        if time.monotonic() - self._at < FRESH_S:
            return self._found
        if self._going is None or self._going.done():
            self._going = asyncio.create_task(self._again())
        return await asyncio.shield(self._going)

    async def _again(self) -> dict[str, str]:
        self._found = await self._look()
        self._at = time.monotonic()
        return self._found

    async def close(self) -> None:
        """Leave a look that goes on."""
        if self._going is not None:
            self._going.cancel()
            await asyncio.wait({self._going})


class Session:
    """One kept session with Postgres, opened anew after a failure."""

    def __init__(self, url: str, part: str) -> None:
        self._url = url
        self._part = part
        self._connection: asyncpg.Connection | None = None

    async def connection(self) -> asyncpg.Connection:
        """An open session; raises what connecting raises."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await postgres.connect(self._url, self._part)
        return self._connection

    async def answers(self) -> str:
        """OK, or AWAY when nothing came back in time."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await (await self.connection()).fetchval("select 1")
        except (OSError, TimeoutError, asyncpg.PostgresError, *postgres.ENDED):
            self.drop()
            return AWAY
        return OK

    def drop(self) -> None:
        """Forget the session without waiting for it."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


class Broker:
    """One kept client of the broker, made anew after a failure."""

    def __init__(self, login: KafkaLogin) -> None:
        self._login = login
        self._client: AIOKafkaClient | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def answers(self) -> str:
        """OK, or AWAY when no broker said what it holds in time."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._client is None:
                    made = AIOKafkaClient(
                        **self._login.aiokafka(), client_id="refex-ready", request_timeout_ms=3000
                    )
                    self._client = made
                    await made.bootstrap()
                await self._client.fetch_all_metadata()
        except (KafkaError, OSError, TimeoutError):
            self.drop()
            return AWAY
        return OK

    def drop(self) -> None:
        """The next look makes a new client; this one ends in its own time."""
        client, self._client = self._client, None
        if client is not None:
            ending = asyncio.create_task(_closed(client))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Close the client, waiting a second at most."""
        self.drop()
        await asyncio.gather(*self._ending)


async def _closed(client: AIOKafkaClient) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(1):
            await client.close()
