"""The full exchange step - rules, routing, history, deadlines, deliveries - against the limit, in interleaved rounds.

BENCH_ROUNDS (5), BENCH_BEFORE (12,000 referrals that wait for answers), BENCH_NEW (9,000 in the traffic),
BENCH_SERVICES (4,000). Results: build/bench/step.json.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import pytest

from infra.embedded.postgres_cluster import SUPERUSER
from infra.embedded.services import EmbeddedServices
from infra.migrate import migrate
from infra.settings import load
from tests.benchmarks.engine import report
from tests.benchmarks.engine.rounds import Contestant
from tests.benchmarks.engine.task import Task
from tests.benchmarks.step import prepare, rounds
from tests.support.engine import login_of

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SIZES = prepare.Sizes(
    services=int(os.environ.get("BENCH_SERVICES", "4000")),
    before=int(os.environ.get("BENCH_BEFORE", "12000")),
    new=int(os.environ.get("BENCH_NEW", "9000")),
)
SEED = 11
GOAL, BOUND = 0.8, 0.1

pytestmark = [pytest.mark.long, pytest.mark.real]


async def test_the_full_step_against_the_limit() -> None:
    with tempfile.TemporaryDirectory(prefix="refex-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        async with EmbeddedServices(Path(folder) / "data", load(os.environ).cache_path) as services:
            found = await measured(services, Path(folder) / "kept")
    said = report.environment(sizes=SIZES._asdict(), rounds=ROUNDS, seed=SEED, rows=found[-1].rows)
    out = report.write("step", [f.run for f in found], "limit", said)
    print(report.table(list(out)))
    print(json.dumps(found[-1].rows))
    ratio = next(row["ratio to limit"] for row in out if row["contestant"] == "step")
    assert ratio > BOUND, f"{ratio} of the limit; the goal is {GOAL}"


async def measured(services: EmbeddedServices, kept: Path) -> list[rounds.Drained]:
    """One drain that keeps what it writes, then the rounds."""
    url, kafka = services.postgres.url, services.kafka
    await migrate(url)
    records = await prepare.filled(url, SIZES, SEED)
    wanted = await prepare.wanted(url, records)
    await prepare.publish(login_of(kafka), url, records)
    logins = (kafka.bootstrap, kafka.admin_username, kafka.admin_password)
    task = Task(*logins, url, "step", "step", len(records))
    superuser = services.postgres.database_url(SUPERUSER, services.postgres.state.superuser_password)
    superuser = superuser.rpartition("/")[0] + "/postgres"
    pids = {name: services.pids[name] for name in ("postgres", "kafka")}
    keeping = _contestant("keeping", "product", "--keep", str(kept))
    await rounds.drain(keeping, task, superuser, pids, wanted, -1)
    entrants = (_contestant("limit", "limit", str(kept)), _contestant("step", "product"))
    return [
        await rounds.drain(who, task, superuser, pids, wanted, number)
        for number in range(ROUNDS)
        for who in entrants
    ]


def _contestant(name: str, module: str, *arguments: str) -> Contestant:
    return Contestant(name, (sys.executable, "-m", f"tests.benchmarks.step.{module}", *arguments))
