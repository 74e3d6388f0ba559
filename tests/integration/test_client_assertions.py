"""private_key_jwt through the token endpoint: keys registered and published, replays, and every forged assertion."""

import asyncio
import http.server
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.app import build
from api.limits import Buckets
from infra import signing_clients
from infra.participants import ParticipantError
from infra.settings import Settings
from producers import signing
from tests.support.api import SECRET, Api
from tests.support.assertions import Forger, ec, key_set, rsa, signed
from tests.support.vault import VAULT_KEY

CLIENT = "clinic-a-signing"


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("api")) as running:
        running.app.state.context.limits.tokens = Buckets(per_second=1e6, burst=1e6)
        await register(running, key_set())
        yield running


async def register(api: Api, jwks: bytes | None = None, url: str | None = None) -> str | None:
    async with api.owner() as owner:
        return await signing_clients.set_keys(owner, "clinic-a", jwks, url)


def forger(api: Api) -> Forger:
    return Forger(CLIENT, f"{api.app.state.context.settings.base_url}/oauth/token", datetime.now(UTC))


def form(text: str, **more: str) -> dict[str, str]:
    proof = {"client_assertion_type": signing.TYPE, "client_assertion": text}
    return {"grant_type": "client_credentials"} | proof | more


async def ask(api: Api, data: dict[str, str], **options: Any) -> httpx.Response:
    async with api.http() as http:
        return await http.post("/oauth/token", data=data, **options)


async def test_a_signed_assertion_gets_the_clients_token(api: Api) -> None:
    got = await ask(api, form(forger(api).good(), client_id=CLIENT, scope="referrals.read"))
    assert (got.status_code, got.json()["scope"]) == (200, "referrals.read")
    async with api.http(Authorization=f"Bearer {got.json()['access_token']}") as http:
        assert (await http.get("/v1/me")).json()["organization"]["id"] == "clinic-a"


async def test_the_command_lines_own_signature_is_taken(api: Api) -> None:
    f = forger(api)
    text = signing.assertion(ec(), CLIENT, f.audience, datetime.now(UTC), uuid4())
    assert (await ask(api, form(text))).status_code == 200


async def test_an_assertion_serves_once_also_at_another_api_and_after_a_restart(api: Api) -> None:
    text = forger(api).good()
    both = await asyncio.gather(*(ask(api, form(text)) for _ in range(8)))
    assert sorted(a.status_code for a in both) == [200] + [401] * 7
    other = build(
        Settings(database_url=api.url, kafka_bootstrap="127.0.0.1:1", vault_key=VAULT_KEY), api.broker
    )
    async with other.router.lifespan_context(other):
        transport = httpx.ASGITransport(other)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            assert (await http.post("/oauth/token", data=form(text))).status_code == 401
            assert (await http.post("/oauth/token", data=form(forger(api).good()))).status_code == 200


async def test_a_used_assertion_is_forgotten_only_after_its_end(api: Api) -> None:
    text = forger(api).good(jti="once-only")
    assert (await ask(api, form(text))).status_code == 200
    async with api.owner() as owner:
        ends = await owner.fetchval("select expires_at from assertion_used where jti = 'once-only'")
    assert ends > datetime.now(UTC)


async def test_every_forged_assertion_is_the_same_cheap_401(api: Api) -> None:
    forged = dict(forger(api).forged())
    answers: dict[str, tuple[int, str]] = {}
    spent: dict[str, float] = {}
    async with api.http() as http:
        for attack, text in forged.items():
            times = []
            for _ in range(3):  # the process does other things too; the least of three is its own
                before = time.process_time()
                got = await http.post("/oauth/token", data=form(text))
                times.append(time.process_time() - before)
            spent[attack] = min(times)
            answers[attack] = (got.status_code, got.text)
    refused = (
        401,
        '{"error":"invalid_client","error_description":"the client assertion is not valid"}',
    )
    wrong = {attack: answer for attack, answer in answers.items() if answer != refused}
    assert not wrong
    slow = {attack: s for attack, s in spent.items() if s > 0.05}
    print(f"{len(forged)} forged assertions, {max(spent.values()) * 1000:.1f} ms of CPU at most")
    assert not slow


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"client_secret": SECRET}, 400),
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, 400),
        ({"client_id": "clinic-b-client"}, 401),
        ({"grant_type": "password"}, 400),
        ({"scope": "operations.read"}, 400),
    ],
)
async def test_what_stands_beside_the_assertion(api: Api, change: dict[str, str], status: int) -> None:
    assert (await ask(api, form(forger(api).good()) | change)).status_code == status


