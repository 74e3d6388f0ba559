"""The API on a real Postgres, with the real exchange batch behind it in place of a broker; for integration tests.

`async with Api(path) as api`: organizations, clients, people and services are there; `api.http("clinic-a")` is an
HTTP client with its token. `api.broker.away = True` makes Kafka unreachable, `holding` keeps records unapplied.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from starlette.applications import Starlette

from api.app import build
from avro_schemas import topics
from infra import passwords
from infra.embedded.postgres import EmbeddedPostgres
from infra.migrate import migrate
from infra.postgres import pool
from infra.scopes import scope_of
from infra.settings import Settings
from producers.envelope import Record, Said, service_changed
from producers.producer import BrokerAway
from referrals.words import OrganizationType
from stream_processors.decode import Raw
from stream_processors.exchange import Exchange
from stream_processors.intake_keys import IntakeKeys
from tests.support.child import answers, running
from tests.support.referrals import body, service
from tests.support.vault import VAULT_KEY, vault

ORGANIZATIONS = {
    "clinic-a": "clinic",
    "clinic-b": "clinic",
    "golden-health-plan": "mco",
    "valley-care-plan": "mco",
    "cedar-health-plan": "mco",
    "food-a": "cbo",
    "food-b": "cbo",
    "safe-a": "cbo",
    "hub": "hub",
    "hub-b": "hub",
    "network": "platform",
    "state": "state",
    "operator": "operator",
}
PASSWORD = "synthetic-password"
HASH = passwords.hash_password(PASSWORD)
SECRET = "synthetic-secret"


class Broker:
    """Takes records as the producer does, and applies them at once unless it is holding them."""

    def __init__(self) -> None:
        self.away = False
        self.holding = False
        self.sent: list[Record] = []
        self._held: list[Raw] = []
        self._offsets: dict[str, int] = {}
        self._lock = asyncio.Lock()
        self.exchange: Exchange | None = None

    async def send(self, records: Sequence[Record]) -> object:
        if self.away:
            raise BrokerAway("the broker did not acknowledge; try again")
        for record in records:
            offset = self._offsets.get(record.topic, 0)
            self._offsets[record.topic] = offset + 1
            now = datetime.now(UTC)
            self._held.append(Raw(record.topic, 0, offset, record.key, record.value, now))
            self.sent.append(record)
        if not self.holding:
            await self.release()
        return None

    async def release(self) -> None:
        """Let the exchange apply what was held."""
        async with self._lock:
            batch = list(self._held)
            if batch and self.exchange is not None:
                await self.exchange.apply(batch)  # what is not applied stays in the log
                del self._held[: len(batch)]

    async def close(self) -> None:
        return None


class Api:
    """The running API; one per session is enough."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = AsyncExitStack()
        self._tokens: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.broker = Broker()
        self.app: Starlette = Starlette()
        self.url = ""
        self.keys: IntakeKeys

    async def __aenter__(self) -> "Api":
        postgres = EmbeddedPostgres(self._folder / "postgres", lambda _: None)
        child = await postgres.prepare()
        self._process = self._stack.enter_context(running(child, self._folder / "postgres.log"))
        await answers(child)
        await postgres.provision()
        self.url = postgres.url
        await migrate(self.url)
        await self._fill()
        writer = await self._stack.enter_async_context(await pool(self.url, "worker"))
        self.keys = IntakeKeys(writer, vault(), plain=True)
        await self.keys.look()
        self.broker.exchange = Exchange(writer, vault(), opener=self.keys.opener)
        await self._offer()
        settings = Settings(database_url=self.url, kafka_bootstrap="127.0.0.1:1", vault_key=VAULT_KEY)
        self.app = build(settings, self.broker)
        await self._stack.enter_async_context(self.app.router.lifespan_context(self.app))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def pause_postgres(self, paused: bool) -> None:
        """Freeze or thaw the whole server."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            os.kill(pid, signal.SIGSTOP if paused else signal.SIGCONT)

    async def _fill(self) -> None:
        async with self.owner() as owner:
            for id, kind in ORGANIZATIONS.items():
                await owner.execute(
                    "insert into organization (id, name, type) values ($1, $2, $3)", id, id, kind
                )
                await owner.execute(
                    "insert into client (client_id, tenant, secret_hash, scope) values ($1, $2, $3, $4)",
                    f"{id}-client",
                    id,
                    passwords.hash_secret(SECRET),
                    scope_of(OrganizationType(kind)),
                )
                await owner.execute(
                    "insert into app_user (id, tenant, email, name, role, password_hash)"
                    " values ($1, $2, $3, $4, 'staff', $5)",
                    uuid4(),
                    id,
                    f"staff@{id}.example.org",
                    "Staff",
                    HASH,
                )
            for topic in topics.consumed():
                await owner.execute(
                    "insert into progress (topic, partition, next_offset, cluster_id, topic_id)"
                    " values ($1, 0, 0, 'c', 't')",
                    topic,
                )

    async def _offer(self) -> None:
        """The services of the directory, as an import sends them."""
        offered = {
            "food-a": "food-insecurity",
            "food-b": "food-insecurity",
            "safe-a": "intimate-partner-violence",
        }
        for organization, domain in offered.items():
            made = service(organization, domains=(domain,))
            body = {"id": made.id, "name": made.name, "organization": {"name": organization}}
            said = Said(uuid4(), organization, datetime.now(UTC))
            await self.broker.send([service_changed(said, made, body)])
        self.broker.sent.clear()

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[asyncpg.Connection]:
        """The owner's connection, for arranging and looking."""
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def http(self, organization: str | None = None, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """An HTTP client as that organization, or as nobody; it does not raise what the application raises."""
        if organization:
            headers["Authorization"] = f"Bearer {await self.token(organization)}"
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            yield client

    async def token(self, organization: str) -> str:
        """A token with every scope of the organization, kept."""
        if organization not in self._tokens:
            async with self.http() as http:
                answer = await http.post(
                    "/oauth/token",
                    data={"grant_type": "client_credentials"},
                    auth=(f"{organization}-client", SECRET),
                )
            answer.raise_for_status()
            self._tokens[organization] = answer.json()["access_token"]
        return self._tokens[organization]

    async def submitted(self, organization: str = "clinic-a", **changes: Any) -> dict[str, Any]:
        """A referral submitted and recorded, as its sender sees it."""
        sent = body(uuid4().hex, coverage={"payer": "golden-health-plan", "member_id": "M-1"}) | changes
        async with self.http(organization) as http:
            answer = await http.post("/v1/referrals", json=sent)
            assert answer.status_code in (200, 202), answer.text
            found: dict[str, Any] = (await http.get(answer.headers["location"])).json()
        return found


def new(**changes: Any) -> dict[str, Any]:
    """A submission under an id of its own, for the golden plan's member."""
    return body(uuid4().hex, coverage={"payer": "golden-health-plan", "member_id": "M-1"}) | changes


async def answer(api: Api, referral: dict[str, Any], action: str, **fields: Any) -> Any:
    """The newest hop's organization answers."""
    hop = referral["hops"][-1]
    async with api.http(hop["organization"]) as http:
        return await http.post(
            f"/v1/referrals/{referral['id']}/responses", json={"action": action, "hop": hop["hop"], **fields}
        )
