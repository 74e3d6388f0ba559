"""Every half minute, where each audit chain ends is signed and written outside the database.

Comes in: the heads of the chains. Goes out: a line in the file of checkpoints. Must never sign what is not committed,
nor write while another process does.
"""

import asyncio
from datetime import UTC, datetime

import asyncpg

from infra.audit import checkpoints
from infra.audit.chain import Head
from infra.audit.keeping import checkpoint_file, signing_key
from infra.audit.trail import SQL
from infra.settings import Settings
from stream_processors.patience import FROZEN_S, again_and_again, held

EVERY_S = FROZEN_S / 2  # it is the holder of a lock


class Checkpoints:
    """One process at a time (advisory lock) signs; whoever begins reads what the one before it wrote."""

    def __init__(self, url: str, config: Settings, every_s: float = EVERY_S) -> None:
        self._url = url
        self._key = signing_key(config)
        self._file = checkpoint_file(config)
        self._every_s = every_s
        self._last = b""
        self._reached: dict[str, int] = {}

    async def run(self) -> None:
        """For ever; after a failure begin anew."""
        await again_and_again("checkpoints", self._session)

    async def _session(self) -> None:
        async with held(self._url, "worker", SQL["try_lock"]) as connection:
            if connection is None:
                await asyncio.sleep(self._every_s)
                return
            await asyncio.to_thread(self.begin)
            while True:
                await self.sign(connection)
                await asyncio.sleep(self._every_s)

    def begin(self) -> None:
        """Read the file, whose lines must follow from each other. Raises Tampered."""
        kept = checkpoints.lines(self._file)
        self._last, self._reached = kept[-1] if kept else b"", {}
        for checkpoint in checkpoints.read(kept, self._key.public_key()):
            self._reached |= {chain: length for chain, (length, _) in checkpoint.heads.items()}

    async def sign(self, connection: asyncpg.Connection) -> int:
        """Write a checkpoint of the chains that grew since the one before; how many they are."""
        heads = [Head(r["chain"], r["length"], r["hash"]) for r in await connection.fetch(SQL["heads"])]
        grown = [head for head in heads if self._reached.get(head.chain, 0) < head.length]
        if grown:
            line = checkpoints.made(self._key, grown, self._last, datetime.now(UTC))
            await asyncio.to_thread(checkpoints.append, self._file, line)
            self._last = line
            self._reached |= {head.chain: head.length for head in grown}
        return len(grown)
