"""Sends records to Kafka, idempotently and with acks=all; the one producer of every door and of the relay.

A send is acknowledged only when the broker has it. After a fatal producer error the producer is made anew.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import RecordMetadata

from infra.kafka import KafkaLogin
from producers.envelope import Record
from referrals import ids


class BrokerAway(ConnectionError):
    """The broker did not take the records in time; they may or may not be in the log: send them again."""


class NotPermitted(PermissionError):
    """The broker refuses this login to write that topic; ask the operator for access."""


class TooLarge(ValueError):
    """The record is larger than the broker takes; send less."""


class RecordProducer:
    """An idempotent producer that places records by lane. `async with RecordProducer(login) as producer`."""

    def __init__(self, login: KafkaLogin, client_id: str = "refex", timeout_s: float = 4.0) -> None:
        self._login = login
        self._client_id = client_id
        self._timeout_s = timeout_s
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "RecordProducer":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, records: Sequence[Record]) -> list[RecordMetadata]:
        """Send all, wait until the broker has all; raises BrokerAway, NotPermitted or TooLarge."""
        try:
            async with asyncio.timeout(self._timeout_s):
                producer = await self._started()
                futures = [await self._enqueue(producer, record) for record in records]
                return list(await asyncio.gather(*futures))
        except MessageSizeTooLargeError as error:
            raise TooLarge("the record is larger than the broker takes (1 MiB); send less") from error
        except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
            raise NotPermitted(f"the broker refused the write ({type(error).__name__})") from error
        except (TimeoutError, KafkaError, OSError) as error:
            self._discard()
            raise BrokerAway(f"the broker did not acknowledge ({type(error).__name__}); try again") from error

    def _discard(self) -> None:
        """The next send opens a new producer; this one ends in its own time, the caller does not wait for it."""
        producer, self._producer = self._producer, None
        if producer is not None:
            ending = asyncio.create_task(self._end(producer))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

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
        self._discard()
        await asyncio.gather(*self._ending)

    async def _end(self, producer: AIOKafkaProducer) -> None:
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(self._timeout_s):
                await producer.stop()
