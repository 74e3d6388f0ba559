"""Looks at the inbox from outside: has its log become another, does it stand still while there is work?

Comes in: the inbox, Postgres' offsets, the log's ends. Goes out: the inbox places its partitions anew, or the process
ends so that its supervisor starts another. Silent while Postgres or the broker is away, or an operator holds it back.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.kafka import KafkaLogin
from infra.kafka_identity import identity
from stream_processors.inbox import Inbox
from stream_processors.patience import may_pass
from stream_processors.progress import SQL, Stopped, judge

EVERY_S = 10.0
STILL_S = 90.0
log = structlog.get_logger()


class StandsStill(RuntimeError):
    """No partition has moved for so long although records wait: end this process, another takes over."""


class Stall:
    """Decides from samples whether everything stands still: next offsets the same, and the log beyond them."""

    def __init__(self, still_s: float = STILL_S) -> None:
        self._still_s = still_s
        self._before: Mapping[Any, int] = {}
        self._since = 0.0

    def sample(self, now: float, offsets: Mapping[Any, int], ends: Mapping[Any, int], excused: bool) -> bool:
        """Whether it has stood still for too long; `excused`: it is waiting for Postgres."""
        waits = any(ends.get(place, 0) > offset for place, offset in offsets.items())
        if excused or not waits or dict(offsets) != self._before:
            self._before, self._since = dict(offsets), now
        return now - self._since > self._still_s


class Watch:
    """`run` beside the inbox of one worker."""

    def __init__(self, login: KafkaLogin, pool: asyncpg.Pool, inbox: Inbox[Any]) -> None:
        self._login = login
        self._pool = pool
        self._inbox = inbox
        self._stall = Stall()

    async def run(self) -> None:
        """For ever; raises StandsStill."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._look()
            except Exception as error:
                if isinstance(error, StandsStill) or not (may_pass(error) or isinstance(error, TimeoutError)):
                    raise
                self._stall = Stall()

    async def _look(self) -> None:
        """The rows first, then the log: what is read later can only be further."""
        places = sorted(self._inbox.open)
        if not places:
            return
        topics, numbers = [p.topic for p in places], [p.partition for p in places]
        rows = {
            TopicPartition(r["topic"], r["partition"]): dict(r)
            for r in await self._pool.fetch(SQL["rows"], topics, numbers)
        }
        first, last = await self._ends(places)
        who = await asyncio.to_thread(identity, self._login, set(topics))
        wrong = [p for p in places if isinstance(judge(rows[p], p.topic, who, first[p], last[p]), Stopped)]
        if wrong:
            log.warning("the log is not the one it was", topic=wrong[0].topic, partition=wrong[0].partition)
            self._inbox.reassigned = True  # it judges again, with nothing in flight, and stops what must stop
        offsets = {p: int(row["next_offset"]) for p, row in rows.items()}
        if self._stall.sample(time.monotonic(), offsets, last, self._inbox.retrying):
            raise StandsStill(f"{len(places)} partitions have not moved for {STILL_S:.0f} s; starting anew")

    async def _ends(
        self, places: Collection[TopicPartition]
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        consumer = AIOKafkaConsumer(
            **self._login.aiokafka(), enable_auto_commit=False, isolation_level="read_committed"
        )
        await consumer.start()
        try:
            return await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        finally:
            await consumer.stop()
