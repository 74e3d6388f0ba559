"""The promise of a numeric capacity: a batch is decided, its places are held, and whoever lost is decided again.

Comes in: what the transaction loaded, the world, the records. Goes out: the work, every place it takes being there.
Must never save anything: the tallies stay locked until the batch is saved or thrown away.
"""

from collections.abc import Sequence

from infra.postgres import Connection
from referrals.placing import World
from stream_processors import service_record
from stream_processors.decode import Arrival, Poison
from stream_processors.service_record import Overdrawn
from stream_processors.work import Loaded, Work

ROUNDS = 50
"""Each round locks at least one more tally, and what is locked cannot be lost again."""


async def settled(
    connection: Connection, loaded: Loaded, world: World, records: Sequence[Arrival | Poison]
) -> Work:
    """The batch's work. Where another worker was faster, the whole batch is decided again with the tally as it is."""
    for _ in range(ROUNDS):
        work = Work(loaded, world)
        work.apply(records)
        taken = work.told.taken
        held = await service_record.hold(connection, taken)
        lost = [
            places
            for places, t in taken.items()
            if t.peak is not None and t.available is not None and held[places] + t.peak > t.available
        ]
        if not lost:
            return work
        world.standings.put({}, held)
    raise Overdrawn(f"places were lost {ROUNDS} times; begin anew")
