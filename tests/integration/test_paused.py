"""A service that leaves requests unanswered is paused: its organization and the hub are told, once, and nobody else."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from api.pages.paused import paused
from infra.postgres import connect, pool
from referrals.service_record import Record
from referrals.wanted import policy
from stream_processors import service_record
from tests.support.api import Api
from tests.support.referrals import service

pytestmark = pytest.mark.real
OWNER = (service("food-a").id, "food-a")
NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
TOLD = frozenset({"food-a", "hub", "clinic-a"})


@pytest.fixture
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("paused")) as api:
        yield api


async def tell(writer: asyncpg.Pool, record: Record) -> None:
    told = service_record.Told()
    told.records[OWNER] = record
    async with writer.acquire() as connection, connection.transaction():
        await service_record.save(connection, told, TOLD, "hub", policy().pause_after_expiries)


async def silence(writer: asyncpg.Pool, hour: int) -> None:
    await tell(writer, Record(asked=1, expired=1, expiries=(NOW + timedelta(hours=hour),)))


async def seen(api: Api, organization: str, kind: str) -> list[str]:
    """The services a page of that organization would name."""
    connection = await connect(api.url, "api")
    try:
        async with connection.transaction():
            await connection.execute(
                "select set_config('refex.organization', $1, true), set_config('refex.organization_type', $2, true)",
                organization,
                kind,
            )
            return [row["organization"] for row in await paused(connection, None)]
    finally:
        await connection.close()


async def deliveries(api: Api) -> list[tuple[str, str]]:
    async with api.owner() as owner:
        rows = await owner.fetch(
            "select recipient, type from delivery where kind = 'service' order by recipient"
        )
    return [(r["recipient"], r["type"]) for r in rows]


async def test_its_organization_and_the_hub_are_told_once_a_pause(api: Api) -> None:
    after = policy().pause_after_expiries
    async with await pool(api.url, "worker") as writer:
        for hour in range(after - 1):
            await silence(writer, hour)
        assert await deliveries(api) == [] and await seen(api, "food-a", "cbo") == []
        await silence(writer, after)
        await silence(writer, after + 1)
        once = [("food-a", "service-paused"), ("hub", "service-paused")]
        assert await deliveries(api) == once
        assert await seen(api, "food-a", "cbo") == await seen(api, "hub", "hub") == ["food-a"]
        assert await seen(api, "food-b", "cbo") == await seen(api, "clinic-a", "clinic") == []
        await tell(writer, Record(accepted=1, answered_at=NOW + timedelta(hours=after + 2)))
        assert await seen(api, "hub", "hub") == []
        for hour in range(after + 3, 2 * after + 3):
            await silence(writer, hour)
        assert await deliveries(api) == sorted(once * 2)
