"""A mark on disk says what is being read; what a worker died reading is tried elsewhere before it is read again.

Comes in: batches, around their reading. Goes out: the places that must not be read. A worker that died of anything else
left no mark (or one whose records survive the trial), so a random kill -9 costs at most one trial of one batch.
"""

import contextlib
import os
import weakref
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import structlog

from infra import crash_points
from stream_processors import trial
from stream_processors.runs import Consumed, Place, Run, flat

LENGTH = 4  # bytes that say how many follow
Ranges = dict[Place, tuple[int, int]]
log = structlog.get_logger()


class Careful:
    """One worker's mark, a file of its own; `unread` holds what must not be read, and is the step's to look at."""

    def __init__(self, mark: Path, unread: set[tuple[str, int, int]], reader: str = trial.READER) -> None:
        self._unread = unread
        self._reader = reader
        self._suspects = _marked(mark)
        self._mark = os.open(mark, os.O_RDWR | os.O_CREAT, 0o600)  # held open: it is written twice a look
        weakref.finalize(self, os.close, self._mark)

    @contextlib.asynccontextmanager
    async def reading(self, batch: Sequence[Run[Consumed]]) -> AsyncIterator[None]:
        """Try what a run before this one died reading; then mark the batch while it is read."""
        if not batch:
            yield
            return
        suspects = [raw for raw in flat(batch) if self._suspected(raw)] if self._suspects else []
        deadly = await trial.deadly(suspects, self._reader)
        if suspects:
            crash_points.here("careful.tried")
        for raw in deadly:
            place = (raw.topic, raw.partition, raw.offset)
            log.error("a record kills its reader and is quarantined unread", place=place)
            self._unread.add(place)
        self._write(_ranges(batch))
        crash_points.here("careful.marked")
        yield
        crash_points.here("careful.read")
        self._write(b"")

    def _write(self, ranges: bytes) -> None:
        os.pwrite(self._mark, len(ranges).to_bytes(LENGTH) + ranges, 0)

    def _suspected(self, raw: Consumed) -> bool:
        first, last = self._suspects.get((raw.topic, raw.partition), (1, 0))
        return first <= raw.offset <= last


def _ranges(batch: Sequence[Run[Consumed]]) -> bytes:
    found: Ranges = {}
    for run in batch:
        first, last = found.get(run.place, (run.offsets[0], run.offsets[-1]))
        found[run.place] = (min(first, run.offsets[0]), max(last, run.offsets[-1]))
    return msgspec.msgpack.encode([(*place, *span) for place, span in found.items()])


def _marked(mark: Path) -> Ranges:
    """What the run before was reading when it ended; nothing when it was not, or the file is no mark."""
    try:
        kept = mark.read_bytes()
        ranges = kept[LENGTH : LENGTH + int.from_bytes(kept[:LENGTH])]
        rows = msgspec.msgpack.decode(ranges, type=list[tuple[str, int, int, int]])
    except (OSError, msgspec.DecodeError):
        return {}
    return {(topic, partition): (first, last) for topic, partition, first, last in rows}
