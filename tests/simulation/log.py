"""A log in memory, with clients as aiokafka's: topics in partitions, append times, holes, one consumer group.

Comes in: records. Goes out: batches of random size, sometimes records that were read before. A member that was thrown
out goes on with the assignment it knew until it hears of another.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from stream_processors import decode
from stream_processors.decode import Arrival, Poison
from stream_processors.runs import Consumed
from tests.simulation.loop import VirtualLoop
from tests.simulation.processes import Process, current

LOST_AFTER_S = 0.5


class Entry(NamedTuple):
    """One record as a consumer sees it; `timestamp` is the broker's, in milliseconds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: tuple[tuple[str, bytes], ...]


class Log:
    """The broker: what was appended stays, in order, for ever."""

    def __init__(self, loop: VirtualLoop, topics: Iterable[str], partitions: int) -> None:
        self.loop = loop
        self.partitions = partitions
        self.topics: dict[str, list[list[Entry | None]]] = {
            t: [[] for _ in range(partitions)] for t in topics
        }
        self.committed: dict[TopicPartition, int] = {}
        self.members: list[Consumer] = []
        self.on_commit: list[Callable[[TopicPartition, int], None]] = []
        self.generation = 0
        self._arrived: list[asyncio.Future[None]] = []
        self._read: dict[tuple[str, int, int], Arrival | Poison] = {}

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> Entry:
        """Take one record; it has its place and its time from now on."""
        there = self.topics[topic][partition]
        at = int(self.loop.now().timestamp() * 1000)
        entry = Entry(topic, partition, len(there), key, value, at, tuple(headers))
        there.append(entry)
        self._wake()
        return entry

    def read(self, raw: Consumed, opener: object = None) -> Arrival | Poison:
        """What the product reads in a record, read once: the same bytes say the same."""
        place = (raw.topic, raw.partition, raw.offset)
        if place not in self._read:
            self._read[place] = decode.read(raw)
        return self._read[place]

    def hole(self, topic: str, partition: int) -> None:
        """An offset that no record has, as transactions and compaction leave them."""
        self.topics[topic][partition].append(None)

    def _wake(self) -> None:
        waiting, self._arrived = self._arrived, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def arrival(self, timeout_s: float) -> None:
        """Until something is appended, or so long."""
        waiting: asyncio.Future[None] = self.loop.create_future()
        self._arrived.append(waiting)
        await asyncio.wait((waiting,), timeout=timeout_s)

    def end(self, place: TopicPartition) -> int:
        """The offset of what comes next."""
        return len(self.topics[place.topic][place.partition])

    def counts(self, *_: object) -> dict[str, int]:
        """Every topic with its number of partitions."""
        return dict.fromkeys(self.topics, self.partitions)

    def entries(self, matching: Callable[[str], object]) -> list[Entry]:
        """Every record of some topics, topic by topic, partition by partition, in order."""
        return [
            entry
            for topic, places in self.topics.items()
            if matching(topic)
            for place in places
            for entry in place
            if entry is not None
        ]

    def rebalance(self) -> None:
        """Give every partition to one of the members that live and answer; each hears of it in its own time."""
        self.generation += 1
        now = self.loop.time()
        live = [m for m in self.members if m.process.alive and m.process.paused_until - now < LOST_AFTER_S]
        given: dict[Consumer, set[TopicPartition]] = {m: set() for m in live}
        for topic in sorted(self.topics):
            for number in range(self.partitions) if live else ():
                member = live[number * len(live) // self.partitions]
                if member.pattern is not None and member.pattern.match(topic):
                    given[member].add(TopicPartition(topic, number))
        for member, places in given.items():
            wait = member.process.random.random() * 0.05
            self.loop.call_later(wait, member.reassign, self.generation, places)


class Consumer:
    """Stands for AIOKafkaConsumer."""

    def __init__(self, log: Log, **settings: Any) -> None:
        self._log = log
        self.process: Process = current()
        self.pattern: re.Pattern[str] | None = None
        self._listener: Any = None
        self._coordinator = SimpleNamespace(member_id=f"{self.process.name} {log.generation}")
        self._assigned: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self._positions: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        await self.process.point("consumer start")

    async def stop(self) -> None:
        if self in self._log.members:
            self._log.members.remove(self)
            self._log.rebalance()

    def subscribe(self, pattern: str, listener: Any) -> None:
        """Join the group."""
        self.pattern, self._listener = re.compile(pattern), listener
        self._log.members.append(self)
        self.process.at_death.append(self._lost)
        self._log.rebalance()

    def _lost(self) -> None:
        if self in self._log.members:
            self._log.members.remove(self)
            self._log.loop.call_later(0.1, self._log.rebalance)

    def reassign(self, generation: int, places: set[TopicPartition]) -> None:
        """What the group's leader decided, unless this member cannot hear it now; then when it can."""
        wait = self.process.paused_until - self._log.loop.time()
        if wait > 0:
            self._log.loop.call_later(wait + 0.05, self._log.rebalance)
            return
        if not self.process.alive or generation < self._log.generation or places == self._assigned:
            return
        self._listener.on_partitions_revoked(self._assigned)
        new = places - self._assigned
        self._assigned, self._paused = set(places), set()
        self._positions = {p: o for p, o in self._positions.items() if p in places and p not in new}
        self._listener.on_partitions_assigned(places)

    def assign(self, places: Iterable[TopicPartition]) -> None:
        self._assigned = set(places)

    def assignment(self) -> set[TopicPartition]:
        return set(self._assigned)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._positions[place] = offset

    def pause(self, place: TopicPartition) -> None:
        self._paused.add(place)

    def resume(self, place: TopicPartition) -> None:
        self._paused.discard(place)

    async def position(self, place: TopicPartition) -> int:
        return self._positions.get(place, self._log.committed.get(place, 0))

    async def beginning_offsets(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await self.process.point("offsets")
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await self.process.point("offsets")
        return {place: self._log.end(place) for place in places}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        await self.process.point("kafka commit")
        for place, offset in offsets.items():
            self._log.committed[place] = offset
            for watch in self._log.on_commit:
                watch(place, offset)

    async def getmany(self, timeout_ms: int, max_records: int = 500) -> dict[TopicPartition, list[Entry]]:
        await self.process.point("fetch")
        found = self._some(max_records)
        if not found:
            await self._log.arrival(timeout_ms / 1000)
            await self.process.point("fetched")
            found = self._some(max_records)
        return found

    def _some(self, most: int) -> dict[TopicPartition, list[Entry]]:
        random, found = self.process.random, {}
        left = min(most, random.choice((1, 3, 8, 20, 60)))
        places = sorted(self._assigned - self._paused)
        random.shuffle(places)
        for place in places:
            start = self._positions.get(place, self._log.committed.get(place, 0))
            there = self._log.topics[place.topic][place.partition]
            if start >= len(there) or not left:
                continue
            if start and random.random() < 0.02:  # what was read before, once more
                start = random.randrange(start)
            end = min(len(there), start + random.randint(1, left))
            records = [entry for entry in there[start:end] if entry is not None]
            self._positions[place] = end
            left -= len(records)
            if records:
                found[place] = records
        return found


class Producer:
    """Stands for AIOKafkaProducer; a process may lose the answer to what it sent, or the sending itself."""

    def __init__(self, log: Log, **settings: Any) -> None:
        self._log = log
        self._process = current()
        self._largest = settings.get("max_request_size", 1024 * 1024)
        self._broken = False

    async def start(self) -> None:
        await self._process.point("producer start")

    async def stop(self) -> None:
        await self._process.point("producer stop")

    async def partitions_for(self, topic: str) -> set[int]:
        return set(range(len(self._log.topics[topic])))

    async def send(
        self, topic: str, key: bytes, value: bytes, partition: int, headers: Iterable[tuple[str, bytes]]
    ) -> "asyncio.Future[Entry]":
        await self._process.point("send")
        if len(key) + len(value) > self._largest:
            raise MessageSizeTooLargeError
        answer: asyncio.Future[Entry] = self._log.loop.create_future()
        if self._process.loses_sends or self._broken:
            if not self._broken and self._process.loses_sends.pop():
                self._log.append(topic, partition, key, value, headers)
            self._broken = True  # what comes after it would leave a gap in the sequence
            answer.set_exception(KafkaConnectionError())
            answer.exception()  # seen: who sent it may be gone
        else:
            answer.set_result(self._log.append(topic, partition, key, value, headers))
        return answer
