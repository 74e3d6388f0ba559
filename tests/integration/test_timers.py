"""Deadlines are rows: silence past one moves the referral on, and an outage never expires an answered hop."""

import os
import signal
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tests.e2e.test_journey import routed, shown, submission
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
PLAN = "valley-care-plan"


async def sent(exchange: RunningExchange) -> UUID:
    async with exchange.publisher(PLAN) as publisher:
        return (await publisher.submit(submission(f"TIMER-{datetime.now(UTC):%H%M%S%f}"))).id


async def bring_forward(exchange: RunningExchange, referral: UUID) -> None:
    """Time passes: the one thing a test must do to the database, as nobody waits three days."""
    async with exchange.database() as database:
        await database.execute(
            "update deadline set due_at = now() - interval '1 second' where referral_id = $1", referral
        )


async def test_silence_past_the_deadline_asks_the_next_organization(exchange: RunningExchange) -> None:
    referral = await sent(exchange)
    await routed(exchange, PLAN, referral)
    await bring_forward(exchange, referral)

    async def moved_on() -> bool:
        hops = (await shown(exchange, PLAN, referral))["hops"]
        return [h["status"] for h in hops] == ["expired", "requested"]

    await until(moved_on)


async def test_an_answer_already_in_kafka_is_applied_before_the_hop_may_expire(
    exchange: RunningExchange,
) -> None:
    referral = await sent(exchange)
    hop = (await routed(exchange, PLAN, referral))["hops"][0]
    workers = exchange.pids["workers"]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with exchange.http(hop["organization"]) as http:
            answer = await http.post(f"/v1/referrals/{referral}/responses", json={"action": "accept"})
        assert answer.status_code == 202, "taken, not yet decided: the workers sleep"
        await bring_forward(exchange, referral)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)

    async def accepted() -> bool:
        return bool((await shown(exchange, PLAN, referral))["status"] == "accepted")

    await until(accepted)
    async with exchange.database() as database:
        rows = await database.fetch(
            "select type from history where stream_id = $1 order by version", referral
        )
    assert "hop-expired" not in [r["type"] for r in rows]
