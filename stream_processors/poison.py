"""Too much poison stops a partition: a topic must not be emptied into dead letters because its sender, or we, broke.

Comes in: what was read, as runs. Goes out: those that may be written, and where to stop, with an instruction.
Must never drop a good record: what is cut off is read again when the partition goes on.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from stream_processors.decode import Poison
from stream_processors.progress import Stopped
from stream_processors.runs import P, Place, Run


class Limits(NamedTuple):
    """So many poisoned records in a row, or more than this share of the last so many, stop a partition; 0 = never."""

    in_row: int = 50
    share: float = 0.5
    of_last: int = 1000


class _Lately:
    """What one partition held lately; of the last so many records only the bad ones are kept, by their number."""

    def __init__(self, of_last: int) -> None:
        self.in_row = 0
        self.next_offset = 0
        self.seen = 0
        self.bad = deque[int]()
        self._of_last = of_last

    def good(self, count: int) -> None:
        """So many good records came."""
        if count:
            self.seen += count
            self.in_row = 0

    def poisoned(self) -> None:
        """A bad one came."""
        self.seen += 1
        self.in_row += 1
        self.bad.append(self.seen)
        while self.bad[0] <= self.seen - self._of_last:
            self.bad.popleft()


class PoisonGuard:
    """Counts per partition, in memory: a worker that starts anew counts anew."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lately: dict[Place, _Lately] = {}

    def admit(self, batch: Iterable[Run[P]]) -> tuple[list[Run[P]], dict[Place, Stopped]]:
        """The runs up to each partition's limit, that record included, and the partitions that reached it."""
        kept: list[Run[P]] = []
        stops: dict[Place, Stopped] = {}
        for run in batch:
            if run.place in stops:
                continue
            count, why = self._count(run)
            kept.append(run if count == len(run.records) else run.part(0, count))
            if why is not None:
                stops[run.place] = instruction(run.place, why)
        return kept, stops

    def _count(self, run: Run[P]) -> tuple[int, str | None]:
        """How many of a run may be written; what is read again was counted before. Good records are not looked at."""
        lately = self._of(run.place)
        records = run.since(lately.next_offset).records
        lately.next_offset = max(lately.next_offset, run.offsets[-1] + 1)
        known = len(run.records) - len(records)
        bad = [n for n, record in enumerate(records) if isinstance(record, Poison)]
        for before, n in zip([-1, *bad], bad, strict=False):
            lately.good(n - before - 1)
            lately.poisoned()
            if (why := self._too_much(lately)) is not None:
                lately.next_offset = run.offsets[known + n] + 1
                return known + n + 1, why
        lately.good(len(records) - 1 - (bad[-1] if bad else -1))
        return len(run.records), None

    def forget(self, place: Place) -> None:
        """The operator let it go on: count anew."""
        self._lately.pop(place, None)

    def _of(self, place: Place) -> _Lately:
        return self._lately.setdefault(place, _Lately(self._limits.of_last))

    def _too_much(self, lately: _Lately) -> str | None:
        limits, bad = self._limits, len(lately.bad)
        if limits.in_row and lately.in_row >= limits.in_row:
            return f"{lately.in_row} records in a row cannot be processed"
        if limits.share and lately.seen >= limits.of_last and bad > limits.share * limits.of_last:
            return f"{bad} of the last {limits.of_last} records cannot be processed"
        return None


def instruction(place: Place, why: str) -> Stopped:
    """What the operator reads."""
    return Stopped(
        f"{why}; see `refex dead-letters list`, have it mended, then `refex progress resume {place[0]}"
        f" --partition {place[1]}`"
    )
