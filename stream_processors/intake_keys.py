"""Keeps the exchange's keys for what is on its way: made a day ahead, deleted when no record needs them any more.

Comes in: the worker's pool, the vault. Goes out: an Opener that knows every key before the first record is read.
"""

import asyncio
from datetime import UTC, datetime

import asyncpg

from infra.vault import intake
from infra.vault.travel import Opener
from infra.vault.vault import Vault
from stream_processors.patience import again_and_again

LOOK_S = 60.0


class IntakeKeys:
    """`await ready()` before reading; `run` in every worker: whoever is first makes the next day's key."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, plain: bool) -> None:
        """`plain`: whether senders may still send what is not sealed."""
        self.opener = Opener({}, plain)
        self._pool = pool
        self._vault = vault
        self._known = asyncio.Event()

    async def ready(self) -> None:
        """Return when the keys are known: without them good records would be refused."""
        await self._known.wait()

    async def run(self) -> None:
        """For ever."""
        await again_and_again("intake keys", self._session)

    async def _session(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Once: make, forget, learn."""
        async with self._pool.acquire() as connection, connection.transaction():
            now = datetime.now(UTC)
            keys = await intake.keep(connection, self._vault, now)
            today = await intake.public_key(connection, now)
        self.opener.learn(keys, today.id if today else None)
        self._known.set()
