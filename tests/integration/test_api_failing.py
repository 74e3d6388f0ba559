"""Over a real socket: large bodies, streams, and what callers get while Kafka or Postgres is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from producers.producer import BrokerAway
from tests.support.api import Api
from tests.support.people import entered, joined, token_of
from tests.support.referrals import body


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
async def url(api: Api) -> AsyncIterator[str]:
    """The application behind uvicorn on a free port."""
    config = uvicorn.Config(api.app, port=0, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


@asynccontextmanager
async def client(api: Api, url: str, organization: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {await api.token(organization)}"} if organization else {}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=15, trust_env=False) as http:
        yield http


async def test_a_body_over_one_mebibyte_is_413_and_the_sender_sees_it(api: Api, url: str) -> None:
    async with client(api, url, "clinic-a") as http:
        for size in (1_048_577, 10_000_000):
            got = await http.post(
                "/v1/referrals", content=b"x" * size, headers={"content-type": "application/json"}
            )
            assert (got.status_code, got.headers["content-type"]) == (413, "application/problem+json")
        fine = await http.post("/v1/referrals", json=body("small"))
        assert fine.status_code == 202

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 65_536

    async with client(api, url, "clinic-a") as http:
        assert (await http.post("/v1/referrals", content=chunks())).status_code == 413
    async with client(api, url) as http:
        assert (await http.post("/v1/referrals", content=b"x" * 4_000_000)).status_code == 401


async def test_a_record_larger_than_the_log_takes_is_413(api: Api, url: str) -> None:
    async with client(api, url, "clinic-a") as http:
        need = {"domain": "food-insecurity", "note": "n" * 1_020_000}
        got = await http.post("/v1/referrals", json=body("big", need=need))
    assert got.status_code == 413


async def test_kafka_away_is_503_and_nothing_else(api: Api, url: str) -> None:
    referral = await api.submitted()
    api.broker.away = True
    try:
        async with client(api, url, "clinic-a") as http:
            got = await http.post("/v1/referrals", json=body("away"))
            assert (got.status_code, got.json()["type"]) == (503, "urn:refex:problem:away")
            assert int(got.headers["retry-after"]) >= 1
            assert (await http.get(f"/v1/referrals/{referral['id']}")).status_code == 200
            assert (await http.post("/v1/referrals", json={})).status_code == 422
    finally:
        api.broker.away = False


async def test_a_broker_that_hangs_is_503_within_five_seconds(
    api: Api, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(records: object) -> object:
        await asyncio.sleep(8)
        raise BrokerAway("late")

    monkeypatch.setattr(api.broker, "send", hang)
    async with client(api, url, "clinic-a") as http:
        started = time.monotonic()
        assert (await http.post("/v1/referrals", json=body("hang"))).status_code == 503
        assert time.monotonic() - started < 5


async def test_postgres_frozen_is_503_within_five_seconds(api: Api, url: str) -> None:
    paths = ["/v1/me", "/v1/referrals", "/v1/referrals/x", "/readyz", "/fhir/Task/x"]
    asks = {"grant_type": "client_credentials"}
    async with client(api, url, "clinic-a") as http:
        assert (await http.get("/v1/me")).status_code == 200
        api.pause_postgres(True)
        try:
            started = time.monotonic()
            token = http.post("/oauth/token", data=asks, auth=("a", "b"))
            said = await asyncio.gather(*map(http.get, paths), token)
            assert time.monotonic() - started < 5, "the slowest of them"
            assert [got.status_code for got in said] == [503] * len(said)
            assert all("retry-after" in got.headers for got in said[: len(paths)])
            assert (await http.get("/livez")).status_code == 200
        finally:
            api.pause_postgres(False)
        assert (await http.get("/v1/me")).status_code == 200


async def events(lines: AsyncIterator[str], wanted: int) -> list[tuple[str, str]]:
    """The next events of a stream: (event, data)."""
    found: list[tuple[str, str]] = []
    name = ""
    async for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        if field == "data":
            found.append((name, value))
        if len(found) >= wanted:
            return found
    return found


async def test_the_stream_tells_each_caller_of_its_own_referrals(api: Api, url: str) -> None:
    async with client(api, url, "clinic-a") as mine, client(api, url, "clinic-b") as other:
        async with (
            mine.stream("GET", "/v1/events/stream") as a,
            other.stream("GET", "/v1/events/stream") as b,
        ):
            assert a.headers["content-type"].startswith("text/event-stream")
            lines_a, lines_b = a.aiter_lines(), b.aiter_lines()
            assert (await events(lines_a, 1))[0][0] == "ready"
            assert (await events(lines_b, 1))[0][0] == "ready"
            referral = await api.submitted("clinic-a")
            found = await asyncio.wait_for(events(lines_a, 3), 5)
            assert all(name == "referral" and referral["id"] in data for name, data in found)
            assert '"version":1' in found[0][1]
            assert "Synthetic" not in str(found)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(events(lines_b, 1), 1.5)


async def test_a_stream_continues_where_it_ended(api: Api, url: str) -> None:
    async with client(api, url, "clinic-a") as http:
        async with http.stream("GET", "/v1/events/stream") as first:
            async for line in first.aiter_lines():
                if line.startswith("id: "):
                    position = line[4:]
                    break
        referral = await api.submitted("clinic-a")
        headers = {"Last-Event-ID": position}
        async with http.stream("GET", "/v1/events/stream", headers=headers) as second:
            found = await asyncio.wait_for(events(second.aiter_lines(), 2), 8)
    assert referral["id"] in found[1][1]


async def test_a_stream_ends_when_its_credentials_do(api: Api, url: str) -> None:
    answer = await _token(url, "food-b")
    headers = {"Authorization": f"Bearer {answer}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as http:
        async with http.stream("GET", "/v1/events/stream") as stream:
            lines = stream.aiter_lines()
            assert (await events(lines, 1))[0][0] == "ready"
            async with api.owner() as owner:
                await owner.execute("delete from access_token where tenant = 'food-b'")
            found = await asyncio.wait_for(events(lines, 100), 15)
    assert found[-1][0] == "closed"


async def test_a_stream_ends_at_once_when_its_person_logs_out(api: Api, url: str) -> None:
    async with client(api, url) as http:
        email = await joined(api, "clinic-a")
        assert (await entered(http, email)).status_code == 303
        token = await token_of(http)
        async with http.stream("GET", "/v1/events/stream") as stream:
            lines = stream.aiter_lines()
            assert (await events(lines, 1))[0][0] == "ready"
            assert (await http.post("/logout", data={"csrf": token})).status_code == 303
            found = await asyncio.wait_for(events(lines, 100), 2)
    assert found[-1][0] == "closed"


async def _token(url: str, organization: str) -> Any:
    from tests.support.api import SECRET

    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        got = await http.post(
            "/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(f"{organization}-client", SECRET),
        )
    return got.json()["access_token"]
