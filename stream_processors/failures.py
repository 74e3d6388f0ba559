"""Too many failures of our own stop a partition: a bad release must not empty a topic into the parked records.

Comes in: what each batch parked and what it applied, in order. Goes out: where to stop, with an instruction. Counts in
memory, per partition: a worker that starts anew counts anew.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from stream_processors.poison import Limits, instruction
from stream_processors.progress import Stopped
from stream_processors.runs import Place, Placed


class _Lately(NamedTuple):
    in_row: list[int]
    offsets: deque[int]


class Failures:
    """So many in a row, or more than a share of the last so many offsets; 0 = never."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lately: dict[Place, _Lately] = {}

    def well(self, records: Iterable[Placed]) -> None:
        """These were applied: no partition of theirs fails in a row any more."""
        if self._lately:
            for place in {(r.raw.topic, r.raw.partition) for r in records} & self._lately.keys():
                self._lately[place].in_row.clear()

    def failed(self, place: Place, offset: int) -> Stopped | None:
        """One more failed; why its partition must stop now, if it must. Then it counts anew."""
        limits = self._limits
        lately = self._lately.setdefault(place, _Lately([], deque(maxlen=limits.of_last)))
        lately.in_row.append(offset)
        lately.offsets.append(offset)
        recent = sum(1 for each in lately.offsets if each > offset - limits.of_last)
        why = None
        if limits.in_row and len(lately.in_row) >= limits.in_row:
            why = f"{len(lately.in_row)} records in a row failed us"
        elif limits.share and recent > limits.share * limits.of_last:
            why = f"{recent} of the last {limits.of_last} records failed us"
        if why is None:
            return None
        del self._lately[place]
        return instruction(place, why)
