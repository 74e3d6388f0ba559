"""How the inbox's consumer is started, stopped, and asked for more while a batch is being written.

Comes in: a consumer; a fetch and the task that writes. Goes out: what the fetch gave, nothing when the task is done
sooner. Must never lose a record: a fetch that is given up leaves its records with the consumer, for the next one.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import stamina
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

UNTIL_IT_IS = stamina.AsyncRetryingCaller(attempts=None, timeout=None, wait_initial=0.1, wait_max=3.0)
Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]


class Started:
    """A consumer that is started, retrying while the broker is away, and always stopped."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def __aenter__(self) -> AIOKafkaConsumer:
        await UNTIL_IT_IS.on((KafkaError, OSError))(self._consumer.start)
        return self._consumer

    async def __aexit__(self, *error: object) -> None:
        with contextlib.suppress(KafkaError, asyncio.TimeoutError):
            await self._consumer.stop()


async def sooner(fetch: Coroutine[Any, Any, Fetched], writing: "asyncio.Task[Any]") -> Fetched:
    """What `fetch` gives before `writing` is done, whether or not that succeeds."""
    fetching = asyncio.create_task(fetch)
    try:
        await asyncio.wait({fetching, writing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        fetching.cancel()  # has no effect on one that is done
    await asyncio.wait({fetching})
    return {} if fetching.cancelled() else fetching.result()
