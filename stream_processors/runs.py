"""A batch as runs: records of one partition in the order of its log, so that a check looks at a run, not at a record.

Comes in: what the consumer was given, or records in any order. Goes out: runs whose offsets ascend, held as a `range`
exactly when none is missing. Must never call a run whole without having compared every offset.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, groupby
from operator import attrgetter
from typing import Generic, NamedTuple, Protocol, TypeVar

Place = tuple[str, int]


class Consumed(Protocol):
    """A record as the log holds it: the client's own, which is not copied, or a decode.Raw."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int:
        """When the broker appended it, in milliseconds since 1970."""


def appended_at(raw: Consumed) -> datetime:
    """The broker's append time."""
    return datetime.fromtimestamp(raw.timestamp / 1000, UTC)


class Placed(Protocol):
    """Something that was read from a record and knows where in the log that stands."""

    @property
    def raw(self) -> Consumed:
        """The record as it was consumed."""


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = TypeVar("P", bound=Placed)
_offset = attrgetter("offset")


class Run(NamedTuple, Generic[T_co]):
    """What stands at these offsets of one (topic, partition); they ascend, and are a range when none is missing."""

    place: Place
    offsets: Sequence[int]
    records: Sequence[T_co]

    def part(self, start: int, end: int | None = None) -> "Run[T_co]":
        """A slice of it."""
        return Run(self.place, self.offsets[start:end], self.records[start:end])

    def since(self, offset: int) -> "Run[T_co]":
        """Without what stands before an offset."""
        return self if self.offsets[0] >= offset else self.part(bisect_left(self.offsets, offset))

    def unbroken(self, offset: int) -> int:
        """How many of its records, from the first on, stand at this offset and those that follow it."""
        if isinstance(self.offsets, range):
            return len(self.offsets) if self.offsets[0] == offset else 0
        for n, at in enumerate(self.offsets):
            if at != offset + n:
                return n
        return len(self.offsets)


def consumed(place: Place, records: Sequence[Consumed]) -> list[Run[Consumed]]:
    """What the client gave of one partition: one run, or several if it was not in order."""
    return _ascending(place, list(map(_offset, records)), records)


def runs(records: Iterable[P]) -> list[Run[P]]:
    """Records in any order, of any partitions, as runs in the same order."""
    found: list[Run[P]] = []
    for place, together in groupby(records, lambda r: (r.raw.topic, r.raw.partition)):
        same = list(together)
        found += _ascending(place, [r.raw.offset for r in same], same)
    return found


def flat(batch: Iterable[Run[T]]) -> Iterator[T]:
    """The records of all runs, in order."""
    return chain.from_iterable(run.records for run in batch)


def counted(batch: Iterable[Run[T]]) -> int:
    """How many records all runs have."""
    return sum(len(run.records) for run in batch)


def _ascending(place: Place, offsets: list[int], records: Sequence[T]) -> list[Run[T]]:
    if not offsets:
        return []
    whole = range(offsets[0], offsets[0] + len(offsets))
    if offsets == list(whole):
        return [Run(place, whole, records)]
    starts = [n for n in range(1, len(offsets)) if offsets[n] <= offsets[n - 1]]
    ends = zip([0, *starts], [*starts, len(offsets)], strict=True)
    return [Run(place, offsets[start:end], records[start:end]) for start, end in ends]
