"""The promise of a numeric capacity: a batch is decided, its places are held, and whoever lost is decided again.

Comes in: what the transaction loaded, the world, the records. Goes out: the work, every place it takes being there.
Must never save anything: the tallies stay locked until the batch is saved or thrown away.
"""

from collections.abc import Sequence

from infra.postgres import Connection
from referrals.placing import World
from stream_processors import service_record
from stream_processors.decode import Arrival, Poison
from stream_processors.journal import Journal
from stream_processors.service_record import Overdrawn
from stream_processors.work import Loaded, Work

SLICE = 400
"""Records decided before what they recorded is sent: enough to keep Postgres busy while the next are decided."""
ROUNDS = 50
"""Each round locks at least one more tally, and what is locked cannot be lost again."""


class Lost(RuntimeError):
    """A place was lost when the journal was written already: begin the transaction anew, without an early journal."""


async def settled(
    connection: Connection,
    loaded: Loaded,
    world: World,
    records: Sequence[Arrival | Poison],
    early: Journal | None = None,
) -> Work:
    """The batch's work. Where another worker was faster, the whole batch is decided again with the tally as it is.

    `early`: write the journal meanwhile; raises Lost then, where it would decide again.
    """
    for _ in range(ROUNDS):
        work = Work(loaded, world)
        for start in range(0, len(records), SLICE):
            work.apply(records[start : start + SLICE])
            if early is not None:
                await early.note(work)
        if early is not None:
            await early.done()
        taken = work.told.taken
        held = await service_record.hold(connection, taken)
        lost = [
            places
            for places, t in taken.items()
            if t.peak is not None and t.available is not None and held[places] + t.peak > t.available
        ]
        if not lost:
            return work
        if early is not None:
            raise Lost("a place was lost; decide again")
        world.standings.put({}, held)
    raise Overdrawn(f"places were lost {ROUNDS} times; begin anew")
