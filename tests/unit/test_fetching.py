"""While a batch is written what arrives is gathered; once it is written nothing is waited for, and nothing is lost."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition

from stream_processors.fetching import Fetched, sooner

PLACE = TopicPartition("intake.a", 0)


async def _fetch(log: list[Any], arrives: asyncio.Event) -> Fetched:
    """As the consumer does: waits without holding anything, then takes what is there in one step."""
    await arrives.wait()
    return {PLACE: [log.pop(0)]}


async def _done(event: asyncio.Event) -> None:
    await event.wait()


async def test_what_arrives_while_a_batch_is_written_is_given() -> None:
    arrives, log = asyncio.Event(), [1]
    writing = asyncio.create_task(_done(asyncio.Event()))
    arrives.set()
    assert await sooner(_fetch(log, arrives), writing) == {PLACE: [1]}
    writing.cancel()


async def test_once_the_batch_is_written_nothing_is_waited_for_and_the_records_stay() -> None:
    arrives, written, log = asyncio.Event(), asyncio.Event(), [1]
    writing = asyncio.create_task(_done(written))
    written.set()
    assert await sooner(_fetch(log, arrives), writing) == {}
    arrives.set()
    assert log == [1]


async def test_both_at_once_lose_nothing() -> None:
    arrives, written, log = asyncio.Event(), asyncio.Event(), [1]
    writing = asyncio.create_task(_done(written))
    arrives.set()
    written.set()
    found = await sooner(_fetch(log, arrives), writing)
    assert [*found.get(PLACE, []), *log] == [1]


async def test_a_fetch_that_fails_says_so() -> None:
    async def failing() -> Fetched:
        raise OSError("the broker is away")

    writing = asyncio.create_task(_done(asyncio.Event()))
    with pytest.raises(OSError, match="away"):
        await sooner(failing(), writing)
    writing.cancel()
