"""The inbox on real Kafka and Postgres: a batch read ahead must not jump over what a hole in the log hid."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from infra.embedded.services import EmbeddedServices
from infra.kafka import KafkaLogin
from infra.migrate import migrate
from infra.postgres import pool
from stream_processors import store
from stream_processors.exchange import Applied
from stream_processors.inbox import Inbox
from stream_processors.progress import fresh
from stream_processors.runs import Consumed, Place, Run
from tests.support.engine import login_of, make_topic

pytestmark = pytest.mark.real
TOPIC, TRANSACTIONS, EACH, TAKEN_BACK = "holes", 6, 1500, 40
END = TRANSACTIONS * (EACH + 1) + TAKEN_BACK + 1
COMMITS_S = 0.05  # a batch is being written so long that the next is there before it has ended
SEEN = "select next_offset as next, (select count(*) from tally) as n from progress"


class Seen(NamedTuple):
    """A record that says nothing but where it stood."""

    raw: Consumed


class Tally:
    """A step that writes down every offset it was given, in the transaction that moves the progress row."""

    def __init__(self, connections: asyncpg.Pool) -> None:
        self._pool = connections
        self._busy = 0
        self.at_once = 0

    def read(self, raw: Consumed) -> Seen:
        return Seen(raw)

    async def write(self, batch: Sequence[Run[Seen]], holes: frozenset[Place]) -> Applied:
        self._busy += 1
        self.at_once = max(self.at_once, self._busy)
        try:
            return await self._written(batch, holes)
        finally:
            self._busy -= 1

    async def _written(self, batch: Sequence[Run[Seen]], holes: frozenset[Place]) -> Applied:
        async with self._pool.acquire() as connection, connection.transaction():
            before = await store.lock_progress(connection, {run.place for run in batch})
            taken, after, gaps = fresh(batch, before, holes)
            offsets = [r.raw.offset for r in taken]
            await connection.execute("insert into tally select unnest($1::bigint[])", offsets)
            await store.save_progress(connection, before, after)
            await asyncio.sleep(COMMITS_S)
        return Applied(after, len(taken), 0, 0, 0, gaps)


@pytest.fixture
async def services(cache_dir: Path) -> AsyncIterator[EmbeddedServices]:
    with tempfile.TemporaryDirectory(prefix="refex-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        async with EmbeddedServices(Path(folder) / "data", cache_dir) as running:
            yield running


async def fill(login: KafkaLogin) -> None:
    """Every transaction ends with a marker: an offset that no consumer is ever given. The last is taken back."""
    producer = AIOKafkaProducer(**login.aiokafka(), transactional_id="holes")
    await producer.start()
    try:
        for _ in range(TRANSACTIONS):
            async with producer.transaction():
                await asyncio.gather(*[await producer.send(TOPIC, b"x", partition=0) for _ in range(EACH)])
        await producer.begin_transaction()
        await asyncio.gather(*[await producer.send(TOPIC, b"x", partition=0) for _ in range(TAKEN_BACK)])
        await producer.abort_transaction()
    finally:
        await producer.stop()


async def test_nothing_behind_a_hole_is_skipped_by_the_batch_read_ahead(services: EmbeddedServices) -> None:
    login, url = login_of(services.kafka), services.postgres.url
    make_topic(login, TOPIC, 1)
    await migrate(url)
    owner = await asyncpg.connect(url)
    await owner.execute("create table tally (at bigint); grant insert on tally to refex_writer")
    await fill(login)
    async with await pool(url, "worker") as connections:
        tally = Tally(connections)
        running = asyncio.create_task(Inbox(login, connections, tally, 0, f"^{TOPIC}$").run())
        try:
            async with asyncio.timeout(60):
                while (seen := await owner.fetchrow(SEEN)) is None or seen["next"] < END:
                    await asyncio.sleep(0.1)
                    assert seen is None or seen["next"] <= seen["n"] + END - TRANSACTIONS * EACH, (
                        "records were stepped over"
                    )
                    assert not running.done()
                    assert tally.at_once <= 1, "no batch is written before the one before it is committed"
        finally:
            running.cancel()
            await asyncio.wait({running})
    assert seen["n"] == TRANSACTIONS * EACH
    assert await owner.fetchval("select count(distinct at) = count(*) from tally")
    await owner.close()
