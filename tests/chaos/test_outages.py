"""A worker whose Postgres or broker is away: it says so, waits in the group, and goes on; asked to leave, it leaves.

Memory, probes, exit codes and logs are those of real processes; the line to Postgres is a proxy that hangs or is cut.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import pytest

from tests.support.audit import violations
from tests.support.lag import behind, relayed
from tests.support.load import synthetic
from tests.support.parts import Part, Servers, servers
from tests.support.proxy import Proxy
from tests.support.running import until

pytestmark = pytest.mark.real
CLINIC = "riverside-clinic"
TOPICS = [f"intake.{CLINIC}"]
LONG = partial(pytest.param, marks=pytest.mark.long)
GONE_S, BACK_S, LEAVE_S = 5.0, 10.0, 20.0


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    async with servers(tmp_path_factory.mktemp("outages")) as started:
        yield started


@pytest.fixture
async def line(running: Servers) -> AsyncIterator[Proxy]:
    async with Proxy("127.0.0.1", running.services.postgres.state.port) as proxy:
        yield proxy


async def publish(running: Servers, name: str, number: int) -> set[UUID]:
    """So many submissions of one clinic; their event ids."""
    async with running.publisher(CLINIC) as publisher:
        bodies = [synthetic(n) | {"sender_referral_id": f"{name}-{n}"} for n in range(number)]
        done = [await publisher.submit_many(bodies[start : start + 500]) for start in range(0, number, 500)]
    return {one.event_id for batch in done for one in batch}


async def applied(running: Servers, within_s: float) -> None:
    """Until everything published is in Postgres."""

    async def all_is() -> bool:
        return await behind(running, TOPICS) == 0

    await until(all_is, timeout_s=within_s, every_s=0.2)


def joined(part: Part) -> int:
    """How often it joined its group."""
    return part.log.read_text().count("(Re-)joining group refex-exchange")


@pytest.mark.parametrize(("how", "away_s"), [("hang", 12), ("cut", 2), LONG("hang", 60), LONG("cut", 60)])
async def test_a_worker_waits_for_postgres_in_the_group(
    running: Servers, line: Proxy, how: str, away_s: int
) -> None:
    async with running.part("worker", database_port=line.port, name=f"waits-{how}-{away_s}") as worker:
        await worker.until("/readyz", 200, 30)
        await publish(running, f"before-{how}-{away_s}", 50)
        await applied(running, 30)
        before = joined(worker)
        getattr(line, how)()
        gone = await worker.until("/readyz", 503, GONE_S)
        assert await worker.answers("/livez") == 200
        await publish(running, f"during-{how}-{away_s}", 200)
        await asyncio.sleep(away_s)  # 12: longer than a session of the group
        assert await worker.answers("/livez") == 200
        assert await behind(running, TOPICS) >= 200
        line.mend()
        back = await worker.until("/readyz", 200, BACK_S)
        await applied(running, 60)
        print(f"{how}: not ready after {gone:.1f} s, ready again after {back:.1f} s")
        assert (joined(worker), worker.process.poll()) == (before, None)


async def test_a_broker_that_hangs_is_seen_and_waited_for(running: Servers) -> None:
    async with running.part("worker", name="broker") as worker:
        await worker.until("/readyz", 200, 30)
        with running.frozen("kafka"):
            gone = await worker.until("/readyz", 503, GONE_S)
            assert await worker.answers("/livez") == 200
        back = await worker.until("/readyz", 200, BACK_S)
        print(f"broker: not ready after {gone:.1f} s, ready again after {back:.1f} s")
        await publish(running, "broker", 50)
        await applied(running, 60)


@pytest.mark.parametrize("times", [2, LONG(20)])
async def test_a_worker_leaves_in_time_and_loses_nothing(running: Servers, times: int) -> None:
    sent: set[UUID] = set()
    for number in range(times):
        async with running.part("worker", name=f"leaves-{number}-of-{times}") as worker:
            await worker.until("/readyz", 200, 30)
            publishing = asyncio.create_task(publish(running, f"leaves-{number}-{times}", 1500))

            async def some(published: asyncio.Task[set[UUID]] = publishing) -> bool:
                return published.done() or await behind(running, TOPICS) > 0

            await until(some, timeout_s=30, every_s=0.02)
            code, seconds = await worker.ended(signal.SIGTERM, LEAVE_S)
            print(f"SIGTERM under load: {seconds:.1f} s, status {code}")
            assert code == 0
            sent |= await publishing
    async with running.part("worker", name="leaves-last"):
        await applied(running, 60)
        await until(lambda: relayed(running), timeout_s=60, every_s=0.5)
        async with running.database() as database:
            assert await violations(database, running.admin, sent) == []


async def test_a_worker_leaves_in_time_while_postgres_hangs(running: Servers) -> None:
    async with running.part("worker", name="stuck") as worker:
        await worker.until("/readyz", 200, 30)
        with running.frozen("postgres"):
            await publish(running, "stuck", 300)
            await asyncio.sleep(1)
            code, seconds = await worker.ended(signal.SIGTERM, LEAVE_S)
        print(f"SIGTERM with Postgres frozen: {seconds:.1f} s, status {code}")
    async with running.part("worker", name="stuck-after"):
        await applied(running, 60)


async def test_a_second_worker_of_the_same_slot_ends_and_says_why(running: Servers) -> None:
    async with running.part("worker", name="first") as first:
        await first.until("/readyz", 200, 30)
        await publish(running, "slot-before", 50)
        await applied(running, 60)
        await asyncio.sleep(6)  # it has its place for a while
        async with running.part("worker", name="second") as second:
            code = await asyncio.to_thread(second.process.wait, 60)
            said = second.log.read_text()
        assert code not in (0, None)
        assert "another worker runs as refex-exchange-" in said
        assert "REFEX_WORKER_SLOT" in said
        await publish(running, "slot-after", 50)
        await applied(running, 60)
        assert first.process.poll() is None, "the one that worked is left alone"
