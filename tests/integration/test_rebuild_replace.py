"""Lost projections are made whole again while the API runs: until then 503 `rebuilding`, never a partial list."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cli import rebuild as command
from stream_processors.projections import PROJECTIONS
from tests.integration.test_rebuild import where
from tests.support.api import Api, new
from tests.support.story import tell

pytestmark = pytest.mark.real
LOST = """
delete from referral where ctid in (select ctid from referral order by id limit 5);
update hop set status = 'failed' where status = 'requested';
update stream set data = '{}' where kind = 'consent';
delete from service_record;
delete from rejected_command;
update directory_version set version = version + 7
"""
"""A restore gone wrong: rows are missing, others are older or newer than history says."""


@pytest.fixture
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """An exchange of its own, with rows in every projection."""
    async with Api(tmp_path_factory.mktemp("replace")) as api:
        await tell(api)
        yield api


async def lose(api: Api) -> None:
    async with api.owner() as owner:
        for statement in LOST.split(";"):
            await owner.execute(statement)


async def listed(api: Api) -> Any:
    """The ids of everything that the clinic may see, or the kind of problem."""
    async with api.http("clinic-a") as http:
        answer = await http.get("/v1/referrals?limit=200")
    if answer.status_code == 200:
        return sorted(r["id"] for r in answer.json()["items"])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    return answer.json()["type"]


async def equal(api: Api) -> bool:
    result = await command.alone(where(api), "checked", "archive", True)
    return result.differences == [] and all(t.live == t.rebuilt for t in result.tables)


def cut_short(api: Api, tmp_path: Path) -> None:
    """Another process begins to replace, and is killed when everything is folded."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REFEX_")} | {
        "REFEX_DATABASE_URL": api.url,
        "REFEX_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "REFEX_DATA_DIR": str(tmp_path),
        "REFEX_DEVELOPMENT": "true",
        "REFEX_CRASH_AT": "rebuild.folded:1",
    }
    ran = subprocess.run(
        [sys.executable, "-m", "cli.main", "rebuild", "--replace"], env=environment, timeout=60
    )
    assert ran.returncode == -signal.SIGKILL


async def test_lost_tables_are_made_whole_and_no_list_is_ever_partial(api: Api, tmp_path: Path) -> None:
    whole = await listed(api)
    assert len(whole) >= 6 and await equal(api)
    await lose(api)
    assert not await equal(api)
    await asyncio.to_thread(cut_short, api, tmp_path)
    for path in ("/v1/referrals", f"/v1/referrals/{whole[0]}", f"/v1/referrals/{whole[0]}/events"):
        async with api.http("clinic-a") as http:
            problem = (await http.get(path)).json()
        assert (problem["status"], problem["title"]) == (503, "Rebuilding"), path
    async with api.http("clinic-a") as http:
        assert (await http.get(f"/fhir/Task/{whole[0]}")).status_code == 503
        assert (await http.post("/v1/referrals", json=new())).status_code == 503, "nothing is taken meanwhile"
        assert (await http.get("/livez")).status_code == 200
    async with api.http() as http:
        said = (await http.get("/readyz")).json()["checks"]["projections"]
    assert "refex rebuild --replace" in said
    replacing = asyncio.create_task(command.replaced(where(api), "archive"))
    seen = [await listed(api) async for _ in _until(replacing)]
    assert set(map(str, seen)) <= {"urn:refex:problem:rebuilding", str(whole)}, "a part was shown"
    assert seen[0] == "urn:refex:problem:rebuilding" and await listed(api) == whole
    result = await replacing
    assert [t.table for t in result.tables] == [p.table for p in PROJECTIONS]
    counted = {r.table: (r.removed, r.added) for r in result.replaced or ()}
    assert counted["directory_version"] == (1, 1) and counted["service"] == (0, 0), (
        "only what was wrong is touched"
    )
    assert counted["referral"] == (0, 5)
    assert await equal(api), "bit-equal"
    assert (await api.submitted())["status"] == "requested", "and it goes on"


async def _until(task: asyncio.Task[Any]) -> AsyncIterator[None]:
    yield
    while not task.done():
        yield
        await asyncio.sleep(0.005)


async def test_under_live_traffic_a_rebuild_is_equal_and_a_replacement_loses_nothing(api: Api) -> None:
    taken: list[str] = []
    busy = asyncio.create_task(_traffic(api, taken))
    try:
        for _ in range(3):
            before = len(taken)
            assert await equal(api)
            assert len(taken) > before, "records came while it looked"
        await lose(api)
        done = await command.replaced(where(api), "archive")
        assert done.differences
        assert await equal(api)
        before = len(taken)
        while len(taken) < before + 3:
            await asyncio.sleep(0.05)
    finally:
        busy.cancel()
    assert set(taken) <= set(await listed(api))


async def _traffic(api: Api, taken: list[str]) -> None:
    """Submissions, one after the other; what was acknowledged."""
    while True:
        async with api.http("clinic-a") as http:
            answer = await http.post("/v1/referrals", json=new())
        if answer.status_code in (200, 202):
            taken.append(answer.json()["id"])
        await asyncio.sleep(0.01)


async def test_a_replacement_that_was_cut_short_can_be_given_up(api: Api) -> None:
    async with api.owner() as owner:
        await owner.execute("insert into rebuilding (by_whom) values ('somebody')")
    assert await listed(api) == "urn:refex:problem:rebuilding"
    await command.abandoned(where(api))
    assert isinstance(await listed(api), list)
