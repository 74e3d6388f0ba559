"""The API under pressure: outages, streams nobody reads, a client at ten times its quota, SIGTERM with all of it open.

Probes, memory and exit codes are those of a real process; the line to Postgres is a proxy that hangs or is cut.
"""

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import uuid4

import httpx
import pytest

from infra import passwords
from infra.scopes import scope_of
from referrals.words import OrganizationType
from tests.support.load import synthetic
from tests.support.parts import Part, Servers, servers
from tests.support.pressing import Pressure, never_read
from tests.support.proxy import Proxy
from tests.support.running import until

pytestmark = pytest.mark.real
CLINIC, OTHER = "riverside-clinic", "lakeview-health"
SECRET = "synthetic-secret"
GONE_S, BACK_S, LEAVE_S = 5.0, 10.0, 20.0
GROWN_MIB = 100


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    async with servers(tmp_path_factory.mktemp("pressure")) as started, started.part("worker"):
        yield started


@pytest.fixture
async def line(running: Servers) -> AsyncIterator[Proxy]:
    async with Proxy("127.0.0.1", running.services.postgres.state.port) as proxy:
        yield proxy


@pytest.fixture
async def api(running: Servers) -> AsyncIterator[Part]:
    async with running.part("api", name=f"api-{uuid4().hex[:6]}") as started:
        await started.until("/readyz", 200, 30)
        yield started


async def token(running: Servers, api: Part, organization: str, kind: str = "clinic") -> str:
    """A token of a client of its own."""
    client = f"{organization}-{uuid4().hex[:8]}"
    async with running.database() as database:
        await database.execute(
            "insert into client (client_id, tenant, secret_hash, scope) values ($1, $2, $3, $4)",
            client,
            organization,
            passwords.hash_secret(SECRET),
            scope_of(OrganizationType(kind)),
        )
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"http://127.0.0.1:{api.port}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(client, SECRET),
        )
    return str(answer.raise_for_status().json()["access_token"])


