"""kill -9 of the worker, five times, while 20,000 events are published: nothing lost, nothing doubled.

Each kill is made with records in flight: the log end is ahead of the next offset in Postgres, and the test says by
how much. The worker comes back by the supervision of `refex up`.
"""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from avro_schemas import topics
from producers.ledger import Ledger
from tests.support.audit import violations
from tests.support.command import refex
from tests.support.lag import behind, relayed
from tests.support.load import Sent, publish
from tests.support.running import RunningExchange, until

EVENTS, SECONDS, KILLS = 20_000, 66.0, 5
SENDERS = ("riverside-clinic", "golden-health-plan")
TOPICS = [topics.intake(s) for s in SENDERS]

pytestmark = pytest.mark.real


async def kill_with_records_in_flight(exchange: RunningExchange, number: int) -> int:
    """Wait until the worker is behind, kill it, and return how much it was behind just then."""

    await until(lambda: behind(exchange, TOPICS), timeout_s=20, every_s=0.01)
    pid = exchange.pids["workers"][0]
    os.kill(pid, signal.SIGKILL)
    in_flight = await behind(exchange, TOPICS)

    async def another() -> bool:
        return bool(exchange.pids["workers"][0] != pid)

    await until(another, timeout_s=20)
    print(f"kill {number}: pid {pid}, log end - next offset = {in_flight}")
    return in_flight


async def settled(exchange: RunningExchange) -> bool:
    """Whether everything is applied and published."""
    return await behind(exchange) == 0 and await relayed(exchange)


async def balanced(exchange: RunningExchange, ledger: Path) -> dict[str, int]:
    """What the oracle counts against the books."""
    ran = await refex(exchange, "ledger", "check", "--ledger", str(ledger), "--json", timeout_s=180)
    rules = json.loads(ran.stdout)["rules"]
    assert rules["L1"]["checked"] >= EVENTS * 0.9, "the same event sent twice is acknowledged once more"
    return {name: rule["violations"] for name, rule in rules.items() if rule is not None}


async def test_killing_the_worker_loses_and_doubles_nothing(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    kept = tmp_path / "sent.jsonl"
    async with (
        RunningExchange(tmp_path_factory.mktemp("kills"), workers=1) as exchange,
        Ledger(kept) as ledger,
    ):
        sent = {name: Sent() for name in SENDERS}
        publishing = [
            asyncio.create_task(publish(exchange, name, EVENTS // len(SENDERS), SECONDS, sent[name], ledger))
            for name in SENDERS
        ]
        in_flight = []
        for number in range(KILLS):
            await asyncio.sleep(SECONDS / (KILLS + 1) - 1)
            in_flight.append(await kill_with_records_in_flight(exchange, number + 1))
        await asyncio.gather(*publishing)
        assert all(in_flight), f"every kill must hit records in flight: {in_flight}"
        await until(lambda: settled(exchange), timeout_s=120, every_s=0.5)
        acked = {event for one in sent.values() for event in one.events}
        async with exchange.database() as database:
            assert await violations(database, exchange.kafka_login(), acked) == []
            referrals = await database.fetchval("select count(*) from referral")
        assert set((await balanced(exchange, kept)).values()) == {0}
        assert referrals == sum(len(one.referrals) for one in sent.values())
