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
            raise too_many(seconds)


def too_many(seconds: float) -> Problem:
    """The 429."""
    return Problem("too-many", headers={"Retry-After": str(max(1, math.ceil(seconds)))})


class Refused:
    """Callers over their quota by what they presented: until there is a token again no database is asked for them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def check(self, credential: bytes) -> None:
        """Raise the 429 of a caller that is still over its quota."""
        left = self._until.get(credential, 0.0) - self._clock()
        if left > 0:
            raise too_many(left)

    def note(self, credential: bytes, seconds: float) -> None:
        """Refuse it for so long."""
        self._until[credential] = self._clock() + seconds
        self._until.move_to_end(credential)
        if len(self._until) > MAX_KEYS:
            self._until.popitem(last=False)


class Limits:
    """The quotas of interfaces.md: requests and token requests per client; log-ins by whom and from where.

    `logins`: one account from one address; `accounts`: one account from anywhere; `addresses`: one address, whoever
    it tries. `codes`: second steps of one person. `links`: e-mails to one account. `people`: what the admins of one
    organization change, or try on others' addresses.
    """

    def __init__(self) -> None:
        self.requests = Buckets(per_second=100, burst=100)
        self.refused = Refused()
        self.tokens = Buckets(per_second=1, burst=60)
        self.logins = Buckets(per_second=1 / 6, burst=20)
        self.accounts = Buckets(per_second=1 / 6, burst=30)
        self.addresses = Buckets(per_second=1, burst=100)
        self.codes = Buckets(per_second=1 / 60, burst=5)
        self.links = Buckets(per_second=1 / 300, burst=3)
        self.people = Buckets(per_second=1 / 30, burst=30)
