"""A backlog and a slow Postgres: the worker reads on at its own pace, in the memory it always has, within the group."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from producers import envelope
from producers.envelope import Said
from producers.producer import RecordProducer
from tests.support.lag import behind
from tests.support.parts import Part, Servers, servers
from tests.support.proxy import Proxy
from tests.support.running import until

pytestmark = pytest.mark.real
CLINIC = "riverside-clinic"
TOPICS = [f"intake.{CLINIC}"]
MOST_MIB, GROWN_MIB = 400, 100
AT_ONCE = 1000
SLOW_DELAY_S, SLOW_BYTES = 0.05, 2_000_000


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    async with servers(tmp_path_factory.mktemp("backlog")) as started:
        yield started


async def fill(running: Servers, number: int) -> None:
    """So many cancels of referrals nobody has sent yet: each is a fact, none costs much."""
    async with RecordProducer(running.admin, timeout_s=30) as producer:
        for start in range(0, number, AT_ONCE):
            now = datetime.now(UTC)
            await producer.send(
                [
                    envelope.cancelled(Said(uuid4(), CLINIC, now), uuid4().hex, "need-met", "")
                    for _ in range(min(AT_ONCE, number - start))
                ]
            )


async def drained(running: Servers, worker: Part, within_s: float) -> tuple[float, float]:
    """Seconds until everything is applied, and the memory when the first tenth was."""
    whole = await behind(running, TOPICS)
    began, early = time.monotonic(), 0.0

    async def nothing_left() -> bool:
        nonlocal early
        left = await behind(running, TOPICS)
        if not early and left < 0.9 * whole:
            early = worker.memory()
        return left == 0

    await until(nothing_left, timeout_s=within_s, every_s=0.3)
    return time.monotonic() - began, early


async def applied(running: Servers) -> int:
    """How many event ids Postgres holds."""
    async with running.database() as database:
        return int(await database.fetchval("select count(*) from inbox"))


@pytest.mark.parametrize("number", [50_000, pytest.param(500_000, marks=pytest.mark.long)])
async def test_a_backlog_takes_no_more_memory_than_its_first_tenth(running: Servers, number: int) -> None:
    before = await applied(running)
    await fill(running, number)
    async with running.part("worker", name=f"backlog-{number}") as worker:
        await worker.until("/readyz", 200, 30)
        seconds, early = await drained(running, worker, number / 500)
        most = worker.memory("VmHWM")
    print(f"{number} records in {seconds:.0f} s; RSS {early:.0f} MiB after a tenth, {most:.0f} MiB at most")
    assert await applied(running) - before == number
    assert most <= MOST_MIB
    assert most - early <= GROWN_MIB


async def test_a_slow_postgres_slows_the_worker_and_nothing_else(running: Servers) -> None:
    number = 10_000
    async with Proxy("127.0.0.1", running.services.postgres.state.port) as line:
        async with running.part("worker", database_port=line.port, name="slow") as worker:
            await worker.until("/readyz", 200, 30)
            await fill(running, number)
            fast, early = await drained(running, worker, 60)
            joined = worker.log.read_text().count("(Re-)joining group refex-exchange")
            line.delay_s, line.bytes_per_s = SLOW_DELAY_S, SLOW_BYTES
            await fill(running, number)
            slow, _ = await drained(running, worker, 200)
            most = worker.memory("VmHWM")
            assert await worker.answers("/livez") == 200
            assert worker.process.poll() is None
            again = worker.log.read_text().count("(Re-)joining group refex-exchange")
    print(f"{number} records in {fast:.1f} s, over the slow line in {slow:.1f} s; RSS {most:.0f} MiB at most")
    assert slow > 3 * fast, "the line was not slow"
    assert most <= MOST_MIB
    assert most - early <= GROWN_MIB
    assert again == joined, "it never left the group"
