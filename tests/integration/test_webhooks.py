"""Deliveries on a real receiver: signed, ids alone, repeated with the same id until it answers."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from tests.e2e.test_journey import submission
from tests.support.receiver import receiving
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
PLAN = "valley-care-plan"


async def refex(exchange: RunningExchange, *words: str) -> str:
    """The command line, against this exchange."""
    environment = {**os.environ, "REFEX_DATA_DIR": str(exchange.data_dir)}
    command = [sys.executable, "-m", "cli.main", *words]
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_receiver_gets_signed_news_without_personal_data(exchange: RunningExchange) -> None:
    async with receiving(refusing=1) as (receiver, url):
        printed = await refex(exchange, "participant", "webhook", PLAN, "--url", url, "--json")
        secret = json.loads(printed)["secret"]
        await asyncio.sleep(2.5)  # workers read the participants every two seconds
        name = f"HOOK-{datetime.now(UTC):%H%M%S%f}"
        async with exchange.publisher(PLAN) as publisher:
            sent = await publisher.submit(submission(name))

        async def delivered() -> bool:
            news = [json.loads(body) for _, body in receiver.calls[1:]]
            mine = {n["data"]["version"] for n in news if n["data"]["referral"] == str(sent.id)}
            ids = [headers["webhook-id"] for headers, _ in receiver.calls]
            return mine >= {1, 2, 3} and ids.count(ids[0]) > 1

        await until(delivered, timeout_s=40)
        await refex(exchange, "participant", "webhook", PLAN)
    async with exchange.database() as database:
        wait = "select distinct due_at - at as wait from delivery where stream_id = $1 and recipient = $2"
        waits = await database.fetch(wait, sent.id, PLAN)
    assert [r["wait"] for r in waits] == [timedelta(hours=24)], "the contract says by when a notice is due"
    for headers, body in receiver.calls:
        assert Webhook(secret).verify(body, headers)["data"].keys() == {"referral", "version", "status"}
        assert b"Synthetic" not in body
    first = receiver.calls[0][0]["webhook-id"]
    assert [h["webhook-id"] for h, _ in receiver.calls].count(first) == 2, (
        "refused once, sent again under its id"
    )
