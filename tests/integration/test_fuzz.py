"""Requests generated from the API's description, by everybody: no failure of ours, every answer as described."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.support import fuzz
from tests.support.api import Api
from tests.support.fuzz import Fuzzed
from tests.support.matrix.people import ended, everybody
from tests.support.matrix.world import World

pytestmark = pytest.mark.real
CASES, SEED = 1_000, 20261123
LONGEST_S = 10.0


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


async def fuzzed(api: Api, number: int, seed: int) -> list[Fuzzed]:
    """That many cases, sent over the principals to objects that there are."""
    world = World(api)
    await world.make()
    people = [*await everybody(api), *await ended(api)]
    ids = [thing.id for kind in ("referral", "service", "contract", "link") for thing in world.of(kind)]
    return await fuzz.sent(api, fuzz.cases(number, seed), people, ids, seed)


async def test_generated_requests_find_no_failure(api: Api) -> None:
    found = await fuzzed(api, CASES, SEED)
    past = sum(one.past for one in found)
    print(f"{len(found)} cases, {past} past authentication, {dict(Counter(one.status for one in found))}")
    assert len(found) >= CASES
    assert past >= 0.6 * len(found)
    assert (wrong := list(fuzz.wrong(found, LONGEST_S))) == [], "\n".join(wrong[:40])
