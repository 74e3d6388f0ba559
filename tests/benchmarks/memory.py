"""Resident memory of processes, sampled every second: at the start, after warming up, at the end, and its slope.

Comes in: pids, a count of events. Goes out: MB. Must never smooth a peak away.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psutil  # type: ignore[import-untyped]

EVERY_S = 1.0
WARM = 0.25
"""The share of a run after which memory should not grow any more."""


class Memory:
    """Samples of one process."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, float]] = []

    def row(self, events: int) -> dict[str, Any]:
        """In MB; the slope by least squares over what follows the warming up, per 100,000 events and per minute."""
        began, ended = self.samples[0][0], self.samples[-1][0]
        whole = max(ended - began, 1e-9)
        warm = [(t, mb) for t, mb in self.samples if t >= began + WARM * whole]
        slope = _slope(warm)
        return {
            "samples": len(self.samples),
            "start MB": round(self.samples[0][1]),
            "warm MB": round(warm[0][1]),
            "end MB": round(self.samples[-1][1]),
            "most MB": round(max(mb for _, mb in self.samples)),
            "MB a minute": round(slope * 60, 2),
            "MB per 100,000": round(slope * whole / events * 100_000, 2),
        }


@asynccontextmanager
async def sampled(pids: Mapping[str, int]) -> AsyncIterator[dict[str, Memory]]:
    """Sample these processes until the block ends."""
    found = {name: Memory() for name in pids}

    def look() -> None:
        for name, pid in pids.items():
            with contextlib.suppress(psutil.Error):
                found[name].samples.append((time.monotonic(), psutil.Process(pid).memory_info().rss / 1e6))

    async def sample() -> None:
        while True:
            look()
            await asyncio.sleep(EVERY_S)

    sampling = asyncio.create_task(sample())
    try:
        yield found
    finally:
        sampling.cancel()
        look()


def _slope(samples: list[tuple[float, float]]) -> float:
    """MB a second."""
    count = len(samples)
    mean_t, mean_mb = sum(t for t, _ in samples) / count, sum(mb for _, mb in samples) / count
    spread = sum((t - mean_t) ** 2 for t, _ in samples)
    return sum((t - mean_t) * (mb - mean_mb) for t, mb in samples) / spread if spread else 0.0
