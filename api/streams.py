"""How many event streams are open, and how many of them look into the database at once.

Comes in: a user who opens or leaves a stream. Goes out: the 429, or a place until it is left. However many watch, they
never hold more than LOOKS of the pool's sessions: what is asked meanwhile by others is answered as ever.
"""

import asyncio
import random
from collections import Counter

from api import metrics
from api.problems import Problem

MAX_STREAMS = 500
MAX_PER_USER = 20
LOOKS = 2


class Streams:
    """The open streams of one process."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self.looking = asyncio.Semaphore(LOOKS)

    @property
    def open(self) -> int:
        """How many are open."""
        return self._open.total()

    def enter(self, user: str) -> None:
        """Take a place; raises the 429 when there is none."""
        if self.open >= MAX_STREAMS or self._open[user] >= MAX_PER_USER:
            wait = str(random.randint(5, 15))  # not all of them back in the same second
            raise Problem("too-many", "too many open streams; close one", headers={"Retry-After": wait})
        self._open[user] += 1
        metrics.STREAMS.inc()

    def leave(self, user: str) -> None:
        """Give it back."""
        metrics.STREAMS.dec()
        self._open[user] -= 1
        if self._open[user] <= 0:
            del self._open[user]
