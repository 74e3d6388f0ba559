"""A deadline is a row: any process finds it, and it fires only after what was said before it came due."""

from collections.abc import AsyncIterator
from typing import NamedTuple
from uuid import UUID

import asyncpg
import pytest

from infra.postgres import connect
from stream_processors.store import columns
from stream_processors.timers import SQL
from tests.support.api import Api

pytestmark = pytest.mark.real
PLACE, KIND = ("referral.response", 0), "first-response"


class Bench(NamedTuple):
    """A session as the timers have it, the owner's, and a referral whose first response came due."""

    session: asyncpg.Connection
    owner: asyncpg.Connection
    referral: UUID


@pytest.fixture
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with Api(tmp_path_factory.mktemp("deadlines")) as api, api.owner() as owner:
        referral = UUID((await api.submitted())["id"])
        await owner.execute("update deadline set due_at = now() - interval '1 second' where kind = $1", KIND)
        session = await connect(api.url, "worker")
        yield Bench(session, owner, referral)
        await session.close()


async def due(bench: Bench, query: str) -> set[tuple[UUID, str]]:
    return {(r["referral_id"], r["kind"]) for r in await bench.session.fetch(SQL[query])}


async def test_a_deadline_is_a_row_that_another_process_finds(bench: Bench) -> None:
    assert await due(bench, "newly_due") == {(bench.referral, KIND)}


async def test_a_deadline_waits_for_what_was_said_before_it_came_due(bench: Bench) -> None:
    read = "select next_offset from progress where topic = $1 and partition = $2"
    applied = await bench.owner.fetchval(read, *PLACE)
    barrier = f'{{"{PLACE[0]}/{PLACE[1]}": {applied + 1}}}'
    [came] = await bench.session.fetch(SQL["newly_due"])
    seen = (came["referral_id"], came["kind"], came["generation"], barrier)
    await bench.session.execute(SQL["set_barrier"], *columns([seen]))
    assert await due(bench, "ready") == set(), "an answer in Kafka is not applied yet"
    await bench.owner.execute("update progress set next_offset = next_offset + 1 where topic = $1", PLACE[0])
    assert await due(bench, "ready") == {(bench.referral, KIND)}
