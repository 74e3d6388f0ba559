"""Every Postgres version on this machine: the migrations run, and each part can take its role with the owner's URL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra import migrate
from infra.embedded import postgres
from infra.embedded.postgres_programs import PostgresPrograms, find_programs
from infra.embedded.services import EmbeddedServices
from infra.postgres import ROLES, connect
from infra.settings import settings

pytestmark = pytest.mark.real

FOUND = {found.major: found for found in reversed(find_programs(None))}


@pytest.fixture(params=list(FOUND))
async def url(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """The owner's URL of a migrated database of one version."""

    def only(version: int | None) -> list[PostgresPrograms]:
        return [FOUND[request.param]]

    monkeypatch.setattr(postgres, "find_programs", only)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)  # the database's own user passes through
    async with EmbeddedServices(tmp_path / "data", settings().cache_path) as services:
        await migrate.migrate(services.postgres.url)
        yield services.postgres.url


async def test_each_part_takes_its_role(url: str) -> None:
    assert await migrate.migrate(url) == [], "again does nothing"
    for part, role in ROLES.items():
        connection = await connect(url, part)
        try:
            assert await connection.fetchval("select current_user") == role
        finally:
            await connection.close()
