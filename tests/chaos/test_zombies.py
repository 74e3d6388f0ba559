"""A worker that is paused beyond its session and wakes again: another takes over, what it had in hand is void.

It stops itself at a crash point, so that it is known what it holds: an open transaction with its locks, or a batch read
and not yet written.
"""

import asyncio
import os
import signal
import time

import pytest

from tests.support.lag import applied, ends
from tests.support.rig import Rig
from tests.support.running import until
from tests.support.traffic import AWAY

pytestmark = pytest.mark.real
SESSION_S = 10.0
STARTED_S = 6.0  # a worker that was killed is there again, with its orders
TAKEN_OVER_S = 30.0  # after the pause began: session, rebalance, and what the zombie had locked
PAUSES = int(os.environ.get("CHAOS_PAUSES", "20"))
WHERE = ("batch.saved", "inbox.read", "batch.begun", "batch.moved", "inbox.applied", "relay.selected")


async def zombie(rig: Rig, point: str) -> int:
    """A worker that has just stopped itself at that point; no other is told to."""
    workers = rig.exchange.pids["workers"]
    slot = rig.random.randrange(len(workers))
    before = len(rig.stopped())
    rig.order({point: rig.random.randint(3, 9)}, ":stop")
    os.kill(workers[slot], signal.SIGKILL)
    if point.startswith("relay."):  # the others have the locks now, and let go of them only when they end
        await asyncio.sleep(STARTED_S)
        rig.order({})
        for other in (pid for n, pid in enumerate(workers) if n != slot):
            os.kill(other, signal.SIGKILL)

    async def stopped() -> bool:
        return len(rig.stopped()) > before

    await until(stopped, timeout_s=60, every_s=0.02)
    rig.order({})
    pid = rig.stopped()[-1]
    assert pid == rig.exchange.pids["workers"][slot]
    return pid


async def pause(rig: Rig, point: str, seconds: float) -> float:
    """Stop a worker there for so long; after how many seconds others had applied what came since."""
    pid = await zombie(rig, point)
    began = time.monotonic()
    await asyncio.sleep(1)  # so that there is something that came since
    wanted = await ends(rig.exchange)

    async def taken_over() -> bool:
        try:
            done = await applied(rig.exchange)
        except AWAY:
            return False
        late = [place for place, end in wanted.items() if done.get(place, 0) < end]
        assert not late, f"nobody took over {late[:3]} of {len(late)}"
        return True

    try:
        await until(taken_over, timeout_s=TAKEN_OVER_S, every_s=0.2)
        took = time.monotonic() - began
        await asyncio.sleep(max(0.0, seconds - took))
    finally:
        os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(3)
    went_on = pid in rig.exchange.pids["workers"]
    rig.tell("paused", point=point, seconds=round(seconds, 1), taken_over=round(took, 1), went_on=went_on)
    return took


async def test_core_a_worker_paused_inside_a_transaction_is_overtaken_and_its_write_is_void(
    core: Rig,
) -> None:
    async with core.traffic(60):
        await pause(core, "batch.saved", SESSION_S + 4)
    await core.verdict("zombie-core")


@pytest.mark.long
async def test_whole_pauses_of_every_length(whole: Rig) -> None:
    async with whole.traffic(80):
        for number in range(PAUSES):
            await pause(whole, WHERE[number % len(WHERE)], whole.random.uniform(12, 30))
    await whole.verdict("zombies")
