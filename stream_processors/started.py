"""The inbox's consumer, started and stopped: whoever holds it may wait for a broker that is away.

Comes in: a consumer. Goes out: the same, started. Must never leave it running.
"""

import asyncio
import contextlib

import stamina
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

UNTIL_IT_IS = stamina.AsyncRetryingCaller(attempts=None, timeout=None, wait_initial=0.1, wait_max=3.0)


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
