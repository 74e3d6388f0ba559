"""Every minute, where each audit chain ends is signed and written outside the database.

Comes in: the heads of the chains. Goes out: a line in the file of checkpoints. Must never sign what is not committed,
nor write while another process does.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import asyncpg

from infra.audit import checkpoints
from infra.audit.chain import Head
from infra.audit.keeping import checkpoint_file, signing_key
from infra.audit.trail import SQL
from infra.settings import Settings
from stream_processors.patience import again_and_again, held

EVERY_S = 60.0


class Checkpoints:
    """One process at a time (advisory lock) signs."""

    def __init__(self, url: str, config: Settings, every_s: float = EVERY_S) -> None:
        self._url = url
        self._key = signing_key(config)
        self._file = checkpoint_file(config)
        self._every_s = every_s

    async def run(self) -> None:
        """For ever; after a failure begin anew."""
        await again_and_again("checkpoints", self._session)

    async def _session(self) -> None:
        async with held(self._url, "worker", SQL["try_lock"]) as connection:
            if connection is None:
                await asyncio.sleep(self._every_s)
                return
            while True:
                await self.sign(connection)
                await asyncio.sleep(self._every_s)

    async def sign(self, connection: asyncpg.Connection) -> int:
        """Write a checkpoint of the chains that grew; how many there are."""
        kept = checkpoints.lines(self._file)
        reached = self._reached(kept)
        heads = [Head(r["chain"], r["length"], r["hash"]) for r in await connection.fetch(SQL["heads"])]
        grown = [head for head in heads if reached.get(head.chain, 0) < head.length]
        if grown:
            line = checkpoints.made(self._key, grown, kept[-1] if kept else b"", datetime.now(UTC))
            await asyncio.to_thread(checkpoints.append, self._file, line)
        return len(grown)

    def _reached(self, kept: list[bytes]) -> Mapping[str, int]:
        found = checkpoints.read(kept, self._key.public_key())
        return {chain: length for c in found for chain, (length, _) in c.heads.items()}
