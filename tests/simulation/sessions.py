"""Connections and pools as asyncpg's, of one simulated process each, to the simulated database.

Comes in: statements. Goes out: rows, command tags; a commit may be lost, or applied without anybody being told. What
was open is rolled back when its process dies.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg

from tests.simulation.database import Database, Row, Transaction
from tests.simulation.processes import Process


class Session:
    """One connection of a process, as asyncpg's."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self.process = process
        self.now: Transaction | None = None
        process.at_death.append(self._drop)

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        """Run one statement; outside of a transaction it is one by itself."""
        name, handler = self._database.statements[sql]
        await self.process.point(name, database=True)
        if self.now is not None:
            return await self._run(handler, self.now, args)
        alone = Transaction(self._database, self.process)
        try:
            found = await self._run(handler, alone, args)
        except BaseException:
            self._database.end(alone, commit=False)
            raise
        self._database.end(alone, commit=True)
        return found

    async def _run(
        self, handler: Callable[..., Any], within: Transaction, args: tuple[Any, ...]
    ) -> list[Row]:
        found = handler(within, *args)
        if asyncio.iscoroutine(found):
            found = await found
        if isinstance(found, str) and found.startswith("advisory"):
            key = (found, *args)
            holder = self._database.advisory.setdefault(key, self)
            return [{"held": holder is self}]
        return found if found is not None else []

    async def fetchrow(self, sql: str, *args: Any) -> Row | None:
        found = await self.fetch(sql, *args)
        return found[0] if found else None

    async def fetchval(self, sql: str, *args: Any) -> Any:
        row = await self.fetchrow(sql, *args)
        return next(iter(row.values())) if row else None

    async def execute(self, sql: str, *args: Any) -> str:
        """The command tag; NOTIFY wakes whoever listens, settings of a session change nothing here."""
        if sql.startswith("set "):
            return "SET"
        if sql.startswith("notify "):
            await self.process.point("notify", database=True)
            for process, listener in self._database.listeners:
                if process.alive:
                    listener()
            return "NOTIFY"
        found = await self.fetch(sql, *args)
        return f"DONE {len(found)}"

    def transaction(self) -> "Block":
        """`async with session.transaction()`."""
        return Block(self)

    async def add_listener(self, channel: str, listener: Callable[..., None]) -> None:
        self._database.listeners.append((self.process, listener))

    async def close(self, timeout: float | None = None) -> None:
        self._drop()

    def _drop(self) -> None:
        """The server notices that nobody is there any more."""
        if self.now is not None:
            self._database.end(self.now, commit=False)
        for key in [k for k, holder in self._database.advisory.items() if holder is self]:
            del self._database.advisory[key]

    def begin(self) -> None:
        """Open a transaction."""
        self.now = Transaction(self._database, self.process)

    async def finish(self, commit: bool) -> None:
        """Commit or roll back; a commit may be lost, or applied without anybody being told."""
        mine, self.now = self.now, None
        assert mine is not None
        try:
            if commit:
                await self.process.point("commit")
                if self.process.loses_commits:
                    applied = self.process.loses_commits.pop()
                    self._database.end(mine, commit=applied)
                    raise asyncpg.ConnectionDoesNotExistError(
                        "connection was closed in the middle of operation"
                    )
                self._database.end(mine, commit=True)
                await self.process.point("committed")
        finally:
            self._database.end(mine, commit=False)


class Block:
    """One transaction of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def __aenter__(self) -> None:
        await self._session.process.point("begin", database=True)
        self._session.begin()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._session.finish(commit=kind is None)


class Pool:
    """A pool of sessions of one process."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process

    def acquire(self) -> "Lent":
        """`async with pool.acquire() as connection`."""
        return Lent(Session(self._database, self._process))

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        return await Session(self._database, self._process).fetch(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        return await Session(self._database, self._process).execute(sql, *args)


class Lent:
    """A session while it is lent."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def __aenter__(self) -> Session:
        await self._session.process.point("acquire")
        return self._session

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
