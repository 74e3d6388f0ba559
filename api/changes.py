"""Waits for what the exchange does: one LISTEN connection per process, fanned out; polling where it fails.

Comes in: `NOTIFY refex` (content-free, after each commit). Goes out: wake-ups for viewers, outcomes for senders.
Must never carry content: whoever is woken asks Postgres again under their own organization.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from msgspec import Struct

from api.database import AWAY, Database, DatabaseAway
from infra import postgres, waiting

SQL = postgres.queries("api", "changes.sql")
POLL_S = 0.1
PING_S = 10.0


class Outcome(Struct, frozen=True):
    """What became of one event: its row in the inbox."""

    outcome: str
    reason: str | None = None
    detail: str | None = None
    version: int | None = None
    stream_id: UUID | None = None

    @property
    def effective(self) -> bool:
        """Whether it was recorded, or was so already."""
        return self.outcome in ("applied", "no-effect")


Key = tuple[str, UUID]


class Changes:
    """The process's one listener; `run` it as a task."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._woken: set[asyncio.Event] = set()
        self._waiting: dict[Key, list[asyncio.Future[Outcome]]] = {}
        self._asked = asyncio.Event()

    @contextmanager
    def subscription(self) -> Iterator[asyncio.Event]:
        """An event that is set at every change; the subscriber clears it."""
        event = asyncio.Event()
        self._woken.add(event)
        try:
            yield event
        finally:
            self._woken.discard(event)

    async def outcome(self, organization: str, event: UUID, patience_s: float) -> Outcome | None:
        """What became of the organization's event, None when nothing is recorded in time."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        key = (organization, event)
        self._waiting.setdefault(key, []).append(future)
        self._asked.set()
        try:
            async with asyncio.timeout(patience_s):
                return await future
        except TimeoutError:
            return None
        finally:
            futures = self._waiting.get(key, [])
            if future in futures:
                futures.remove(future)
            if not futures:
                self._waiting.pop(key, None)

    async def run(self) -> None:
        """Listen and settle until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="refex-listen")
            tasks.create_task(self._settle(), name="refex-settle")

    def wake(self, *_: Any) -> None:
        """Tell every subscriber to look again."""
        for event in self._woken:
            event.set()

    async def _listen(self) -> None:
        pause = 0.2
        while True:
            try:
                await self._listen_once()
                pause = 0.2
            except AWAY:
                pause = min(pause * 2, 2.0)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))

    async def _listen_once(self) -> None:
        connection = await postgres.connect(self._database.url, "api", PING_S / 2)
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(postgres.CHANNEL, self.wake)
            self.wake()
            while not lost.is_set():
                await waiting.woken(lost, PING_S)
                await connection.execute("select")  # a line that hangs ends nothing: ask whether it is there
        finally:
            connection.terminate()

    async def _settle(self) -> None:
        with self.subscription() as woken:
            while True:
                await self._asked.wait()
                if not self._waiting:
                    self._asked.clear()
                    continue
                await waiting.woken(woken, POLL_S)
                woken.clear()
                with contextlib.suppress(DatabaseAway):
                    await self._look()

    async def _look(self) -> None:
        asked: dict[str, list[UUID]] = {}
        for organization, event in self._waiting:
            asked.setdefault(organization, []).append(event)
        async with self._database.asking() as connection:
            for organization, events in asked.items():
                await connection.fetch(SQL["ask_as"], organization)
                for row in await connection.fetch(SQL["outcomes"], organization, events):
                    self._tell(organization, row)

    def _tell(self, organization: str, row: Any) -> None:
        outcome = Outcome(row["outcome"], row["reason"], row["detail"], row["version"], row["stream_id"])
        for future in self._waiting.get((organization, row["event_id"]), ()):
            if not future.done():
                future.set_result(outcome)