def http(api: Part, bearer: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {bearer}"}
    address = f"http://127.0.0.1:{api.port}"
    return httpx.AsyncClient(base_url=address, headers=headers, timeout=15, trust_env=False)


async def streams(api: Part) -> int:
    """How many event streams the API counts."""
    async with httpx.AsyncClient(trust_env=False, timeout=15) as client:
        text = (await client.get(f"http://127.0.0.1:{api.port}/metrics")).text
    return int(float(re.findall(r"(?m)^refex_event_streams (\S+)", text)[0]))


@pytest.mark.parametrize("how", ["hang", "cut"])
async def test_the_api_says_that_postgres_is_away(running: Servers, line: Proxy, how: str) -> None:
    async with running.part("api", database_port=line.port, name=f"api-{how}") as api:
        await api.until("/readyz", 200, 30)
        getattr(line, how)()
        gone = await api.until("/readyz", 503, GONE_S)
        assert await api.answers("/livez") == 200
        assert await api.answers("/v1/me") in (401, 503)
        line.mend()
        back = await api.until("/readyz", 200, BACK_S)
        print(f"{how}: not ready after {gone:.1f} s, ready again after {back:.1f} s")


async def test_the_api_says_that_the_broker_is_away(running: Servers, api: Part) -> None:
    with running.frozen("kafka"):
        gone = await api.until("/readyz", 503, GONE_S)
        assert await api.answers("/livez") == 200
    back = await api.until("/readyz", 200, BACK_S)
    print(f"broker: not ready after {gone:.1f} s, ready again after {back:.1f} s")


@pytest.mark.parametrize("clients", [3, pytest.param(25, marks=pytest.mark.long)])
async def test_streams_that_are_never_read_are_left_and_cost_little(
    running: Servers, api: Part, clients: int
) -> None:
    bearers = [await token(running, api, CLINIC) for _ in range(clients)]
    before = api.memory()
    dead = [opened for bearer in bearers for opened in await never_read(api.port, bearer, 20)]

    async def all_open() -> bool:
        return await streams(api) == len(dead)

    await until(all_open, timeout_s=30)
    async with http(api, bearers[0]) as full:
        assert (await full.get("/v1/events/stream")).status_code == 429
    others = await token(running, api, CLINIC) if clients < 25 else None
    seen = await _published_while_reading(running, api, others)
    left = await streams(api)
    grown = api.memory("VmHWM") - before
    print(f"{len(dead)} streams unread: {left} left, RSS grew {grown:.0f} MiB, a reader saw {seen} facts")
    assert left <= 1, "whoever does not read is left after ten seconds"
    assert grown <= GROWN_MIB
    for opened in dead:
        opened.close()


async def _published_while_reading(running: Servers, api: Part, bearer: str | None) -> int:
    """Publish until every stream that is not read has been left; how many facts a reader saw of them."""
    seen: set[str] = set()

    async def read() -> None:
        if bearer is None:
            return
        async with http(api, bearer) as client, client.stream("GET", "/v1/events/stream") as stream:
            async for text in stream.aiter_lines():
                if '"id"' in text:
                    seen.add(text.split('"id":"')[1][:36])

    reading = asyncio.create_task(read())
    sent: set[str] = set()
    async with asyncio.timeout(150), running.publisher(CLINIC) as publisher:
        while await streams(api) > (1 if bearer else 0) or not sent:
            bodies = [synthetic(n) | {"sender_referral_id": uuid4().hex} for n in range(20)]
            sent |= {str(one.id) for one in await publisher.submit_many(bodies)}
            await asyncio.sleep(0.5)

    async def all_seen() -> bool:
        return bearer is None or sent <= seen

    await until(all_seen, timeout_s=20)
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading
    return len(seen)


async def test_a_client_at_ten_times_its_quota_is_refused_and_costs_no_other(
    running: Servers, api: Part
) -> None:
    mine, theirs = await token(running, api, CLINIC), await token(running, api, OTHER)
    alone = Pressure(api.port, theirs)
    await alone.press(20, 4, connections=4)
    greedy, other = Pressure(api.port, mine), Pressure(api.port, theirs)
    began = time.monotonic()
    await asyncio.gather(greedy.press(1000, 6), other.press(20, 6, connections=4))
    asked, allowed = greedy.statuses.total(), 100 + 100 * (time.monotonic() - began)
    calm, busy = alone.percentile(0.99), other.percentile(0.99)
    print(
        f"{dict(greedy.statuses)}; another's p99: alone {calm * 1000:.0f} ms, beside it {busy * 1000:.0f} ms"
    )
    assert greedy.statuses.keys() == {200, 429}
    assert asked > 1.5 * allowed, "it did not ask far too often"
    assert greedy.statuses[429] >= 0.99 * (asked - allowed)
    assert greedy.statuses[200] >= 100
    assert greedy.without_retry_after == 0
    assert other.statuses.keys() == {200}
    assert busy < 1.0


@pytest.mark.parametrize("frozen", [False, True])
async def test_the_api_leaves_in_time_and_keeps_what_it_acknowledged(running: Servers, frozen: bool) -> None:
    async with running.part("api", name=f"leaves-{frozen}") as api:
        await api.until("/readyz", 200, 30)
        bearer = await token(running, api, CLINIC)
        opened = await never_read(api.port, bearer, 5)
        acknowledged: list[str] = []

        async def submit() -> None:
            async with http(api, bearer) as client:
                with suppress(httpx.TransportError):
                    while True:
                        body = synthetic(1) | {"sender_referral_id": uuid4().hex}
                        answer = await client.post("/v1/referrals", json=body)
                        if answer.status_code == 202:
                            acknowledged.append(answer.json()["id"])

        asking = [asyncio.create_task(submit()) for _ in range(5)]
        await asyncio.sleep(2)
        if frozen:
            with running.frozen("postgres"):
                await asyncio.sleep(0.5)
                code, seconds = await api.ended(signal.SIGTERM, LEAVE_S)
        else:
            code, seconds = await api.ended(signal.SIGTERM, LEAVE_S)
        await asyncio.gather(*asking)
        for one in opened:
            one.close()
    print(
        f"SIGTERM, Postgres frozen: {frozen}: {seconds:.1f} s, status {code}, {len(acknowledged)} acknowledged"
    )
    assert code in (0, -signal.SIGTERM)
    assert acknowledged

    async def all_there() -> bool:
        async with running.database() as database:
            query = "select count(*) from referral where id = any ($1::uuid[])"
            return int(await database.fetchval(query, acknowledged)) == len(acknowledged)

    await until(all_there, timeout_s=60)
