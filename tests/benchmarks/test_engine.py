"""The engine alone against the limit and against other frameworks: the same minimal rows, interleaved rounds.

BENCH_RECORDS (300,000), BENCH_ROUNDS (5), BENCH_PEERS (a Python with engine/peers.lock), BENCH_JARS (the built Java
project); what is not installed is left out of the table. Result: build/bench/engine.json. Two workers share
the two cores with Postgres and the broker: `own`, `postgres`, `broker` are their CPU seconds a million records, `cores`
how many were busy.
"""

import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from infra.embedded.services import EmbeddedServices
from infra.migrate import migrate
from infra.settings import load
from tests.benchmarks.engine import report, rounds, workload
from tests.benchmarks.engine.task import Task
from tests.support.engine import login_of, make_topic

RECORDS = int(os.environ.get("BENCH_RECORDS", "300000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
PEERS = os.environ.get("BENCH_PEERS", "")
JARS = os.environ.get("BENCH_JARS", "")
SEED = 11
PER_EVENT = 20_000  # a framework that takes one event at a time drains this many

pytestmark = [pytest.mark.long, pytest.mark.real]


OURS = (
    rounds.python("limit"),
    rounds.python("limit pipelined", "--pipelined"),
    rounds.python("product"),
    rounds.python("product, 2 workers")._replace(processes=2),
    rounds.python("product in turn", "--in-turn"),
    rounds.python("product in turn, 2 workers", "--in-turn")._replace(processes=2),
)


def peers() -> list[rounds.Contestant]:
    """The other frameworks, as far as they are installed."""
    found = [rounds.python(n, binary=PEERS) for n in ("faststream_batch", "quix_sink")] if PEERS else []
    return found + ([rounds.java(n, Path(JARS)) for n in ("Streams", "JdbcBatch")] if JARS else [])


@pytest.fixture
async def services() -> AsyncIterator[EmbeddedServices]:
    with tempfile.TemporaryDirectory(prefix="refex-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        async with EmbeddedServices(Path(folder) / "data", load(os.environ).cache_path) as running:
            yield running


async def prepared(services: EmbeddedServices, topic: str, records: int) -> tuple[Task, workload.Manifest]:
    """A topic filled from the seed, and the task that drains it."""
    login = login_of(services.kafka)
    make_topic(login, topic, workload.PARTITIONS)
    log, manifest = workload.made(records, SEED)
    await workload.publish(login, topic, log)
    kafka = services.kafka
    logins = (kafka.bootstrap, kafka.admin_username, kafka.admin_password, services.postgres.url)
    return Task(*logins, topic, topic, manifest.records), manifest


async def test_the_engine_against_the_limit_and_its_peers(services: EmbeddedServices) -> None:
    await migrate(services.postgres.url)
    owner = await asyncpg.connect(services.postgres.url)
    await owner.execute(rounds.SQL["create"])
    await owner.close()
    many = await prepared(services, "bench", RECORDS)
    few = await prepared(services, "bench-few", min(PER_EVENT, RECORDS))
    found: list[rounds.Run] = []
    agent = (sys.executable, "-m", f"{rounds.HERE}.faust_agent", "worker", "-l", "error")
    entrants = [
        *((who, many) for who in (*OURS, *peers())),
        (rounds.Contestant("faust_agent", agent), few),
    ]
    for number in range(ROUNDS):
        for who, (task, manifest) in entrants:
            found.append(await rounds.drain(who, task, manifest, number, services.pids))
    said = report.environment(records=RECORDS, rounds=ROUNDS, seed=SEED, peers=[who.name for who in peers()])
    print(report.table(list(report.write("engine", found, "limit", said))))
    assert len(found) == ROUNDS * len(entrants)
