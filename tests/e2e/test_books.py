"""The books of a real exchange: checked while traffic goes on and a worker is killed, rebuilt from both sources."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from producers.ledger import Ledger
from tests.support.command import refex
from tests.support.lag import behind, relayed
from tests.support.load import Sent, publish
from tests.support.running import RunningExchange, until

REFERRALS, EVENTS = 90, 400
PLAN = "golden-health-plan"
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningExchange]:
    """An exchange of this test's own: others change rows by hand to make time pass."""
    async with RunningExchange(tmp_path_factory.mktemp("books"), workers=2) as running:
        yield running


async def checked(exchange: RunningExchange, *ledgers: Path) -> dict[str, Any]:
    named = [word for path in ledgers for word in ("--ledger", str(path))]
    ran = await refex(exchange, "ledger", "check", *named, "--json", timeout_s=120)
    rules: dict[str, Any] = json.loads(ran.stdout)["rules"]
    red = {name: rule for name, rule in rules.items() if rule["violations"]}
    assert bool(red) == bool(ran.code), ran.stderr
    assert all(rule["checked"] for rule in rules.values()), rules
    return red


async def settled(exchange: RunningExchange) -> bool:
    return await behind(exchange) == 0 and await relayed(exchange)


async def _published(exchange: RunningExchange, kept: Path) -> None:
    async with Ledger(kept) as ledger:
        await publish(exchange, PLAN, EVENTS, 12.0, Sent(), ledger)


async def test_books_balance_under_traffic_and_a_kill(own: RunningExchange, tmp_path: Path) -> None:
    kept, also = tmp_path / "sent.jsonl", tmp_path / "also.jsonl"
    arguments = ("simulate", "--referrals", str(REFERRALS), "--seed", "11", "--rate", "400")
    traffic = asyncio.create_task(refex(own, *arguments, "--ledger", str(kept), timeout_s=120))
    kafka = asyncio.create_task(_published(own, also))

    async def some() -> bool:
        return also.exists() and kept.exists() and kept.read_bytes().count(b'"acked"') > 20

    await until(some, timeout_s=30)
    assert await checked(own, kept, also) == {}, "while traffic goes on"
    os.kill(own.pids["workers"][0], signal.SIGKILL)
    assert await checked(own, kept, also) == {}, "right after a kill -9"
    assert (await traffic).code == 0
    await kafka
    await until(lambda: settled(own), timeout_s=60, every_s=0.5)
    assert await checked(own, kept, also) == {}, "when all is applied"


@pytest.mark.parametrize("source", ["archive", "kafka"])
async def test_a_rebuild_equals_the_live_tables(own: RunningExchange, source: str) -> None:
    kafka = asyncio.create_task(publish(own, PLAN, 100, 3.0, Sent()))
    ran = await refex(own, "rebuild", "--into", f"from_{source}", "--from", source, "--verify", "--json")
    await kafka
    assert ran.code == 0, ran.stderr + ran.stdout
    found = json.loads(ran.stdout)
    tables = {t["table"]: t for t in found["tables"]}
    assert tables["referral"]["rows"] >= REFERRALS // 2 and found["events"] > REFERRALS
    assert all(t["live"] == t["rebuilt"] for t in tables.values())
    async with own.database() as database:
        made = await database.fetchval(f"select count(*) from from_{source}.referral where version > 1")
    assert made


async def test_a_change_made_by_hand_is_named(own: RunningExchange) -> None:
    await until(lambda: settled(own), timeout_s=60, every_s=0.5)
    async with own.database() as database:
        id = await database.fetchval(
            "update referral set sealed = sealed || '\\x00' where id = (select id from referral limit 1) returning id"
        )
        ran = await refex(own, "rebuild", "--into", "from_archive", "--verify", "--json")
        await database.execute(
            "update referral set sealed = substr(sealed, 1, length(sealed) - 1) where id = $1", id
        )
    assert ran.code == 1
    assert json.loads(ran.stdout)["differences"] == [
        {"table": "referral", "key": {"id": str(id)}, "columns": ["sealed"]}
    ]


async def test_an_offset_committed_too_early_and_a_fact_never_published_are_seen(
    own: RunningExchange, tmp_path: Path
) -> None:
    await until(lambda: settled(own), timeout_s=60, every_s=0.5)
    await asyncio.sleep(3)  # the advisory commit
    back = "update progress set next_offset = next_offset + $1 where topic = $2 and partition = $3"
    async with own.database() as database:
        place = await database.fetchrow(
            "select topic, partition from progress where topic = $1 and next_offset > 0 limit 1",
            f"intake.{PLAN}",
        )
        assert place is not None
        await database.execute(back, -1, *place)
        early = json.loads((await refex(own, "ledger", "check", "--no-replay", "--json")).stdout)["rules"]
        await database.execute(back, 1, *place)
        change = "update history set data = data || $1 where lane = $2 and lane_seq = 1 and kind = 'service'"
        lane = await database.fetchval(
            "select lane from history where kind = 'service' and lane_seq = 1 limit 1"
        )
        await database.execute(change, b" ", lane)
        ran = await refex(own, "ledger", "check", "--json")
        await database.execute(
            "update history set data = substr(data, 1, length(data) - 1) where lane = $1 and lane_seq = 1",
            lane,
        )
    assert [name for name, rule in early.items() if rule and rule["violations"]] == ["L8"]
    rules = json.loads(ran.stdout)["rules"]
    assert [name for name, rule in rules.items() if rule and rule["violations"]] == ["L5", "L6"]
    assert rules["L5"]["examples"] == [f"exchange.event lane {lane}"]
