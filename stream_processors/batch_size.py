"""How many records a batch may have: as many as are written in half a second, so that its locks are held no longer.

Comes in: how long a batch took to write. Goes out: the most records of the next. Simple rows go by thousands, and a
Postgres that has become slow is asked for little at a time.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

HELD_S = 0.5
LEAST, FIRST, MOST = 250, 1_000, 4_000


class BatchSize:
    """Of one inbox."""

    def __init__(self) -> None:
        self.most = FIRST

    @contextmanager
    def timed(self, records: int) -> Iterator[None]:
        """Around the write of so many records; one that fails says nothing."""
        began = time.monotonic()
        yield
        self.wrote(records, time.monotonic() - began)

    def wrote(self, records: int, seconds: float) -> None:
        """So many records were written in so long; a small batch that was soon done says nothing of larger ones."""
        if records < self.most and seconds <= HELD_S:
            return
        in_time = int(records * HELD_S / max(seconds, 1e-3))
        self.most = max(LEAST, min(in_time, 2 * self.most, MOST))
