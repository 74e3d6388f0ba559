"""The barrier of a deadline is of its generation: what follows it meanwhile comes due later and waits for more."""

from collections.abc import AsyncIterator

import pytest

from infra.postgres import connect
from stream_processors.store import columns
from stream_processors.timers import SQL
from tests.support.api import Api

pytestmark = pytest.mark.real


@pytest.fixture
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("barrier")) as api:
        yield api


async def test_a_barrier_read_for_one_deadline_is_not_given_to_the_one_that_has_replaced_it(api: Api) -> None:
    referral = (await api.submitted())["id"]
    timers = await connect(api.url, "worker")
    try:
        async with api.owner() as owner:
            await owner.execute("update deadline set due_at = now() where referral_id = $1", referral)
            due = await timers.fetch(SQL["newly_due"])
            seen = {r["kind"]: r["generation"] for r in due}
            assert "first-response" in seen and "acceptance" in seen
            await owner.execute(
                "update deadline set generation = generation + 1, due_at = now() + interval '1 day'"
                " where referral_id = $1 and kind = 'first-response'",
                referral,
            )
            rows = [(r["referral_id"], r["kind"], r["generation"], '{"referral.response/0": 0}') for r in due]
            await timers.execute(SQL["set_barrier"], *columns(rows))
            found = await owner.fetch("select kind, barrier from deadline where referral_id = $1", referral)
            barred = {r["kind"] for r in found if r["barrier"] is not None}
            assert barred == seen.keys() - {"first-response"}
    finally:
        await timers.close()
