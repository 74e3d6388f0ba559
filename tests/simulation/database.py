"""A database in memory, as far as the product's statements need one: transactions, row locks, advisory locks, NOTIFY.

Comes in: statements (their text), as asyncpg takes them. Goes out: rows. READ COMMITTED: a statement sees what is
committed when it runs, and what its own transaction wrote; who writes a row holds it until the end of its transaction.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import asyncpg

from tests.simulation.processes import Killed, Process

Row = dict[str, Any]
Key = tuple[Any, ...]
Tables = dict[str, dict[Key, Row]]
KEYS: dict[str, tuple[str, ...]] = {
    "progress": ("topic", "partition"),
    "lane": ("lane",),
    "inbox": ("tenant", "event_id"),
    "history": ("lane", "lane_seq"),
    "referral": ("id",),
    "hop": ("referral_id", "number"),
    "deadline": ("referral_id", "kind"),
    "stream": ("kind", "id"),
    "service": ("id",),
    "directory_version": ("one",),
    "directory_change": ("id",),
    "service_record": ("service", "tenant"),
    "service_capacity": ("service", "tenant", "version"),
    "person_lock": ("person_key",),
    "person_key": ("person_key",),
    "key_encryption_key": ("id",),
    "person_consent": ("consent",),
    "person_match": ("key", "person_key"),
    "person_unlinked": ("person_key",),
    "rejected_command": ("tenant", "event_id"),
    "dead_letter": ("id",),
    "parked": ("id",),
    "delivery": ("id",),
    "organization": ("id",),
    "relay_position": ("lane",),
    "audit_chain": ("chain",),
    "audit_record": ("chain", "number"),
    "relay_end": ("relay_group", "topic", "partition"),
}


class Committed(NamedTuple):
    """One transaction that is there for good: when, whose, and the rows it wrote."""

    number: int
    process: str
    written: Tables
    note: Any


class Database:
    """The committed rows, and whoever waits for whom."""

    def __init__(self, statements: dict[str, tuple[str, Callable[..., Any]]]) -> None:
        self.tables: Tables = {name: {} for name in KEYS}
        self.statements = statements
        self.commits: list[Committed] = []
        self.listeners: list[tuple[Process, Callable[..., None]]] = []
        self.advisory: dict[Key, object] = {}
        self._holders: dict[Key, dict[Transaction, bool]] = {}
        self._waiting: dict[Key, list[asyncio.Future[None]]] = defaultdict(list)
        self._transactions = 0
        self.active: dict[int, Transaction] = {}

    def next_id(self) -> int:
        """The id of a new transaction."""
        self._transactions += 1
        return self._transactions

    @property
    def oldest(self) -> int:
        """The oldest transaction that is not over, or the next to begin: what is below it is visible or never was."""
        return min(self.active, default=self._transactions + 1)

    async def lock(self, mine: "Transaction", key: Key, shared: bool) -> None:
        """Hold a row until the transaction ends; raises DeadlockDetectedError for the one who closes a circle."""
        while not self._grant(mine, key, shared):
            mine.waits_for = key
            if self._circle(mine):
                mine.waits_for = None
                raise asyncpg.DeadlockDetectedError("deadlock detected")
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[key].append(waiting)
            await waiting
            mine.waits_for = None
            if mine.over:
                raise Killed

    def _grant(self, mine: "Transaction", key: Key, shared: bool) -> bool:
        holders = self._holders.get(key)
        if holders is None:
            self._holders[key] = {mine: shared}
        elif mine in holders and (shared or not holders[mine]):
            return True
        elif all(other is mine or (shared and theirs) for other, theirs in holders.items()):
            holders[mine] = shared
        else:
            return False
        mine.locks.append(key)
        return True

    def _circle(self, mine: "Transaction") -> bool:
        seen, todo = set(), [mine]
        while todo:
            key = todo.pop().waits_for
            for holder in self._holders.get(key, ()) if key is not None else ():
                if holder is mine:
                    if key != mine.waits_for:
                        return True
                elif holder not in seen:
                    seen.add(holder)
                    todo.append(holder)
        return False

    def _keep(self, mine: "Transaction") -> None:
        for table, rows in mine.written.items():
            base = self.tables[table]
            for key, row in rows.items():
                if row is None:
                    base.pop(key, None)
                else:
                    base[key] = row
        there = {t: {k: r for k, r in rows.items() if r is not None} for t, rows in mine.written.items()}
        self.commits.append(Committed(len(self.commits) + 1, mine.process.name, there, mine.note))

    def end(self, mine: "Transaction", commit: bool) -> None:
        """Make its rows visible or forget them; let go of what it held."""
        if mine.over:
            return
        mine.over = True
        self.active.pop(mine.id, None)
        if commit and mine.written:
            self._keep(mine)
        for key in mine.locks:
            holders = self._holders.get(key, {})
            holders.pop(mine, None)
            if not holders:
                self._holders.pop(key, None)
            for waiting in self._waiting.pop(key, ()):
                if not waiting.done():
                    waiting.set_result(None)


class Transaction:
    """What one transaction wrote and holds."""

    def __init__(self, database: Database, process: Process) -> None:
        self.database = database
        self.process = process
        self.id = database.next_id()
        self.written: dict[str, dict[Key, Row | None]] = {}
        self.locks: list[Key] = []
        self.waits_for: Key | None = None
        self.over = False
        self.note: Any = None
        database.active[self.id] = self

    def get(self, table: str, *key: Any) -> Row | None:
        """One row as this transaction sees it."""
        mine = self.written.get(table)
        if mine is not None and key in mine:
            return mine[key]
        return self.database.tables[table].get(key)

    def rows(self, table: str) -> Iterator[Row]:
        """Every row as this transaction sees it, in the order they were made."""
        mine = self.written.get(table, {})
        for key, row in self.database.tables[table].items():
            if key not in mine:
                yield row
        for changed in mine.values():
            if changed is not None:
                yield changed

    async def lock(self, table: str, *key: Any, shared: bool = False) -> None:
        """Hold a row, whether it exists or not."""
        await self.database.lock(self, (table, *key), shared)

    async def put(self, table: str, row: Row) -> None:
        """Insert or replace a row."""
        key = tuple([row[c] for c in KEYS[table]])
        await self.lock(table, *key)
        self.written.setdefault(table, {})[key] = row

    async def remove(self, table: str, *key: Any) -> None:
        """Delete a row."""
        await self.lock(table, *key)
        self.written.setdefault(table, {})[key] = None

    async def insert(self, table: str, row: Row, lenient: bool = False) -> bool:
        """A new row; if its key is there, nothing happens (`lenient`) or UniqueViolationError is raised."""
        key = tuple([row[c] for c in KEYS[table]])
        await self.lock(table, *key)
        if self.get(table, *key) is None:
            self.written.setdefault(table, {})[key] = row
            return True
        if lenient:
            return False
        error = asyncpg.UniqueViolationError(f"{table} has {key}")
        error.table_name = f"{table}_0" if table in ("inbox", "history") else table
        raise error
