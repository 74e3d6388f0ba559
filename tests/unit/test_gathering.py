"""What arrives while a batch is being written joins the next one; a batch that waits for nobody waits for nothing."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.kafka import KafkaLogin
from stream_processors.batch_size import LEAST
from stream_processors.decode import Raw
from stream_processors.exchange import Applied
from stream_processors.inbox import Inbox
from stream_processors.runs import Consumed, Place, Run, counted

PLACE = TopicPartition("intake.a", 0)
AT = datetime(2026, 11, 2, tzinfo=UTC)


class Read:
    """A step that keeps what it is shown."""

    def read(self, raw: Consumed) -> Raw:
        return cast(Raw, raw)

    async def write(self, batch: Sequence[Run[Raw]], holes: frozenset[Place]) -> Applied:
        raise AssertionError("nothing is written here")


class Log:
    """Gives so many records at each call, one call after the other; `written` is set before the last."""

    def __init__(self, *counts: int) -> None:
        self._counts, self._next = list(counts), 0
        self.written = asyncio.Event()

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Raw]]:
        count = min(self._counts.pop(0), max_records)
        if len(self._counts) <= 1:
            self.written.set()
        first, self._next = self._next, self._next + count
        return (
            {PLACE: [Raw(PLACE.topic, PLACE.partition, n, b"k", b"v", AT) for n in range(first, self._next)]}
            if count
            else {}
        )

    @property
    def left(self) -> int:
        return len(self._counts)


async def gathered(log: Log, writing: bool = True) -> int:
    """How many records one turn of the inbox has."""
    made: Inbox[Any] = Inbox(KafkaLogin(bootstrap="none:1"), cast(Any, None), Read(), 0)
    made._open, made.reassigned = {PLACE}, False
    made._writing = asyncio.create_task(cast(Any, log.written.wait())) if writing else None
    consumer = cast(AIOKafkaConsumer, log)
    read = await made._take(consumer, 200, LEAST)
    async with asyncio.timeout(5):  # one that never ends fails
        await made._gather(consumer, read)
    return counted(read)


async def test_what_arrives_until_the_batch_before_is_written_is_in_the_next() -> None:
    log = Log(1, 2, 0, 4, 0)
    assert await gathered(log) == 7 and log.left == 0


async def test_a_batch_that_waits_for_nobody_is_taken_as_it_is() -> None:
    log = Log(1, 5, 5)
    assert await gathered(log, writing=False) == 1 and log.left == 2


async def test_no_batch_is_larger_than_one_may_be() -> None:
    log = Log(LEAST - 3, 10, 10)
    assert await gathered(log) == LEAST and log.left == 1


async def test_while_nothing_has_come_nothing_is_gathered() -> None:
    log = Log(0, 5)
    assert await gathered(log) == 0 and log.left == 1
