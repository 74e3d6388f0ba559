"""An offer accepted by several organizations at once, on real Kafka with three workers: exactly one holds it."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer

from producers import envelope
from producers.envelope import Said
from referrals import ids
from tests.support.load import synthetic
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
CLINIC, HUB, OFFERS = "lakeview-health", "county-hub", 24


async def offered(exchange: RunningExchange, number: int, services: list[str]) -> dict[str, Any]:
    """A referral that its hub has offered to these services in one round."""
    name = f"OFFER-{number}-{datetime.now(UTC):%H%M%S%f}"
    body = synthetic(number) | {"sender_referral_id": name, "routing": "ask-first"}
    referral = ids.referral_id(CLINIC, name)
    async with exchange.http(CLINIC) as http:
        assert (await http.post("/v1/referrals", json=body)).status_code == 202

    async def given() -> dict[str, Any]:
        async with exchange.http(HUB) as http:
            path = f"/v1/referrals/{referral}/assign"
            answer = await http.post(path, json={"services": services, "reason": "all are near"})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    return await until(given)


async def services(exchange: RunningExchange) -> list[str]:
    """A food service of each of three organizations."""
    async with exchange.http(HUB) as http:
        found = (await http.get("/v1/services?need=food-insecurity&near=94607&limit=50")).json()["items"]
    owners: dict[str, str] = {}
    for service in found:
        owners.setdefault(str(service["organization"]["id"]), service["id"])
    assert len(owners) >= 3
    return list(owners.values())[:3]


async def held(exchange: RunningExchange, referral: str) -> list[str]:
    async with exchange.database() as database:
        rows = await database.fetch("select status from hop where referral_id = $1", UUID(referral))
    return sorted(r["status"] for r in rows)


async def test_of_all_who_accept_at_once_over_http_one_wins_and_the_others_keep_away(
    exchange: RunningExchange,
) -> None:
    picked = await services(exchange)
    offers = [await offered(exchange, n, picked) for n in range(OFFERS // 2)]

    async def accept(referral: dict[str, Any], hop: dict[str, Any]) -> Any:
        async with exchange.http(hop["organization"]) as http:
            return await http.post(
                f"/v1/referrals/{referral['id']}/responses", json={"action": "accept", "hop": hop["hop"]}
            )

    for referral in offers:
        answers = await asyncio.gather(*(accept(referral, hop) for hop in referral["hops"]))
        assert sorted(a.status_code for a in answers) == [200, 409, 409], [a.text for a in answers]
        for lost in (a.json() for a in answers if a.status_code == 409):
            assert lost["reason"] == "taken" and "do not contact the person" in lost["detail"]
        assert await held(exchange, referral["id"]) == ["accepted", "cancelled", "cancelled"]


async def test_of_all_who_accept_at_once_on_any_partition_one_wins(exchange: RunningExchange) -> None:
    picked = await services(exchange)
    offers = [await offered(exchange, 100 + n, picked) for n in range(OFFERS // 2)]
    producer = AIOKafkaProducer(**exchange.kafka_login().aiokafka(), acks="all", enable_idempotence=True)
    await producer.start()
    events: dict[UUID, str] = {}
    try:
        sends = []
        for referral in offers:
            for place, hop in enumerate(referral["hops"]):
                event = ids.event_id(hop["organization"], "offer", hop["hop"])
                said = Said(event, hop["organization"], datetime.now(UTC))
                record = envelope.responded(said, UUID(referral["id"]), "accept", hop=hop["hop"])
                partitions = sorted(await producer.partitions_for(record.topic))
                events[event] = referral["id"]
                sends.append(
                    await producer.send(
                        record.topic, record.value, record.key, partition=partitions[place % len(partitions)]
                    )
                )
        await asyncio.gather(*sends)
    finally:
        await producer.stop()

    async def decided() -> list[Any]:
        async with exchange.database() as database:
            rows = await database.fetch(
                "select event_id, outcome, reason from inbox where event_id = any ($1::uuid[])", list(events)
            )
        assert len(rows) == len(events)
        return list(rows)

    outcomes = await until(decided)
    for referral in offers:
        of_it = [r for r in outcomes if events[r["event_id"]] == referral["id"]]
        assert sorted((r["outcome"], r["reason"] or "") for r in of_it) == [
            ("applied", ""),
            ("rejected", "taken"),
            ("rejected", "taken"),
        ]
        assert await held(exchange, referral["id"]) == ["accepted", "cancelled", "cancelled"]
