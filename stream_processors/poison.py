"""Too much poison stops a partition: a topic must not be emptied into dead letters because its sender, or we, broke.

Comes in: read records in their order. Goes out: those that may be written, and where to stop, with an instruction.
Must never drop a good record: what is cut off is read again when the partition goes on.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from stream_processors.decode import Poison
from stream_processors.progress import Place, Placed, Stopped

T = TypeVar("T", bound=Placed)


class Limits(NamedTuple):
    """So many poisoned records in a row, or more than this share of the last so many, stop a partition; 0 = never."""

    in_row: int = 50
    share: float = 0.5
    of_last: int = 1000


class _Lately:
    """What one partition held lately."""

    def __init__(self, of_last: int) -> None:
        self.in_row = 0
        self.next_offset = 0
        self.window: deque[bool] = deque(maxlen=of_last)

    def note(self, offset: int, bad: bool) -> None:
        self.next_offset = offset + 1
        self.in_row = self.in_row + 1 if bad else 0
        self.window.append(bad)


class PoisonGuard:
    """Counts per partition, in memory: a worker that starts anew counts anew."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lately: dict[Place, _Lately] = {}

    def admit(self, records: Sequence[T]) -> tuple[list[T], dict[Place, Stopped]]:
        """The records up to each partition's limit, that one included, and the partitions that reached it."""
        kept: list[T] = []
        stops: dict[Place, Stopped] = {}
        for record in records:
            place = (record.raw.topic, record.raw.partition)
            if place in stops:
                continue
            kept.append(record)
            lately = self._of(place)
            if record.raw.offset < lately.next_offset:  # read again, counted before
                continue
            lately.note(record.raw.offset, isinstance(record, Poison))
            if (why := self._too_much(lately)) is not None:
                stops[place] = instruction(place, why)
        return kept, stops

    def forget(self, place: Place) -> None:
        """The operator let it go on: count anew."""
        self._lately.pop(place, None)

    def _of(self, place: Place) -> _Lately:
        return self._lately.setdefault(place, _Lately(self._limits.of_last))

    def _too_much(self, lately: _Lately) -> str | None:
        limits, bad = self._limits, sum(lately.window) if lately.window[-1] else 0
        if limits.in_row and lately.in_row >= limits.in_row:
            return f"{lately.in_row} records in a row cannot be processed"
        if limits.share and len(lately.window) == limits.of_last and bad > limits.share * limits.of_last:
            return f"{bad} of the last {limits.of_last} records cannot be processed"
        return None


def instruction(place: Place, why: str) -> Stopped:
    """What the operator reads."""
    return Stopped(
        f"{why}; see `refex dead-letters list`, have it mended, then `refex progress resume {place[0]}"
        f" --partition {place[1]}`"
    )
