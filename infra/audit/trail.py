"""The chain of one writing process since its start: records go in with the transaction they tell of.

Comes in: bodies, in a transaction of the caller's. Goes out: rows and a moved head. Must never take a number twice:
the head moves by compare-and-set.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from infra.audit import chain, records
from infra.audit.chain import Head
from infra.audit.records import Record
from infra.postgres import Connection, affected, queries

SQL = queries("infra.audit", "audit.sql")


class Moved(ConnectionError):
    """Another transaction of this process moved the head first: read it again and repeat."""


class Trail:
    """`await trail.add(connection, records)` in the transaction, `trail.adopt()` after its commit, else `forget()`."""

    def __init__(self, writer: str, id: UUID, started_at: datetime) -> None:
        self.chain = f"{writer}-{id}"
        self._started_at = started_at
        self._head: Head | None = None
        self._pending: Head | None = None

    async def add(self, connection: Connection, found: Sequence[Record]) -> None:
        """Add the records to the caller's transaction, once in each. Raises Moved."""
        head = self._head or await self._read(connection)
        bodies = [records.body(record) for record in found]
        links, after = chain.extend(head, zip((r.kind for r in found), bodies, strict=True))
        done = await connection.execute(
            SQL["grow"],
            self.chain,
            after.length,
            after.hash,
            head.length,
            [link.number for link in links],
            [record.kind for record in found],
            [record.at for record in found],
            [record.tenant for record in found],
            bodies,
            [link.hash for link in links],
        )
        if affected(done) != len(links):
            self.forget()
            raise Moved("the head of this process's audit chain moved; try again")
        await self._disclose(connection, links, found)
        self._pending = after

    def adopt(self) -> None:
        """The transaction is committed; without effect where nothing was added."""
        self._head, self._pending = self._pending or self._head, None

    def forget(self) -> None:
        """What became of the transaction is not known: the head is read anew."""
        self._head = self._pending = None

    async def _read(self, connection: Connection) -> Head:
        await connection.execute(SQL["begin"], self.chain, self._started_at, chain.EMPTY)
        row = await connection.fetchrow(SQL["head"], self.chain)
        assert row is not None
        return Head(self.chain, row["length"], row["head"])

    async def _disclose(
        self, connection: Connection, links: Sequence[chain.Link], found: Sequence[Record]
    ) -> None:
        """Index what was shown of whom to another organization than the sender's."""
        shown = [
            (
                *(self.chain, link.number, UUID(o.id), o.person, o.owner, record.tenant, record.at),
                *(o.shown, o.basis, o.rule, record.action, record.purpose),
            )
            for link, record in zip(links, found, strict=True)
            if isinstance(record, records.Request) and record.status < 400
            for o in record.objects
            if o.kind == "referral" and o.person is not None and o.owner not in (None, record.tenant)
        ]
        if shown:
            await connection.execute(SQL["disclose"], *(list(column) for column in zip(*shown, strict=True)))
