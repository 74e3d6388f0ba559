"""A rebalance storm: workers join and leave all the time, some in order and some not; nothing stands still for long."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import TopicPartition

from tests.support.lag import applied, ends
from tests.support.rig import Rig
from tests.support.traffic import AWAY

pytestmark = pytest.mark.real
FASTER_S, SLOWER_S = 5.0, 14.0
"""Than the 10 s after which the group forgets a worker that is gone."""
STILL_S = 30.0
STOPS_S = 20.0


class Stillness:
    """The longest time that a partition with unread records did not move."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._since: dict[TopicPartition, tuple[int, float]] = {}
        self.longest = 0.0

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            try:
                done, last = await applied(self._rig.exchange), await ends(self._rig.exchange)
            except AWAY:
                continue
            for place, end in last.items():
                here, now = done.get(place, 0), time.monotonic()
                before, since = self._since.get(place, (-1, now))
                if here != before or end <= here:
                    since = now
                self._since[place] = (here, since)
                self.longest = max(self.longest, now - since)
            await asyncio.sleep(0.5)


@asynccontextmanager
async def extra_worker(rig: Rig, slot: int, how: signal.Signals) -> AsyncIterator[None]:
    """One more worker beside those of the exchange, as an operator would add it; at the end it leaves, or is killed."""
    content = rig.exchange.content
    kafka = content["kafka"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REFEX_")} | {
        "REFEX_DATABASE_URL": content["database_url"],
        "REFEX_KAFKA_BOOTSTRAP": kafka["bootstrap"],
        "REFEX_KAFKA_SECURITY_PROTOCOL": kafka["security_protocol"],
        "REFEX_KAFKA_SASL_MECHANISM": kafka["sasl_mechanism"],
        "REFEX_KAFKA_USERNAME": kafka["admin"]["username"],
        "REFEX_KAFKA_PASSWORD": kafka["admin"]["password"],
        "REFEX_DATA_DIR": str(rig.exchange.data_dir),
        "REFEX_WORKER_SLOT": str(slot),
    }
    log = rig.exchange.data_dir / "logs" / f"extra-{slot}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "worker"], env=environment, stdout=output, stderr=output
        )
    try:
        yield
        assert process.poll() is None, f"it ended by itself: {log.read_text()[-2000:]}"
        started = log.stat().st_size > 0  # before it says anything, a SIGTERM is the end like any other
        process.send_signal(how)
        code = await asyncio.to_thread(process.wait, STOPS_S)
        assert code == (0 if started and how is signal.SIGTERM else -how), log.read_text()[-2000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def storm(rig: Rig, rate: float, changes: int, every_s: float) -> float:
    """Workers come and go, one change every so many seconds; the longest stand still."""
    watch = Stillness(rig)
    async with rig.traffic(rate):
        watching = asyncio.create_task(watch.watch())
        try:
            for number in range(changes // 2):
                how = signal.SIGTERM if number % 2 else signal.SIGKILL
                # each a member of its own: the group is shared out anew
                async with extra_worker(rig, 10 + number, how):
                    await asyncio.sleep(every_s)
                await asyncio.sleep(every_s)
        finally:
            watching.cancel()
    rig.tell("storm", changes=changes, every_s=every_s, longest_still=round(watch.longest, 1))
    return watch.longest


async def test_core_workers_that_come_and_go_leave_nothing_behind(core: Rig) -> None:
    assert await storm(core, 60, 2, FASTER_S) < STILL_S
    await core.verdict("storm-core")


@pytest.mark.long
async def test_whole_storm_of_three_minutes(whole: Rig) -> None:
    """Faster than a session of the group, partitions may wait for members that are gone; slower, they go on."""
    await storm(whole, 100, 36, FASTER_S)
    await whole.settled()
    assert await storm(whole, 100, 8, SLOWER_S) < STILL_S
    await whole.verdict("storm")
