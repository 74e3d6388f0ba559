"""BENCH_FACTS (100,000) facts: how long a verified rebuild and the oracle take, and in how much memory, as commands.

History is made by the exchange's own batches on a real Postgres, from records as Kafka would hand them over. About a
minute; with 1,000,000 some ten. Result: build/bench/rebuild-FACTS.json.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.postgres import pool
from producers import envelope
from producers.envelope import Record, Said
from referrals import check, ids
from stream_processors.decode import Raw
from stream_processors.exchange import Exchange
from tests.benchmarks import figures
from tests.support.api import Api
from tests.support.referrals import body
from tests.support.story import tell
from tests.support.vault import vault

FACTS = int(os.environ.get("BENCH_FACTS", "100000"))
GOAL_S = 120.0 * FACTS / 100_000
GOAL_MIB = 400
CLINIC, ASKED, BATCH = "clinic-a", ("food-a", "food-b"), 500
BEGAN = datetime(2026, 11, 2, 9, tzinfo=UTC)
pytestmark = [pytest.mark.real, pytest.mark.long]


def records(first: int, count: int) -> Iterator[tuple[Record, ...]]:
    """Submission, and what any of the two organizations asked may answer: one of them is right."""
    for n in range(first, first + count):
        name = f"BENCH-{n}"
        referral = ids.referral_id(CLINIC, name)
        made = [envelope.submitted(_said(CLINIC, name), check.submission(body(name), BEGAN))]
        made += [envelope.responded(_said(o, name, "accept"), referral, "accept") for o in ASKED]
        yield tuple(made)


def _said(organization: str, *parts: str) -> Said:
    return Said(ids.event_id(organization, *parts), organization, BEGAN)


async def fill(api: Api) -> int:
    """Batches until history has so many facts; returns how many."""
    offsets: dict[str, int] = {}
    async with api.owner() as owner, await pool(api.url, "worker") as connections:
        for row in await owner.fetch("select topic, next_offset from progress where partition = 0"):
            offsets[row["topic"]] = row["next_offset"]
        await owner.execute("insert into progress values ($1, 0, 0, 'c', 't')", f"intake.{CLINIC}")
        offsets[f"intake.{CLINIC}"] = 0
        exchange = Exchange(connections, vault())
        number = facts = 0
        while facts < FACTS:
            batch: list[Raw] = []
            for made in records(number, BATCH):
                batch += [_raw(record, offsets) for record in made]
            number += BATCH
            facts += (await exchange.apply(batch)).facts
        await owner.execute("analyze")
        return int(await owner.fetchval("select count(*) from history"))


def _raw(record: Record, offsets: dict[str, int]) -> Raw:
    offset = offsets[record.topic]
    offsets[record.topic] = offset + 1
    at = BEGAN + timedelta(milliseconds=offset)
    return Raw(record.topic, 0, offset, record.key, record.value, at)


async def measured(api: Api, arguments: Sequence[str]) -> tuple[dict[str, Any], float, int]:
    """What a command printed, how long it took, and its most memory in MiB (of any child so far)."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REFEX_")}
    environment["REFEX_DATABASE_URL"] = api.url
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli.main",
        *arguments,
        "--json",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    seconds = time.monotonic() - began
    assert process.returncode == 0, out.decode()
    return json.loads(out), seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


async def test_a_verified_rebuild_of_a_hundred_thousand_facts(tmp_path: Path) -> None:
    async with Api(tmp_path) as api:
        await tell(api)
        began = time.monotonic()
        facts = await fill(api)
        print(f"\n{facts} facts made in {time.monotonic() - began:.1f} s")
        found, seconds, mib = await measured(api, ["rebuild", "--into", "rebuilt", "--verify"])
        rate = facts / seconds
        print(f"rebuild --verify: {seconds:.1f} s, {rate:.0f} facts/s, {mib} MiB at most, {found['tables']}")
        assert found["events"] == facts and found["differences"] == []
        _, checking, most = await measured(api, ["ledger", "check"])
        print(f"ledger check with its replay: {checking:.1f} s, {most} MiB at most")
    shown = {"facts": facts, "seconds": round(seconds, 1), "facts/s": round(rate), "most MiB": mib}
    shown |= {"differences": len(found["differences"]), "ledger check s": round(checking, 1)}
    goals = [f"{FACTS:,} facts within {GOAL_S:.0f} s, bit-equal"]
    figures.keep(
        f"rebuild-{FACTS}", [shown], figures.environment(goals=goals), took_s=round(time.monotonic() - began)
    )
    assert seconds <= GOAL_S
    assert most <= GOAL_MIB
