"""Workers for the races of integration tests, each with a partition of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from infra.postgres import pool
from producers.envelope import Record
from stream_processors.decode import Raw
from stream_processors.exchange import Exchange, is_transient
from tests.support.api import Api
from tests.support.vault import vault


class Worker:
    """One exchange that reads partitions of its own, as a worker does; a deadlock or a lost race is tried again."""

    def __init__(self, connections: asyncpg.Pool, partition: int, match_secret: bytes | None = None) -> None:
        self._exchange = Exchange(connections, vault(), match_secret)
        self._partition = partition
        self._offsets: dict[str, int] = {}

    async def apply(self, *records: Record, lead: float = 0.0) -> None:
        """One batch of records, after `lead` seconds."""
        await asyncio.sleep(lead)
        batch = []
        for record in records:
            offset = self._offsets.get(record.topic, 0)
            self._offsets[record.topic] = offset + 1
            now = datetime.now(UTC)
            batch.append(Raw(record.topic, self._partition, offset, record.key, record.value, now))
        while True:
            try:
                await self._exchange.apply(batch)
                return
            except Exception as error:
                if not is_transient(error):
                    raise


@asynccontextmanager
async def two_workers(
    api: Api, *topics: str, match_secret: bytes | None = None
) -> AsyncIterator[tuple[Worker, Worker]]:
    """Two workers on the database of an API; the first reads partition 1 of the topics, the second partition 2."""
    async with (
        await pool(api.url, "worker") as one,
        await pool(api.url, "worker") as other,
        api.owner() as owner,
    ):
        for topic in topics:
            for partition in (1, 2):
                await owner.execute(
                    "insert into progress values ($1, $2, 0, 'cluster', 'topic')", topic, partition
                )
        yield Worker(one, 1, match_secret), Worker(other, 2, match_secret)
