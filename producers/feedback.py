"""The other half of the SDK: what a sender hears back, in order per referral, from its own feedback topic.

Comes in: the sender's login. Goes out: Feedback, each committed only after the consumer asked for the next.
Must never skip a record: what cannot be read is raised, not dropped.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from avro_schemas import codec, topics
from producers.publisher import participant_login

SCHEMA = "feedback_given.v1"
POLL_MS = 1000
BACKOFF_S = 1.0
COMMIT_EVERY_S = 1.0


class Feedback(Struct, frozen=True, kw_only=True):
    """One fact about a referral of the sender, or the refusal of a record (`topic`, `partition`, `offset` name it)."""

    event_id: str
    occurred_at: datetime
    at: datetime
    type: str
    referral_id: str
    version: int
    status: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    data: dict[str, Any]

    @property
    def is_refusal(self) -> bool:
        """Whether the exchange did not take what was sent."""
        return self.type in ("command-rejected", "record-refused")


class FeedbackReader:
    """Reads a sender's feedback; readers with the same `name` share the work and continue where it ended.

    async with FeedbackReader(
        bootstrap="kafka.example.org:9093", organization="bay-clinic", username="bay-clinic", password=secret
    ) as reader:
        async for fact in reader:
            print(fact.referral_id, fact.version, fact.status)
    """

    def __init__(
        self,
        *,
        bootstrap: str,
        organization: str,
        username: str | None = None,
        password: str | None = None,
        name: str = "reader",
        from_start: bool = True,
        security_protocol: str | None = None,
        mechanism: str = "SCRAM-SHA-256",
        ca_file: str | None = None,
    ) -> None:
        """`from_start` says where a reader of a new `name` begins: with everything kept, or with what comes now."""
        login = participant_login(bootstrap, username, password, security_protocol, mechanism, ca_file)
        self._consumer = AIOKafkaConsumer(
            topics.feedback(organization),
            **login.aiokafka(),
            client_id=f"{organization}-feedback",
            group_id=f"feedback.{organization}.{name}",
            enable_auto_commit=False,
            auto_offset_reset="earliest" if from_start else "latest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=3_000,
        )
        self._buffer: deque[tuple[TopicPartition, Any]] = deque()
        self._current: tuple[TopicPartition, int] | None = None
        self._handled: dict[TopicPartition, int] = {}
        self._committed_at = time.monotonic()

    async def __aenter__(self) -> "FeedbackReader":
        """Join; raises ConnectionError when the broker is away and PermissionError when it refuses the login."""
        try:
            await self._consumer.start()
        except KafkaError as error:
            await self._consumer.stop()
            if "Authorization" in type(error).__name__:
                raise PermissionError(f"the broker refuses this login ({type(error).__name__})") from error
            raise ConnectionError(
                f"the broker does not answer ({error}); check address and password"
            ) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._settle()
        await self._commit()
        await self._consumer.stop()

    def __aiter__(self) -> "FeedbackReader":
        return self

    async def __anext__(self) -> Feedback:
        """The next fact. Asking for it says that the one before was handled; only handled ones are committed."""
        self._settle()
        if not self._buffer or time.monotonic() - self._committed_at > COMMIT_EVERY_S:
            await self._commit()
        while not self._buffer:
            await self._fill()
        place, record = self._buffer.popleft()
        self._current = (place, record.offset + 1)
        return read(record.value)

    def _settle(self) -> None:
        if self._current is not None:
            place, offset = self._current
            self._handled[place] = offset
            self._current = None

    async def _fill(self) -> None:
        try:
            batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=500)
        except KafkaError as error:
            if "Authorization" in type(error).__name__:
                raise PermissionError(f"the broker refuses this login ({type(error).__name__})") from error
            await asyncio.sleep(BACKOFF_S * random.uniform(0.5, 1.5))
            return
        self._buffer.extend((place, record) for place, records in batches.items() for record in records)

    async def _commit(self) -> None:
        """A commit that fails (a rebalance, a broker restart) is no loss: the facts come again."""
        handled, self._handled = self._handled, {}
        self._committed_at = time.monotonic()
        if handled:
            with contextlib.suppress(KafkaError, TimeoutError):
                await self._consumer.commit(handled)


def read(value: bytes | None) -> Feedback:
    """The feedback a record holds; raises CodecError."""
    schema, fields = codec.decode(value, topics.LARGEST_TOLD)
    if schema != SCHEMA:
        raise codec.CodecError("undecodable", f"{schema} is no feedback; update the SDK")
    data = msgspec.json.decode(fields["data"], type=dict[str, Any]) if fields["data"] else {}
    times = {k: datetime.fromtimestamp(fields[k] / 1000, UTC) for k in ("occurred_at", "at")}
    return Feedback(**(fields | times | {"data": data}))
