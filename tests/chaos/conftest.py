"""One exchange that is made to die, shared by the fixed core of the chaos tests."""

from collections.abc import AsyncIterator

import pytest

from tests.support.rig import Rig, rig


@pytest.fixture(scope="package")
async def core(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """Two workers and everything else, under the rig's supervision."""
    async with rig(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.fixture
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """An exchange for one long run alone."""
    async with rig(tmp_path_factory.mktemp("chaos")) as made:
        yield made
