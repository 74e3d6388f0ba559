"""What decisions may look at, kept in memory and refreshed on change: directory, participants, loads, service records.

Comes in: the worker's pool. Goes out: a World for one batch. Records are advice, at most two seconds old, loads as
often as counting them is cheap; of records and places only what changed is read.
"""

import time

import msgspec

from infra.places import places
from infra.postgres import Connection, queries
from producers.envelope import open_plain, seal
from referrals.capacity import with_room
from referrals.directory import Directory, Service
from referrals.placing import World
from referrals.standing import Standings
from stream_processors.service_record import changed_capacity, changed_records
from stream_processors.work import Work

SQL = queries("stream_processors", "world.sql")
MAX_AGE_S = 2.0
LOADS_COST, LOADS_MAX_AGE_S = 500, 30.0
"""Counting what is open takes longer the more is open, and a batch waits for it: no sooner than after so many times as
long as it took, and at the latest after that. Between two counts a worker adds what its own batches change."""


def _service(routing: str, said: str | None) -> Service:
    """A service as its source describes it, with what its own CBO says of its room."""
    listed = msgspec.json.decode(routing, type=Service)
    return with_room(listed, msgspec.json.decode(said)) if said else listed


class WorldKeeper:
    """Reads the world inside a batch's transaction, and only what may have changed since the last."""

    def __init__(self) -> None:
        self._places = places()  # most of a second, once: not inside a batch's transaction, under its locks
        self._directory: Directory | None = None
        self._organizations: dict[str, str] = {}
        self._webhooks: frozenset[str] = frozenset()
        self._hub = ""
        self._loads: dict[str, int] = {}
        self._standings = Standings()
        self._records_seen = self._capacity_seen = "0"
        self._counts_places = False
        self._read_at = self._count_at = float("-inf")

    async def current(self, connection: Connection) -> World:
        """The world as this transaction sees it."""
        directory = await self._current_directory(connection)
        if time.monotonic() - self._read_at > MAX_AGE_S:
            await self._read_participants(connection)
        if time.monotonic() > self._count_at:
            await self._count_loads(connection)
        if self._counts_places:
            self._capacity_seen, taken = await changed_capacity(connection, self._capacity_seen)
            self._standings.put({}, taken)
        return World(
            directory,
            self._loads,
            self._organizations,
            self._hub,
            seal,
            open_plain,
            standings=self._standings,
        )

    async def _current_directory(self, connection: Connection) -> Directory:
        """The newest snapshot: read whole once, afterwards only the services changed since."""
        version: int = await connection.fetchval(SQL["directory_version"])
        before = self._directory
        if before is not None and before.version == version:
            return before
        if before is None:
            rows = await connection.fetch(SQL["services"])
        else:
            rows = await connection.fetch(SQL["changed_services"], before.version)
        services = [_service(r["routing"], r["said"]) for r in rows]
        found = before.changed(version, services) if before else Directory(version, services, self._places)
        self._directory = found
        self._counts_places = self._counts_places or any(s.capacity_available is not None for s in services)
        return found

    async def _read_participants(self, connection: Connection) -> None:
        rows = await connection.fetch(SQL["organizations"])
        self._organizations = {r["id"]: r["type"] for r in rows}
        self._webhooks = frozenset(r["id"] for r in rows if r["webhook_url"])
        self._hub = next((r["id"] for r in rows if r["type"] == "hub"), "")
        self._records_seen, records = await changed_records(connection, self._records_seen)
        self._standings.put(records, {})
        self._read_at = time.monotonic()

    async def _count_loads(self, connection: Connection) -> None:
        began = time.monotonic()
        self._loads = {r["recipient"]: r["open"] for r in await connection.fetch(SQL["loads"])}
        age = max(MAX_AGE_S, LOADS_COST * (time.monotonic() - began))
        self._count_at = began + min(LOADS_MAX_AGE_S, age)

    @property
    def webhooks(self) -> frozenset[str]:
        """The organizations that want a signed webhook."""
        return self._webhooks

    def adopt(self, work: Work) -> None:
        """After the commit: loads and standings as the batch left them."""
        self._loads = work.loads
        self._standings.absorb(work.standings)

    def forget(self) -> None:
        """Read everything anew next time, as after a failed batch."""
        self._read_at = self._count_at = float("-inf")
