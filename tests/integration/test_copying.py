"""Rows by COPY under the writer's own role: there in their transaction, gone after it, whichever way it ended."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from infra.copying import copy, temporary
from infra.postgres import pool
from tests.support.api import Api

pytestmark = pytest.mark.real
SAID = temporary("said", "n int, word text")
ROWS = [(n, f"word {n}") for n in range(1000)]


@pytest.fixture
async def sessions(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[asyncpg.Pool]:
    async with Api(tmp_path_factory.mktemp("copying")) as api:
        async with await pool(api.url, "worker", min_size=2, max_size=2, prepare=SAID) as made:
            yield made


async def test_rows_stay_in_their_transaction_and_session(sessions: asyncpg.Pool) -> None:
    count = "select count(*) from pg_temp.said"
    async with sessions.acquire() as one, sessions.acquire() as other:
        async with one.transaction():
            await copy(one, "said", ROWS)
            assert await one.fetchval(count) == len(ROWS)
            assert await other.fetchval(count) == 0
        assert await one.fetchval(count) == 0, "a commit empties it"
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with one.transaction():
                await copy(one, "said", ROWS)
                await one.execute("select 1 / 0")
        async with one.transaction():
            await copy(one, "said", iter(ROWS[:3]))
            assert await one.fetchval(count) == 3, "what was rolled back is gone, and it can be filled again"


async def test_a_session_that_is_not_reset_is_still_the_parts_own(sessions: asyncpg.Pool) -> None:
    for _ in range(3):
        async with sessions.acquire() as connection, connection.transaction():
            await connection.execute("set local work_mem = '8MB'")
            await copy(connection, "said", ROWS)
    async with sessions.acquire() as connection:
        who = await connection.fetchrow("select current_user as role, current_setting('work_mem') as memory")
        assert who is not None and who["role"] == "refex_writer" and who["memory"] != "8MB"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("select * from session")
    with pytest.raises(asyncpg.InterfaceError):
        await connection.execute("select 1")
