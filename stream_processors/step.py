"""What the inbox feeds: a step reads records and writes batches of them; and what stands around a reading.

Comes in: records as the log holds them. Goes out: effects and offsets in one transaction, or nothing at all.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from stream_processors.exchange import Applied
from stream_processors.runs import Consumed, Place, Placed, Run

T = TypeVar("T", bound=Placed)
Reading = Callable[[Sequence[Run[Consumed]]], contextlib.AbstractAsyncContextManager[None]]


class Step(Protocol[T]):
    """`read` is pure; `write` moves effects and offsets in one transaction or not at all."""

    def read(self, raw: Consumed) -> T:
        """What a record says."""

    async def write(self, batch: Sequence[Run[T]], holes: frozenset[Place]) -> Applied:
        """A batch, in one transaction; `holes`: offsets shown twice not to exist."""


def unmarked(batch: Sequence[Run[Consumed]]) -> contextlib.AbstractAsyncContextManager[None]:
    """Nothing is noted around the reading of a batch."""
    return contextlib.nullcontext()
