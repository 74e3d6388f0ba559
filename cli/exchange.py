"""The embedded exchange as one thing: servers, schema, topics, log-ins, then API and workers, kept alive.

Comes in: a Plan. Goes out: a running exchange and its ready file. Must never leave a child behind or lose a
credential it handed out.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import httpx
from msgspec import Struct

from cli import ready
from cli.keeping import Keeping
from infra import kafka_access, migrate, participants, topics
from infra.embedded.errors import EmbeddedError
from infra.embedded.process import Child
from infra.embedded.services import EmbeddedServices
from infra.kafka import KafkaLogin
from infra.participants import KafkaUser, Participant
from infra.settings import Settings
from infra.vault import kept
from stream_processors.inbox import GROUP

READY_S = 120.0


class Plan(Struct, frozen=True, kw_only=True):
    """What to run: everything `refex up` was asked."""

    settings: Settings
    data_dir: Path
    port: int
    workers: int
    ready_files: tuple[Path, ...]
    demo: tuple[Participant, ...] = ()
    demo_logins: bool = False
    progress: Callable[[str], None]


class RunningExchange:
    """`async with RunningExchange(plan) as exchange:` - all its parts answer; leaving stops them in order."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.keeping = Keeping(plan.data_dir)
        self.services = EmbeddedServices(
            plan.data_dir, plan.settings.cache_path, plan.progress, on_change=self._pid_changed
        )
        self.url = (plan.settings.public_url or self.local_url).rstrip("/")
        self._announced = False

    @property
    def local_url(self) -> str:
        """The address of the pages and the API on this machine, whatever the public one is."""
        host = self.plan.settings.host
        return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{self.plan.port}"  # noqa: S104

    @property
    def admin(self) -> KafkaLogin:
        """The broker's administrator."""
        kafka = self.services.kafka
        return self._login(kafka.admin_username, kafka.admin_password)

    async def __aenter__(self) -> "RunningExchange":
        await self.services.__aenter__()
        try:
            await self._prepare()
            await self._start_parts()
        except BaseException:
            await self.services.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._announced = False
        self.plan.progress("stopping")
        try:
            await self.services.__aexit__(None, None, None)
        finally:
            for path in self.plan.ready_files:  # a file that stays would tell the next start's readers lies
                ready.remove(path)

    def announce(self) -> None:
        """Write the ready files; from now on they are rewritten when a pid or a participant changes."""
        self._announced = True
        for path in self.plan.ready_files:
            ready.write(path, self._content())

    async def keep_announcing(self) -> None:
        """Write the ready files again whenever `refex participant` changed the participants; never returns."""
        before = self.keeping.changed_at()
        while True:
            await asyncio.sleep(0.5)
            if (now := self.keeping.changed_at()) != before:
                before = now
                self.announce()

    async def _prepare(self) -> None:
        url = self.services.postgres.url
        ran = await migrate.migrate(url)
        if ran:
            self.plan.progress(f"database: {len(ran)} migrations ran")
        if sealed := await kept.seal(url, self.plan.settings):
            self.plan.progress(f"database: {sealed} secrets sealed that were stored in the clear")
        made = await topics.apply(self.admin, self.plan.settings.partitions)
        if made:
            self.plan.progress(f"kafka: {len(made)} topics created")
        grants = kafka_access.internal_grants()
        users = {name: (self.keeping.password(name), allowed) for name, allowed in grants.items()}
        await kafka_access.allow_all(self.admin, users)
        members = self.keeping.add(self.plan.demo)
        if members:
            connection = await asyncpg.connect(url, server_settings={"application_name": "refex-up"})
            try:
                new = await participants.enrol(connection, self.admin, self.plan.settings.partitions, members)
            finally:
                await connection.close()
            if new:
                self.plan.progress(f"participants: {len(new)} organizations added")

    async def _start_parts(self) -> None:
        parts = [self._part("api", ["api"], "refex-api", self._api_answers)]
        workers = range(self.plan.workers)
        parts += [self._part(f"worker-{slot}", ["worker"], "refex-worker", slot=slot) for slot in workers]
        notify = ["worker", "--notify"]
        parts.append(self._part("notify", notify, "refex-worker", slot=self.plan.workers))
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(self.services.supervise(part))
        await self._until_ready()

    def _part(
        self,
        name: str,
        command: list[str],
        username: str,
        answers: Callable[[], Awaitable[None]] | None = None,
        slot: int = 0,
    ) -> Child:
        async def _starts() -> None:
            """A worker says it is ready by the API's /readyz, later."""

        return Child(
            name=name,
            argv=lambda: [sys.executable, "-m", "cli.main", *command],
            environment=self.environment(username) | self._place(slot),
            cwd=self.plan.data_dir,
            ready=answers or _starts,
        )

    def _place(self, slot: int) -> dict[str, str]:
        """A worker's own slot and, counted from the configured one, its own port for probes."""
        base = self.plan.settings.metrics_port
        return {"REFEX_WORKER_SLOT": str(slot), "REFEX_METRICS_PORT": str(base + slot if base else 0)}

    def environment(self, username: str) -> dict[str, str]:
        """What a part is told of the servers, under one of our own Kafka users."""
        login = self._login(username, self.keeping.password(username))
        return {
            "REFEX_DATABASE_URL": self.services.postgres.url,
            "REFEX_KAFKA_BOOTSTRAP": login.bootstrap,
            "REFEX_KAFKA_SECURITY_PROTOCOL": login.security_protocol,
            "REFEX_KAFKA_SASL_MECHANISM": login.mechanism,
            "REFEX_KAFKA_USERNAME": username,
            "REFEX_KAFKA_PASSWORD": login.password or "",
            "REFEX_HOST": self.plan.settings.host,
            "REFEX_PORT": str(self.plan.port),
            "REFEX_PARTITIONS": str(self.plan.settings.partitions),
            "REFEX_DATA_DIR": str(self.plan.data_dir),
            "REFEX_DEMO": str(self.plan.demo_logins).lower(),
            "PYTHONUNBUFFERED": "1",
        }

    def _login(self, username: str, password: str) -> KafkaLogin:
        kafka = self.services.kafka
        return KafkaLogin(
            bootstrap=kafka.bootstrap,
            security_protocol=kafka.security_protocol,
            mechanism=kafka.sasl_mechanism,
            username=username,
            password=password,
        )

    async def _api_answers(self) -> None:
        await self._get("/livez")

    async def _get(self, path: str) -> None:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            (await client.get(self.local_url + path)).raise_for_status()

    async def _until_ready(self) -> None:
        """Wait until the API says so and every worker has its share of the topics."""
        try:
            async with asyncio.timeout(READY_S):
                while not await self._is_ready():  # noqa: ASYNC110 - nobody tells us
                    await asyncio.sleep(0.2)
        except TimeoutError:
            logs = self.plan.data_dir / "logs"
            raise EmbeddedError(
                f"the parts run but are not ready after {READY_S:.0f} s; see {logs}"
            ) from None

    async def _is_ready(self) -> bool:
        try:
            await self._get("/readyz")
            return await topics.consuming(self.admin, GROUP) >= min(
                self.plan.workers, self.plan.settings.partitions
            )
        except httpx.HTTPError:
            return False

    def _content(self) -> ready.Ready:
        kafka = self.services.kafka
        return ready.Ready(
            url=self.url,
            kafka=ready.Broker(
                bootstrap=kafka.bootstrap,
                security_protocol=kafka.security_protocol,
                sasl_mechanism=kafka.sasl_mechanism,
                admin=KafkaUser(kafka.admin_username, kafka.admin_password),
            ),
            database_url=self.services.postgres.url,
            data_dir=str(self.plan.data_dir),
            pids=ready.Pids.of(self.services.pids),
            organizations=self.keeping.participants(),
            supervisor=os.getpid(),
        )

    def _pid_changed(self, name: str, pid: int) -> None:
        if self._announced:
            self.announce()
