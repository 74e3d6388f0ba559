"""Sends records to Kafka, idempotently and with acks=all; the one producer of every door and of the relay.

A send is acknowledged only when the broker has it. After a fatal producer error the producer is made anew.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from aiokafka.structs import RecordMetadata

from infra.kafka import KafkaLogin
from producers.envelope import Record
from referrals import ids


class BrokerAway(ConnectionError):
    """The broker did not take the records in time; they may or may not be in the log: send them again."""


class NotPermitted(PermissionError):
    """The broker refuses this login to write that topic; ask the operator for access."""


class RecordProducer:
    """An idempotent producer that places records by lane. `async with RecordProducer(login) as producer`."""

    def __init__(self, login: KafkaLogin, client_id: str = "refex", timeout_s: float = 4.0) -> None:
        self._login = login
        self._client_id = client_id
        self._timeout_s = timeout_s
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> "RecordProducer":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, records: Sequence[Record]) -> list[RecordMetadata]:
        """Send all, wait until the broker has all; raises BrokerAway or NotPermitted."""
        try:
            async with asyncio.timeout(self._timeout_s):
                producer = await self._started()
                futures = [await self._enqueue(producer, record) for record in records]
                return list(await asyncio.gather(*futures))
        except PermissionError:
            raise
        except (TimeoutError, KafkaError, OSError) as error:
            await self._translate(error)
            raise AssertionError("unreachable") from error

    async def _translate(self, error: Exception) -> None:
        await self.close()
        if "Authorization" in type(error).__name__:
            raise NotPermitted(f"the broker refused the write ({type(error).__name__})") from error
        raise BrokerAway(f"the broker did not acknowledge ({type(error).__name__}); try again") from error

    async def _enqueue(self, producer: AIOKafkaProducer, record: Record) -> "asyncio.Future[RecordMetadata]":
        partitions = await producer.partitions_for(record.topic)
        future: asyncio.Future[RecordMetadata] = await producer.send(
            record.topic,
            key=record.key,
            value=record.value,
            partition=ids.partition(record.lane, len(partitions)),
            headers=record.headers,
        )
        return future

    async def _started(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._login.aiokafka(),
                    client_id=self._client_id,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=2,
                    request_timeout_ms=int(self._timeout_s * 1000),
                    retry_backoff_ms=50,
                )
                try:
                    await producer.start()
                except BaseException:
                    with contextlib.suppress(Exception):
                        await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def close(self) -> None:
        """Flush and close; a later send opens a new one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaConnectionError, KafkaTimeoutError, KafkaError, TimeoutError):
                async with asyncio.timeout(self._timeout_s):
                    await producer.stop()
