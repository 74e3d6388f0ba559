"""Waiting to be woken, with a longest wait: what a listener of NOTIFY does between two looks.

Comes in: an event, seconds. Goes out: nothing. Must never raise because nobody called.
"""

import asyncio
import contextlib


async def woken(event: asyncio.Event, seconds: float) -> None:
    """Until the event, or at the latest after so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
