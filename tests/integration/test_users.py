"""`refex user` and `refex participant oidc` against a running exchange: people come, change and go."""

import json
from pathlib import Path

import httpx
import pytest

from tests.support.command import refex
from tests.support.running import RunningExchange, until

pytestmark = pytest.mark.real
HOME = "lakeview-health"


async def gets_in(exchange: RunningExchange, email: str, password: str) -> bool:
    async with httpx.AsyncClient(base_url=exchange.url, trust_env=False) as http:
        got = await http.post("/login", data={"email": email, "password": password})
        return got.status_code == 303 and (await http.get("/v1/me")).status_code == 200


async def test_a_person_is_added_changed_shut_out_and_let_in_again(exchange: RunningExchange) -> None:
    email = "rosa@lakeview-health.example.org"
    added = await refex(exchange, "user", "add", HOME, email, "--role", "auditor", "--json")
    made = json.loads(added.stdout)["user"]
    assert (made["role"], added.code) == ("auditor", 0)
    assert await gets_in(exchange, email, made["password"])
    again = await refex(exchange, "user", "add", HOME, email.upper())
    assert again.code == 1 and "refex user reset" in again.stderr
    wrong = await refex(exchange, "user", "role", email, "navigator")
    assert wrong.code == 1 and "staff, admin, auditor" in wrong.stderr
    assert (await refex(exchange, "user", "role", email, "staff")).code == 0
    listed = json.loads((await refex(exchange, "user", "list", "--as", HOME, "--json")).stdout)["items"]
    assert {p["email"]: p["role"] for p in listed}[email] == "staff"
    assert made["password"] not in json.dumps(listed)
    assert (await refex(exchange, "user", "disable", email)).code == 0
    assert not await gets_in(exchange, email, made["password"])
    reset = json.loads((await refex(exchange, "user", "reset", email, "--json")).stdout)["user"]
    assert not await gets_in(exchange, email, made["password"])
    assert await gets_in(exchange, email, reset["password"])

    async def told() -> bool:
        return reset["password"] in [u["password"] for u in exchange.organization(HOME)["users"]]

    await until(told)


async def test_an_organizations_own_provider_is_registered(exchange: RunningExchange, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("synthetic")
    base = ("participant", "oidc", HOME)
    given = (
        "--client-id",
        "exchange",
        "--client-secret-file",
        str(secret),
        "--domain",
        "lakeview.example.org",
    )
    insecure = await refex(exchange, *base, "--issuer", "http://id.example.org", *given)
    assert insecure.code == 1 and "https" in insecure.stderr
    half = await refex(exchange, *base, "--issuer", "https://id.example.org")
    assert half.code == 2
    done = await refex(exchange, *base, "--issuer", "https://id.example.org", *given)
    assert done.code == 0 and f"{exchange.url}/login/oidc" in done.stdout
    assert "no identity provider" in (await refex(exchange, *base)).stdout
