"""The key sets that clients and providers publish: fetched when needed, kept briefly, so that keys can rotate.

Comes in: an address that the operator registered. Goes out: the keys there. Must never follow a redirect, read
without a bound, or be made to fetch again and again by assertions that name unknown keys.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Final

import structlog

from api.fetching import FAILED, fetched
from infra.client_keys import MAX_BYTES, BadKeys, Key, parse

log = structlog.get_logger("refex.api")
KEEP_S: Final = 300.0
AGAIN_S: Final = 30.0
MAX_SETS: Final = 1_000


class _Published:
    """The keys last read at one address, and when they were asked for (monotonic seconds)."""

    def __init__(self) -> None:
        self.keys: Mapping[str, Key] = {}
        self.asked_at: float | None = None
        self.asking = asyncio.Lock()

    def fresh(self, key_id: str) -> bool:
        """Whether to answer from what is kept: young enough, and an unknown key asked for just now."""
        if self.asked_at is None:
            return False
        age = time.monotonic() - self.asked_at
        return age < (KEEP_S if key_id in self.keys else AGAIN_S)


class KeySets:
    """What was read of each address; the least recently used is forgotten."""

    def __init__(self, curves: Collection[str] = ("P-384",)) -> None:
        self._curves = curves
        self._kept: OrderedDict[str, _Published] = OrderedDict()

    async def keys(self, url: str, key_id: str) -> Mapping[str, Key]:
        """The keys at the address; those of last time while it does not answer."""
        published = self._kept.setdefault(url, _Published())
        self._kept.move_to_end(url)
        if len(self._kept) > MAX_SETS:
            self._kept.popitem(last=False)
        async with published.asking:
            if not published.fresh(key_id):
                published.asked_at = time.monotonic()
                try:
                    published.keys = parse(await fetched(url, MAX_BYTES), self._curves)
                except (*FAILED, BadKeys) as error:
                    log.warning("a client's key set cannot be used", url=url, error=error)
        return published.keys
