"""The key sets that clients publish at an address: fetched when needed, kept briefly, so that keys can rotate.

Comes in: an address that the operator registered. Goes out: the keys there. Must never follow a redirect, read
without a bound, or be made to fetch again and again by assertions that name unknown keys.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import httpx
import structlog

from infra.client_keys import MAX_BYTES, BadKeys, Key, parse

log = structlog.get_logger("refex.api")
KEEP_S: Final = 300.0
AGAIN_S: Final = 30.0
WAIT_S: Final = 2.0
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

    def __init__(self) -> None:
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
                    published.keys = parse(await _fetched(url))
                except (httpx.HTTPError, BadKeys, TimeoutError) as error:
                    log.warning("a client's key set cannot be used", url=url, error=error)
        return published.keys


async def _fetched(url: str) -> bytes:
    """The document at the address, at most MAX_BYTES and one of them more."""
    document = b""
    async with asyncio.timeout(WAIT_S), httpx.AsyncClient(trust_env=False, timeout=WAIT_S) as http:
        async with http.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            response.raise_for_status()
            async for piece in response.aiter_raw():
                document += piece
                if len(document) > MAX_BYTES:
                    break
    return document
