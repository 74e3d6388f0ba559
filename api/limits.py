"""Quotas in memory: token buckets per caller; an empty one answers 429 with Retry-After.

Comes in: a key and the time. Goes out: how long to wait (0 = go on). Must never grow without bound.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from api.problems import Problem

MAX_KEYS = 10_000


class Buckets:
    """One bucket per key: `burst` tokens, refilled at `per_second`; the least recently used key is forgotten."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """Take one token; 0 when there was one, else the seconds until there is."""
        now = self._clock()
        level, then = self._levels.get(key, (self._burst, now))
        level = min(self._burst, level + (now - then) * self._per_second)
        taken = level >= 1
        self._levels[key] = (level - 1 if taken else level, now)
        self._levels.move_to_end(key)
        if len(self._levels) > MAX_KEYS:
            self._levels.popitem(last=False)
        return 0.0 if taken else (1 - level) / self._per_second

    def check(self, key: str) -> None:
        """Take one token or raise the 429."""
        if (seconds := self.wait(key)) > 0:
            raise Problem("too-many", headers={"Retry-After": str(max(1, math.ceil(seconds)))})


class Limits:
    """The quotas of interfaces.md: requests per client, token requests per client, log-ins per address."""

    def __init__(self) -> None:
        self.requests = Buckets(per_second=100, burst=100)
        self.tokens = Buckets(per_second=1, burst=60)
        self.logins = Buckets(per_second=1 / 6, burst=20)
