"""`refex route --compare` on a real Postgres: how many would go elsewhere, read-only, nothing about a person."""

import json
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import asyncpg
import click
import pytest

from cli.route_compare import Compared, compare, read_policy, show
from infra.postgres import connect
from referrals.wanted import Policy, policy
from tests.support.api import Api
from tests.support.referrals import service
from tests.support.vault import vault

pytestmark = pytest.mark.real
PERSONAL = ("Synthetic", "Test St", "1980-02-01", "555 0100", "P-1")


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """Six referrals; food-a has an older row than food-b and is as near."""
    async with Api(tmp_path_factory.mktemp("compare")) as api:
        async with api.owner() as owner:
            for organization, day in (("food-a", "2026-10-01"), ("food-b", "2024-10-01")):
                await owner.execute(
                    "update service set routing = routing || $2::text::jsonb where id = $1",
                    service(organization).id,
                    json.dumps({"assured_date": day}),
                )
        for _ in range(6):
            await api.submitted()
        yield api


def other(tmp_path: Path, **weights: float) -> Policy:
    text = resources.files("referrals").joinpath("data", "routing_policy.json").read_text()
    changed = json.loads(text)
    changed["version"] = "what-if"
    changed["weights"] |= weights
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(changed))
    return read_policy(path)


async def everything(owner: asyncpg.Connection) -> list[str]:
    """Every row a command could have changed, hashed."""
    tables = ("referral", "hop", "history", "service_record", "service_capacity", "delivery", "deadline")
    query = "select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {} t"
    return [await owner.fetchval(query.format(table)) for table in tables]


async def test_the_same_policy_moves_nobody(api: Api) -> None:
    found = await compare(api.url, vault(), policy(), 100)
    assert (found.referrals, found.elsewhere, found.unreadable, found.examples) == (6, 0, 0, ())


async def test_another_policy_moves_those_it_would_and_changes_nothing(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with api.owner() as owner:
        before = await everything(owner)
        # the row assured last is punished instead of preferred
        found = await compare(api.url, vault(), other(tmp_path, freshness=-5.0, trust=-5.0), 100)
        assert await everything(owner) == before
    assert (found.policy, found.other, found.referrals, found.elsewhere) == (
        policy().version,
        "what-if",
        6,
        6,
    )
    assert [(n.need, n.referrals, n.elsewhere) for n in found.needs] == [("food-insecurity", 6, 6)]
    assert {(m.now, m.then) for m in found.examples} == {(service("food-a").id, service("food-b").id)}
    show(found)
    printed = capsys.readouterr().out
    assert "6 of 6 referrals would go elsewhere under what-if" in printed
    assert not [text for text in PERSONAL if text in printed]


async def test_only_the_newest_are_decided_again(api: Api) -> None:
    found: Compared = await compare(api.url, vault(), policy(), 2)
    assert found.referrals == 2


async def test_the_role_it_uses_may_not_write(api: Api) -> None:
    connection = await connect(api.url, "reader")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("delete from referral")
    await connection.close()


def test_a_file_that_is_no_policy_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text("{}")
    with pytest.raises(click.ClickException, match="no routing policy"):
        read_policy(path)
    with pytest.raises(click.ClickException, match="differing: kindness"):
        other(tmp_path, kindness=1.0)
