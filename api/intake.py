"""The exchange's public key of today: for senders to seal to, and the API's own session with it.

Comes in: the API's connection. Goes out: the key, a Session for what this process publishes. Must never read a private
key.
"""

import asyncio
import contextlib
from datetime import UTC, datetime

from api.database import Database, DatabaseAway
from infra.vault import intake
from infra.vault.intake import PublicKey
from infra.vault.travel import Session

LOOK_S, SOON_S = 60.0, 1.0


class Intake:
    """The key as it was last read; `session` is None until a worker has made the first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.key: PublicKey | None = None
        self.session: Session | None = None

    async def run(self) -> None:
        """Look for the key of the day until cancelled."""
        while True:
            with contextlib.suppress(DatabaseAway):
                await self.look()
            await asyncio.sleep(LOOK_S if self.key else SOON_S)

    async def look(self) -> None:
        """Once; a new key begins a new session."""
        async with self._database.own() as connection:
            found = await intake.public_key(connection, datetime.now(UTC))
        if found is not None and found != self.key:
            self.key, self.session = found, Session(found.id, found.public)
