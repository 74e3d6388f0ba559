"""kill -9 of every kind of process under load, each with something in hand: nothing lost, nothing doubled.

The worker, whoever holds the relay's and the timers' locks, the API, the deliveries, the broker and Postgres, in an
order drawn from the printed seed. CHAOS_KILLS says how many in the long run.
"""

import asyncio
import os
import signal
from collections import Counter

import pytest

from tests.support.nemesis import Nemesis
from tests.support.rig import Rig

pytestmark = pytest.mark.real
TARGETS = ("worker", "relay", "timers", "api", "notify", "kafka", "postgres")
KILLS = int(os.environ.get("CHAOS_KILLS", "240"))


async def kills(rig: Rig, targets: list[str], rate: float) -> Counter[str]:
    """Kill these under load, one after the other, with a moment's work in between."""
    killed: Counter[str] = Counter()
    async with rig.traffic(rate) as traffic:
        await asyncio.sleep(3)
        nemesis = Nemesis(rig, traffic)
        for target in targets:
            how = signal.SIGQUIT if target == "postgres" and killed[target] % 2 else signal.SIGKILL
            kill = await nemesis.kill(target, how)
            assert kill.in_flight > 0
            killed[target] += 1
            await asyncio.sleep(rig.random.uniform(0.3, 2.0))
    return killed


async def test_core_killing_each_kind_of_process_loses_and_doubles_nothing(core: Rig) -> None:
    order = [*TARGETS, "postgres"]
    core.random.shuffle(order)
    killed = await kills(core, order, rate=100)
    assert killed == Counter(order)
    await core.verdict("nemesis-core")


@pytest.mark.long
async def test_whole_random_kills_lose_and_double_nothing(whole: Rig) -> None:
    order = [TARGETS[n % len(TARGETS)] for n in range(KILLS)]
    whole.random.shuffle(order)
    killed = await kills(whole, order, rate=150)
    assert killed.total() == KILLS
    whole.tell("kills", **killed)
    await whole.verdict("nemesis")
