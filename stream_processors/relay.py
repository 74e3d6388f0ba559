"""History -> topics, in lane order, once: one relay per lane group, idempotent producer, tail scan on start.

Comes in: rows of history above each lane's position. Goes out: referral.event, exchange.event, feedback.*,
dead-letter. The position moves only after the broker has everything (reliability.md, "what goes wrong" 4).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from avro_schemas import topics
from infra import crash_points
from infra.kafka import KafkaLogin
from infra.postgres import CHANNEL, queries
from infra.waiting import woken
from referrals import labels
from referrals.ids import LANES, partition
from stream_processors import metrics
from stream_processors.outbox import HEADER, Out, outputs
from stream_processors.patience import IDLE_S, again_and_again, held, meanwhile
from stream_processors.store import columns
from stream_processors.tail import Published, tail

SQL = queries("stream_processors", "relay.sql")
GROUPS = 4
ENDING_S = 5.0
LANE_BYTES = 1024 * 1024  # of one lane in one step: 16 lanes a relay, four relays, one copy each on its way
PACE_S = 0.1  # after a small step: each is a durable commit that the batches' own commits wait beside
SLICE = 32  # facts of a lane made ready before the batches of this process have their turn
SMALL = 200  # facts; after more than these the next step follows at once


class Relay:
    """The relay of one lane group (lanes with lane mod 4 = group); whoever holds its advisory lock works."""

    def __init__(self, url: str, login: KafkaLogin, group: int) -> None:
        self._url = url
        self._login = login
        self._group = group
        self._lanes = [n for n in range(LANES) if n % GROUPS == group]
        self._wake = asyncio.Event()
        self._moved = 0

    async def run(self) -> None:
        """For ever: take the lock, scan the tail, publish; after any failure let go and begin anew."""
        await again_and_again(f"relay {self._group}", self._session)

    async def _session(self) -> None:
        async with held(self._url, "relay", SQL["try_lock"], self._group) as connection:
            if connection is None:
                return
            crash_points.here("relay.held")
            await connection.add_listener(CHANNEL, lambda *_: self._wake.set())
            async with _producer(self._login, connection) as producer:
                ends = {
                    (r["topic"], r["partition"]): r["end_offset"]
                    for r in await connection.fetch(SQL["ends"], self._group)
                }
                published = await tail(self._login, ends, frozenset(self._lanes))
                crash_points.here("relay.scanned")
                while True:
                    self._wake.clear()
                    if not await self._step(connection, producer, published):
                        await woken(self._wake, IDLE_S)
                    elif self._moved < SMALL:
                        await asyncio.sleep(PACE_S)

    async def _step(
        self, connection: asyncpg.Connection, producer: AIOKafkaProducer, published: Published
    ) -> bool:
        """Publish what is pending and move the positions; whether there was anything."""
        positions = await connection.fetch(SQL["positions"], self._lanes)
        wanted = columns([(r["lane"], r["next_seq"]) for r in positions])
        rows = await connection.fetch(SQL["pending"], *wanted, LANE_BYTES)
        if not rows:
            return False
        crash_points.here("relay.selected")
        readers = frozenset(r["id"] for r in await connection.fetch(SQL["feedback_readers"]))
        said = await _labels(connection, rows, readers)
        dead = {row["stream_id"]: found for row in rows if (found := await self._dead(connection, row))}
        leaving = (
            (row["lane"], row["lane_seq"], out)
            for row in rows
            for out in outputs(dict(row), readers, dead.get(row["stream_id"]), said.get(row["stream_id"], ()))
            if (out.topic, row["lane"], row["lane_seq"]) not in published
        )
        sent = await meanwhile(connection, _enqueued(producer, leaving))
        crash_points.here("relay.enqueued")
        ends: dict[tuple[str, int], int] = {}
        for done in await meanwhile(connection, asyncio.gather(*sent)):
            place = (done.topic, done.partition)
            ends[place] = max(ends.get(place, 0), done.offset + 1)
        crash_points.here("relay.published")
        await self._move(connection, rows, ends)
        crash_points.here("relay.moved")
        self._moved = len(rows)
        metrics.RELAYED.inc(self._moved)
        return True

    async def _dead(self, connection: asyncpg.Connection, row: Any) -> dict[str, Any] | None:
        if row["type"] != "record-refused":
            return None
        found = await connection.fetchrow(SQL["dead_letter"], row["stream_id"])
        return dict(found) if found else None

    async def _move(
        self, connection: asyncpg.Connection, rows: list[Any], ends: dict[tuple[str, int], int]
    ) -> None:
        newest = {r["lane"]: r["lane_seq"] + 1 for r in rows}
        async with connection.transaction():
            await connection.execute(SQL["move"], list(newest), list(newest.values()))
            crash_points.here("relay.half-moved")
            if ends:
                flat = [(topic, number, end) for (topic, number), end in ends.items()]
                await connection.execute(SQL["save_ends"], self._group, *columns(flat))


async def _labels(
    connection: asyncpg.Connection, rows: list[Any], readers: frozenset[str]
) -> dict[UUID, tuple[str, ...]]:
    """The sensitivity of the referrals that somebody is told of."""
    told = {row["stream_id"] for row in rows if row["kind"] == "referral" and row["sender"] in readers}
    found = await connection.fetch(SQL["labels"], list(told)) if told else []
    return {r["id"]: labels.holding(r["sensitivity"], r["domain"]) for r in found}


@contextlib.asynccontextmanager
async def _producer(login: KafkaLogin, connection: asyncpg.Connection) -> AsyncIterator[AIOKafkaProducer]:
    """Ends when all that was sent has arrived or failed, however long the broker is away; the lock is held until then.

    Else it would arrive behind the next session's tail scan, and be there twice. Only a process that ends waits less.
    """
    patience = None
    producer = AIOKafkaProducer(
        **login.aiokafka(),
        client_id="refex-relay",
        acks="all",
        enable_idempotence=True,
        linger_ms=1,
        max_request_size=topics.LARGEST_TOLD,
    )
    try:
        await producer.start()
        yield producer
    except asyncio.CancelledError:
        patience = ENDING_S
        raise
    finally:
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(patience):
                await meanwhile(connection, producer.stop())


async def _enqueued(producer: AIOKafkaProducer, wanted: Iterable[tuple[int, int, Out]]) -> list[Any]:
    """What is on its way then, made ready one by one; waits where the broker takes no more."""
    return [await _send(producer, lane, lane_seq, out) for lane, lane_seq, out in wanted]


async def _send(producer: AIOKafkaProducer, lane: int, lane_seq: int, out: Out) -> Any:
    if lane_seq % SLICE == 0:
        await asyncio.sleep(0)
    count = len(await producer.partitions_for(out.topic))
    headers = [(HEADER, f"{lane}:{lane_seq}".encode())]
    return await producer.send(
        out.topic, key=out.key, value=out.value, partition=partition(lane, count), headers=headers
    )
