"""A failing run with fewer operations: halves, quarters, ... are left out for as long as something still breaks.

Comes in: a seed and its operations. Goes out: some of them that break the same rule; their numbers stay theirs.
"""

from collections.abc import Sequence

from tests.simulation.oracle import violations
from tests.simulation.run import run
from tests.simulation.traffic import Operation


def shrunk(seed: int, operations: Sequence[Operation]) -> list[Operation]:
    """Nothing of what is left can be left out alone (at the grain of the last round, one operation)."""
    kept, size = list(operations), max(1, len(operations) // 2)
    while True:
        start, before = 0, len(kept)
        while start < len(kept):
            fewer = kept[:start] + kept[start + size :]
            if violations(run(seed, fewer)):
                kept = fewer
            else:
                start += size
        if size == 1 and len(kept) == before:
            return kept
        size = max(1, size // 2)
