"""What the API itself changes for a caller, on record in the very transaction that does it.

Comes in: a request that changes people or a break-glass. Goes out: a connection in a transaction of the caller's.
Must never commit a change without its record: where either fails there is neither, and the guard keeps the record of
the refusal.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
from starlette.requests import Request

from api.audit import record_of
from api.database import Database
from api.principal import Principal
from infra.audit.trail import Trail


class Deeds:
    """One after another in this process: a chain of its own, so that nobody's reading waits for a deed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._trail = Trail("deeds", uuid4(), datetime.now(UTC))
        self._one = asyncio.Lock()

    @asynccontextmanager
    async def done(self, request: Request, status: int) -> AsyncIterator[asyncpg.Connection]:
        """Do it inside; `status` is what the request is answered once it is done, `looks` what it was done to."""
        principal: Principal = request.state.principal
        async with self._one:
            try:
                async with self._database.keeping(principal) as connection:
                    yield connection
                    await self._trail.add(connection, [record_of(request, request.state.route, status)])
            except BaseException:
                self._trail.forget()
                raise
            self._trail.adopt()
        request.state.on_record = True
