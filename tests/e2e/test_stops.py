"""What stops a partition, says so, and goes on when the operator lets it: poison, a topic made anew."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from avro_schemas import topics
from infra import topics as declared
from producers.envelope import Said
from producers.envelope import submitted as submitted_record
from referrals import check, ids
from tests.e2e.test_journey import submission
from tests.support.command import refex
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
CLINIC, PLAN, PARTITIONS, LIMIT, BAD = "riverside-clinic", "golden-health-plan", 8, 50, 60


@pytest.fixture(scope="module")
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningExchange]:
    """An exchange of this test's own: its partitions are to stop."""
    async with RunningExchange(tmp_path_factory.mktemp("stops"), workers=1) as running:
        yield running


async def flood(exchange: RunningExchange, partition: int, count: int) -> None:
    """Records nobody can read, one after the other on one partition."""
    producer = AIOKafkaProducer(
        **exchange.kafka_login(CLINIC).aiokafka(), acks="all", enable_idempotence=True
    )
    await producer.start()
    try:
        for _ in range(count):
            await producer.send(topics.intake(CLINIC), b"\x01nonsense", partition=partition)
    finally:
        await producer.stop()


def named(partition: int) -> str:
    """A sender's id whose referral goes to that partition."""
    while True:
        name = f"STOP-{uuid4()}"
        if ids.partition(ids.lane(ids.referral_id(CLINIC, name)), PARTITIONS) == partition:
            return name


async def submitted(exchange: RunningExchange, organization: str, name: str) -> Any:
    async with exchange.publisher(organization) as publisher:
        return (await publisher.submit(submission(name))).id


async def row(exchange: RunningExchange, partition: int) -> Any:
    async with exchange.database() as database:
        return await database.fetchrow(
            "select next_offset, stopped, held from progress where topic = $1 and partition = $2",
            topics.intake(CLINIC),
            partition,
        )


async def known(exchange: RunningExchange, referral: Any) -> bool:
    async with exchange.database() as database:
        return bool(await database.fetchval("select true from referral where id = $1", referral))


async def dead(exchange: RunningExchange) -> int:
    async with exchange.database() as database:
        return int(await database.fetchval("select count(*) from dead_letter"))


async def parked(exchange: RunningExchange) -> int:
    async with exchange.database() as database:
        return int(await database.fetchval("select count(*) from parked"))


async def test_too_much_poison_stops_its_partition_alone(own: RunningExchange) -> None:
    await flood(own, 3, BAD)

    async def held() -> bool:
        return bool((await row(own, 3))["held"])

    await until(held, timeout_s=30)
    behind = await submitted(own, CLINIC, named(3))
    beside = await submitted(own, CLINIC, named(4))
    await until(lambda: known(own, beside), timeout_s=20)
    assert await dead(own) == LIMIT
    assert not await known(own, behind)
    findings = json.loads((await refex(own, "doctor", "--json")).stdout)["checks"]
    finding = next(c for c in findings if c["check"] == "partitions")
    assert not finding["ok"] and f"{topics.intake(CLINIC)}/3" in finding["detail"]
    assert "refex progress resume" in finding["next"]
    listed = json.loads((await refex(own, "progress", "list", "--stopped", "--json")).stdout)["items"]
    assert [(r["topic"], r["partition"]) for r in listed] == [(topics.intake(CLINIC), 3)]
    ran = await refex(own, "progress", "resume", topics.intake(CLINIC), "--partition", "3", "--json")
    assert json.loads(ran.stdout) == {"resumed": [3]}
    await until(lambda: known(own, behind), timeout_s=30)
    assert await dead(own) == BAD, "nothing was dropped: the rest of the poison came too"
    assert (await row(own, 3))["stopped"] is None


async def amended_once(exchange: RunningExchange, names: list[str]) -> bool:
    """Whether each referral is there, and what came second is what it says."""
    async with exchange.database() as database:
        found = await database.fetch(
            "select r.priority, (select count(*) from history h where h.stream_id = r.id"
            " and h.type = 'referral-amended') as amended from referral r where sender_referral_id = any ($1)",
            names,
        )
    return [(r["priority"], r["amended"]) for r in found] == [("urgent", 1)] * len(names)


async def test_what_failed_us_is_replayed_in_order_and_once(own: RunningExchange) -> None:
    names = [f"BOOM-{n}" for n in range(6)]
    async with own.database() as database:
        await database.execute(
            "alter table referral add constraint boom check (sender_referral_id not like 'BOOM%')"
        )
    async with own.publisher(CLINIC) as publisher:
        for name in names:
            await publisher.submit(submission(name))
            await publisher.submit(submission(name) | {"priority": "urgent"})

    async def failed() -> bool:
        return await parked(own) == 2 * len(names)

    await until(failed, timeout_s=30)
    beside = await submitted(own, CLINIC, f"STOP-{uuid4()}")
    await until(lambda: known(own, beside), timeout_s=20)
    found = json.loads((await refex(own, "dead-letters", "list", "--json")).stdout)["items"]
    reasons = [r["reason"] for r in found if r["reason"] in ("our-failure", "waits")]
    assert sorted(reasons) == ["our-failure"] * len(names) + ["waits"] * len(names)
    async with own.database() as database:
        await database.execute("alter table referral drop constraint boom")
    letters = sorted(r["id"] for r in found if r["reason"] in ("our-failure", "waits"))
    shown = json.loads((await refex(own, "dead-letters", "show", letters[0], "--json")).stdout)
    assert "replay" in shown["next"] and shown["kind"] == "referral" and "value" not in shown
    first = json.loads((await refex(own, "dead-letters", "replay", *letters, "--json")).stdout)
    assert sorted(first["replayed"]) == letters and first["left"] == []
    await until(lambda: amended_once(own, names), timeout_s=30)
    again = json.loads((await refex(own, "dead-letters", "replay", *letters, "--json")).stdout)
    assert again["replayed"] == [] and sorted(again["left"]) == letters
    beside = await submitted(own, CLINIC, f"STOP-{uuid4()}")
    await until(lambda: known(own, beside), timeout_s=20)
    await asyncio.sleep(1)
    assert await amended_once(own, names), "released twice, applied once"
    assert await parked(own) == 0


