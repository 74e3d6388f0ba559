"""A running exchange for tests: `refex up --demo` as a process, found by its ready file, spoken to as outsiders do.

Must never reach inside: Kafka log-ins, HTTP and the owner's database URL are all it uses.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import asyncpg
import httpx

from infra.kafka import KafkaLogin
from producers.feedback import FeedbackReader
from producers.publisher import ReferralPublisher

T = TypeVar("T")
START_S = 180.0


class RunningExchange:
    """`async with RunningExchange(path) as exchange`: started, ready, and stopped again."""

    def __init__(
        self,
        folder: Path,
        workers: int = 3,
        command: Sequence[str] = ("up", "--demo"),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._ready = folder / "ready.json"
        self._log = folder / "up.log"
        self._data = folder / "data"
        self._workers = workers
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._tokens: dict[str, str] = {}
        self.joined: dict[str, dict[str, Any]] = {}

    async def __aenter__(self) -> "RunningExchange":
        command = [sys.executable, "-m", "cli.main", *self._command, "--port", "0"]
        command += ["--workers", str(self._workers), "--ready-file", str(self._ready)]
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith("REFEX_") or k == "REFEX_CACHE_DIR"
        }
        environment |= {"REFEX_DATA_DIR": str(self._data), **self._environment}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + START_S
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                await self.__aexit__()
                raise RuntimeError(f"the exchange did not start:\n{self._log.read_text()[-4000:]}")
            await asyncio.sleep(0.1)
        return self

    async def __aexit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.to_thread(process.wait, 30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def content(self) -> dict[str, Any]:
        """The ready file as it is now."""
        found: dict[str, Any] = json.loads(self._ready.read_text())
        return found

    @property
    def url(self) -> str:
        return str(self.content["url"])

    @property
    def organizations(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.content["organizations"]
        return [*found, *(self.joined[id] for id in self.joined.keys() - {o["id"] for o in found})]

    @property
    def pids(self) -> dict[str, Any]:
        found: dict[str, Any] = self.content["pids"]
        return found

    @property
    def data_dir(self) -> Path:
        return Path(self.content["data_dir"])

    def organization(self, id: str) -> dict[str, Any]:
        return next(o for o in self.organizations if o["id"] == id)

    def kafka_login(self, organization: str | None = None) -> KafkaLogin:
        """The login of a participant, or the broker's administrator."""
        kafka = self.content["kafka"]
        who = self.organization(organization)["kafka"] if organization else kafka["admin"]
        return KafkaLogin(
            bootstrap=kafka["bootstrap"],
            security_protocol=kafka["security_protocol"],
            mechanism=kafka["sasl_mechanism"],
            username=who["username"],
            password=who["password"],
        )

    def publisher(self, organization: str) -> ReferralPublisher:
        """The SDK, as that organization."""
        who = self.organization(organization)["kafka"]
        kafka = self.content["kafka"]
        return ReferralPublisher(
            bootstrap=kafka["bootstrap"],
            organization=organization,
            username=who["username"],
            password=who["password"],
            security_protocol=kafka["security_protocol"],
            url=self.content["url"],
        )

    def feedback(self, organization: str, name: str) -> FeedbackReader:
        """The other half of the SDK, as that organization, from the start."""
        login = self.kafka_login(organization)
        return FeedbackReader(
            bootstrap=login.bootstrap,
            organization=organization,
            username=login.username,
            password=login.password,
            name=name,
            from_start=True,
        )

    async def token(self, organization: str) -> str:
        """An access token with every scope of the organization, kept for the session."""
        if organization not in self._tokens:
            client = self.organization(organization)["clients"][0]
            async with httpx.AsyncClient(trust_env=False) as http:
                answer = await http.post(
                    f"{self.url}/oauth/token",
                    data={"grant_type": "client_credentials", "scope": client["scope"]},
                    auth=(client["client_id"], client["client_secret"]),
                )
            answer.raise_for_status()
            self._tokens[organization] = answer.json()["access_token"]
        return self._tokens[organization]

    @asynccontextmanager
    async def http(self, organization: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """An HTTP client as that organization, or as nobody."""
        headers = {"Authorization": f"Bearer {await self.token(organization)}"} if organization else {}
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=15, trust_env=False
        ) as client:
            yield client

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection]:
        """The owner's connection: tests may look, never write."""
        connection = await asyncpg.connect(self.content["database_url"])
        try:
            yield connection
        finally:
            await connection.close()


async def until(check: Callable[[], Awaitable[T]], timeout_s: float = 30.0, every_s: float = 0.1) -> T:
    """The first true answer of `check`; its last error, or what it answered, when time runs out."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = await check()
            problem: Exception | None = (
                None if found else TimeoutError(f"still {found!r} after {timeout_s} s")
            )
        except (AssertionError, httpx.HTTPError, OSError) as error:
            problem = error
        if problem is None:
            return found
        if time.monotonic() > deadline:
            raise problem
        await asyncio.sleep(every_s)