async def test_two_proofs_at_once_are_refused(api: Api) -> None:
    got = await ask(api, form(forger(api).good()), auth=("clinic-a-client", SECRET))
    assert (got.status_code, got.json()["error"]) == (400, "invalid_request")


async def test_a_client_with_a_secret_cannot_sign_and_one_that_signs_has_no_secret(api: Api) -> None:
    claims = forger(api).claims(iss="clinic-a-client", sub="clinic-a-client")
    assert (await ask(api, form(signed(forger(api).header(), claims)))).status_code == 401
    got = await ask(api, {"grant_type": "client_credentials"}, auth=(CLIENT, SECRET))
    assert got.status_code == 401


async def test_the_configuration_announces_it(api: Api) -> None:
    async with api.http() as http:
        said = (await http.get("/.well-known/smart-configuration")).json()
    assert "private_key_jwt" in said["token_endpoint_auth_methods_supported"]
    assert said["token_endpoint_auth_signing_alg_values_supported"] == ["ES384", "RS384"]


class Publisher(http.server.BaseHTTPRequestHandler):
    """Serves the class's document, and counts."""

    document = b""
    asked = 0
    moved = ""

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(302 if self.moved else 200)
        if self.moved:
            self.send_header("Location", self.moved)
        self.end_headers()
        self.wfile.write(self.document)

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def published() -> Iterator[tuple[type[Publisher], str]]:
    handler = type("Published", (Publisher,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}/jwks.json"
    server.shutdown()
    server.server_close()
    thread.join()


async def test_published_keys_rotate(
    api: Api, published: tuple[type[Publisher], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, url = published
    page.document = key_set(rsa())
    await register(api, url=url)
    try:
        assert (await ask(api, form(forger(api).good()))).status_code == 200
        assert (await ask(api, form(forger(api).good()))).status_code == 200
        assert page.asked == 1
        page.document = key_set(rsa("rsa-2"))
        f = forger(api)
        new = [signed(f.header(kid="rsa-2"), f.claims(), rsa("rsa-2")) for _ in range(2)]
        assert (await ask(api, form(new[0]))).status_code == 401
        assert page.asked == 1
        monkeypatch.setattr("api.key_sets.AGAIN_S", 0.0)
        assert (await ask(api, form(new[1]))).status_code == 200
        assert (await ask(api, form(forger(api).good()))).status_code == 401
    finally:
        await register(api, key_set())


@pytest.mark.parametrize("document", [b"", b"{}", b"x" * 70_000, key_set(ec("p256", "P-256"))])
async def test_a_published_set_that_cannot_be_used_lets_nobody_in(
    api: Api, published: tuple[type[Publisher], str], document: bytes
) -> None:
    published[0].document = document
    await register(api, url=published[1])
    try:
        assert (await ask(api, form(forger(api).good()))).status_code == 401
    finally:
        await register(api, key_set())


async def test_a_key_set_that_moved_is_not_followed(api: Api, published: tuple[type[Publisher], str]) -> None:
    page, url = published
    page.document, page.moved = key_set(), url + "?again"
    await register(api, url=url)
    try:
        assert (await ask(api, form(forger(api).good()))).status_code == 401
        assert page.asked == 1
    finally:
        await register(api, key_set())


async def test_a_client_that_is_ended_has_no_token_any_more(api: Api) -> None:
    token = (await ask(api, form(forger(api).good()))).json()["access_token"]
    assert await register(api) is None
    try:
        assert (await ask(api, form(forger(api).good()))).status_code == 401
        async with api.http(Authorization=f"Bearer {token}") as http:
            assert (await http.get("/v1/me")).status_code == 401
    finally:
        await register(api, key_set())


@pytest.mark.parametrize(
    ("jwks", "url"),
    [
        (b"{}", None),
        (None, "http://clinic.example/jwks"),
        (None, "https://user@clinic.example/jwks"),
        (None, "file:///etc/passwd"),
        (None, "nonsense"),
    ],
)
async def test_what_cannot_be_registered(api: Api, jwks: bytes | None, url: str | None) -> None:
    with pytest.raises(ParticipantError):
        await register(api, jwks, url)
