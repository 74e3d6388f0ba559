"""How many records a batch may have: a thousand, and more where they are written in half a second.

Comes in: how long a batch took to write. Goes out: the most records of the next. Must never be less because Postgres is
slow: what every batch costs, however small, would then be paid more often.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

HELD_S = 0.5
LEAST, MOST = 1_000, 4_000


class BatchSize:
    """Of one inbox."""

    def __init__(self) -> None:
        self.most = LEAST

    @contextmanager
    def timed(self, records: int) -> Iterator[None]:
        """Around the write of so many records; one that fails says nothing."""
        began = time.monotonic()
        yield
        self.wrote(records, time.monotonic() - began)

    def wrote(self, records: int, seconds: float) -> None:
        """So many records were written in so long; a batch that was not full says nothing of larger ones."""
        if records < self.most:
            return
        in_time = int(records * HELD_S / max(seconds, 1e-3))
        self.most = max(LEAST, min(in_time, 2 * self.most, MOST))
