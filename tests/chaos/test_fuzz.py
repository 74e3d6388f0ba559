"""Ten thousand requests generated from the API's description: what the thousand of every test run may have missed."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.test_fuzz import fuzzed
from tests.support import fuzz
from tests.support.api import Api

pytestmark = [pytest.mark.real, pytest.mark.long]
CASES, SEED = 10_000, 42
LONGEST_S = 10.0


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


async def test_ten_thousand_generated_requests_find_no_failure(api: Api) -> None:
    found = await fuzzed(api, CASES, SEED)
    past = sum(one.past for one in found)
    print(f"{len(found)} cases, {past} past authentication")
    assert len(found) >= CASES and past >= 0.6 * len(found)
    assert (wrong := list(fuzz.wrong(found, LONGEST_S))) == [], "\n".join(wrong[:40])