STEPS = ("routine", "urgent", "asap", "stat")


async def mended(exchange: RunningExchange, names: list[str]) -> list[str]:
    """Dead letters as a release leaves them that could not read what is well: four of each referral, in order."""
    rows, topic = [], topics.intake(CLINIC)
    for step, priority in enumerate(STEPS):
        for number, name in enumerate(names):
            asked = check.submission(submission(name) | {"priority": priority}, datetime.now(UTC))
            said = Said(ids.event_id(CLINIC, "mended", name, priority), CLINIC, datetime.now(UTC))
            record = submitted_record(said, asked)
            offset = 1_000_000_000 + step * len(names) + number
            place = (topic, ids.partition(ids.lane(ids.referral_id(CLINIC, name)), PARTITIONS), offset)
            rows.append((ids.origin_id(*place), CLINIC, *place, "our-failure", "-", record.key, record.value))
    async with exchange.database() as database:
        await database.executemany(
            "insert into dead_letter values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now())", rows
        )
    return sorted(str(row[0]) for row in rows)


async def test_a_thousand_dead_letters_replayed_twice_are_a_thousand_effects_in_order(
    own: RunningExchange,
) -> None:
    names = [f"MENDED-{n}" for n in range(250)]
    letters = await mended(own, names)
    effects = (
        "select count(*) filter (where h.type = 'referral-received') as received,"
        " count(*) filter (where h.type = 'referral-amended') as amended,"
        " count(distinct r.id) filter (where r.priority = 'stat') as last"
        " from referral r join history h on h.stream_id = r.id where r.sender_referral_id like 'MENDED-%'"
    )

    async def all_there() -> bool:
        async with own.database() as database:
            found = await database.fetch(effects)
        return [tuple(row) for row in found] == [(250, 750, 250)]

    first = await replayed(own, letters)
    assert sorted(first["replayed"]) == letters
    await until(all_there, timeout_s=60)
    assert (await replayed(own, letters))["replayed"] == []
    async with own.database() as database:  # as if the command had died before it could note what it sent
        await database.execute("update dead_letter set replayed_at = null where reason = 'our-failure'")
    assert len((await replayed(own, letters))["replayed"]) == 1000
    beside = [await submitted(own, CLINIC, named(partition)) for partition in range(PARTITIONS)]

    async def all_known() -> bool:
        return all([await known(own, one) for one in beside])

    await until(all_known, timeout_s=60)
    assert await all_there(), "sent twice, applied once, in the order they had"


async def replayed(exchange: RunningExchange, letters: list[str]) -> Any:
    return json.loads((await refex(exchange, "dead-letters", "replay", *letters, "--json")).stdout)


async def test_a_topic_made_anew_stops_until_the_loss_is_accepted(own: RunningExchange) -> None:
    topic = topics.intake(PLAN)
    first = await submitted(own, PLAN, f"STOP-{uuid4()}")
    await until(lambda: known(own, first), timeout_s=20)
    admin = declared.administrator(own.kafka_login())
    for done in admin.delete_topics([topic]).values():
        await asyncio.to_thread(done.result, 20)
    await asyncio.sleep(1)
    await declared.apply(own.kafka_login(), PARTITIONS, [PLAN])

    async def stopped() -> bool:
        async with own.database() as database:
            why = await database.fetchval("select min(stopped) from progress where topic = $1", topic)
        return why is not None and "recreated" in why and f"refex progress reset {topic} --accept-loss" in why

    await until(stopped, timeout_s=90)
    lost = await submitted(own, PLAN, f"STOP-{uuid4()}")
    await asyncio.sleep(2)
    assert not await known(own, lost)
    assert (await refex(own, "progress", "reset", topic)).code == 2
    ran = await refex(own, "progress", "reset", topic, "--accept-loss", "--json")
    assert len(json.loads(ran.stdout)["items"]) == PARTITIONS, ran.stderr
    await until(lambda: known(own, lost), timeout_s=60)
    async with own.database() as database:
        noted = await database.fetch(
            "select partition, why, by_whom from progress_reset where topic = $1", topic
        )
    assert len(noted) == PARTITIONS and all(n["by_whom"] for n in noted)
    again = await refex(own, "progress", "reset", topic, "--accept-loss", "--json")
    assert json.loads(again.stdout) == {"items": []}
