"""docker-compose.yml without Docker: each service's own command and environment, as processes, in compose's order.

Kafka and Postgres are the embedded ones; the owner is made by compose's own owner.sql. Only addresses, mounted
directories and the port are replaced in what a service is given.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from infra.embedded import postgres
from infra.embedded.postgres_programs import PostgresPrograms, find_programs
from infra.embedded.services import EmbeddedServices
from infra.settings import settings
from producers.publisher import ReferralPublisher
from tests.support.containers import PARTS, SERVICES, Containers, bring_up, own_the_database

pytestmark = pytest.mark.real

SUBMISSION = {
    "sender_referral_id": "CONTAINER-1",
    "person": {
        "person_id": "P-1",
        "given_name": "Odo",
        "family_name": "Birch-Test",
        "birth_date": "1990-01-31",
    },
    "need": {"domain": "food-insecurity"},
    "consent": {"status": "active"},
}


@pytest.fixture(scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServices]:
    data = tmp_path_factory.mktemp("embedded")
    for folder in (data, data.parent, data.parent.parent):
        folder.chmod(0o711)  # the database's own user passes through
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "find_programs", compose_s_version)
        async with EmbeddedServices(data, settings().cache_path) as running:
            yield running


def compose_s_version(version: int | None) -> list[PostgresPrograms]:
    """The Postgres that compose names, if this machine has it; else whichever there is."""
    wanted = int(SERVICES["postgres"]["image"].partition(":")[2].partition(".")[0])
    found = find_programs(version)
    return [it for it in found if it.major == wanted] or found


@pytest.fixture(scope="module")
async def containers(
    services: EmbeddedServices, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Containers]:
    made = Containers(tmp_path_factory.mktemp("compose"), services)
    assert PARTS[0] == "credentials"
    made.run("credentials")
    secrets = made.root / "secrets"
    for part in ("admin", "api", "worker"):
        replace(secrets / part / "database_url", made.mapped)
    replace(secrets / "admin" / "kafka_password", lambda *_: services.kafka.admin_password)
    await own_the_database(services, made)
    try:
        for name in PARTS[1:]:
            await asyncio.to_thread(bring_up, made, name)
        yield made
    finally:
        made.stop()


def replace(path: Path, change: Any) -> None:
    path.chmod(0o600)
    path.write_text(change(path.read_text(), ""))


@pytest.fixture
async def api(containers: Containers) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://127.0.0.1:{containers.port}"
    async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:
        yield client


async def token(api: httpx.AsyncClient, client: str, secret: str) -> dict[str, str]:
    answer = await api.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=(client, secret))
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_compose_starts_its_parts_in_this_order() -> None:
    assert PARTS[:4] == ["credentials", "migrate", "topics", "logins"]
    assert set(PARTS[4:]) == {"api", "worker", "notify"}


async def test_the_api_is_ready(api: httpx.AsyncClient) -> None:
    answer = await api.get("/readyz")
    assert answer.status_code == 200, answer.text


async def test_no_part_has_more_rights_than_its_own(containers: Containers) -> None:
    """The owner is no superuser; the parts' logins own nothing and inherit nothing."""
    connection = await asyncpg.connect((containers.root / "secrets" / "admin" / "database_url").read_text())
    try:
        rows = await connection.fetch(
            "select rolname, rolsuper, rolinherit, rolcreaterole, rolbypassrls from pg_roles"
            " where rolname like 'refex\\_%login' or rolname = 'refex_owner'"
        )
        query = "select distinct usename from pg_stat_activity where application_name like 'refex-%'"
        async with asyncio.timeout(30):  # a worker is alive before it has a session
            while len(sessions := {r["usename"] for r in await connection.fetch(query)}) < 2:
                await asyncio.sleep(0.2)
    finally:
        await connection.close()
    rights = {r["rolname"]: r for r in rows}
    assert rights.keys() == {"refex_owner", "refex_api_login", "refex_worker_login"}
    assert not any(r["rolsuper"] or r["rolbypassrls"] for r in rows)
    assert not any(rights[f"refex_{part}_login"]["rolinherit"] for part in ("api", "worker"))
    assert sessions == {"refex_api_login", "refex_worker_login"}


async def test_a_referral_goes_all_the_way(containers: Containers, api: httpx.AsyncClient) -> None:
    """A sender is added as the compose file's head says, publishes by Kafka and reads by HTTP."""
    added = ["participant", "add", "bay-clinic", "--type", "clinic", "--name", "Bay Clinic", "--json"]
    made = json.loads(await asyncio.to_thread(containers.run, "topics", added))
    async with ReferralPublisher(
        bootstrap=containers.places["kafka:9092"],
        organization="bay-clinic",
        username=made["kafka"]["username"],
        password=made["kafka"]["password"],
    ) as publisher:
        sent = await publisher.submit(SUBMISSION)
    (client,) = made["clients"]
    headers = await token(api, client["client_id"], client["client_secret"])
    async with asyncio.timeout(30):
        while (answer := await api.get(f"/v1/referrals/{sent.id}", headers=headers)).status_code != 200:
            await asyncio.sleep(0.2)
    assert answer.json()["status"] in ("received", "needs-review", "requested")


async def test_prometheus_reads_the_metrics_and_nobody_else(
    containers: Containers, api: httpx.AsyncClient
) -> None:
    secret = (containers.root / "secrets" / "metrics" / "client_secret").read_text()
    headers = await token(api, "metrics-reader-client", secret)
    answer = await api.get("/metrics", headers=headers)
    assert answer.status_code == 200 and "refex_referrals" in answer.text
    assert (await api.get("/metrics")).status_code == 401
    assert (await api.get("/v1/referrals", headers=headers)).status_code == 403


async def test_running_the_one_shots_again_changes_nothing(
    containers: Containers, api: httpx.AsyncClient
) -> None:
    """`docker compose up` after an upgrade."""
    for name in ("credentials", "migrate", "topics", "logins"):
        await asyncio.to_thread(containers.run, name)
    assert (await api.get("/readyz")).status_code == 200
    assert all(process.poll() is None for process in containers.running.values())


async def test_the_parts_stop_when_told(containers: Containers) -> None:
    codes = await asyncio.to_thread(containers.stop)
    assert all(code in (0, -signal.SIGTERM, 128 + signal.SIGTERM) for code in codes.values()), codes
    containers.running.clear()
