"""Real servers without the parts, and single parts as processes of their own: what fails is chosen by the test.

`async with servers(folder) as running` is Kafka and Postgres, migrated, with topics and the demo's participants;
`running.part("worker", ...)` starts `refex worker` (or api) against them, by way of a proxy if one is named.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import asyncpg
import httpx

from cli.demo_setup import demo_participants
from cli.exchange import Plan, RunningExchange
from cli.keeping import Keeping
from infra.embedded.local import keep_or_pick_port
from infra.embedded.processes import identify
from infra.kafka import KafkaLogin
from infra.settings import load
from producers.publisher import ReferralPublisher

MIB = 1024 * 1024


class Part:
    """One part as a process; `async with` ends it, however it stands."""

    def __init__(self, argv: list[str], environment: dict[str, str], log: Path, port: int) -> None:
        self.log = log
        self.port = port
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", *argv], env=environment, stdout=output, stderr=output
            )

    async def __aenter__(self) -> "Part":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            if (family := identify(self.process.pid)) is not None:
                family.kill_family()
            self.process.wait()
        if error is not None:
            print(f"--- the end of {self.log}\n{self.log.read_text()[-3000:]}")

    async def answers(self, path: str) -> int:
        """The status of one of its probes; 0 when nobody is there."""
        async with httpx.AsyncClient(timeout=6, trust_env=False) as http:
            with contextlib.suppress(httpx.TransportError):
                return (await http.get(f"http://127.0.0.1:{self.port}{path}")).status_code
        return 0

    async def until(self, path: str, status: int, within_s: float) -> float:
        """The seconds until a probe answers so."""
        began = time.monotonic()
        while (found := await self.answers(path)) != status:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}"
            assert time.monotonic() - began < within_s, f"{path} answers {found} after {within_s} s"
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    async def ended(self, number: signal.Signals, within_s: float = 20.0) -> tuple[int, float]:
        """Its exit status after a signal, and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = await asyncio.to_thread(self.process.wait, within_s)
        return code, time.monotonic() - began

    def memory(self, which: str = "VmRSS") -> float:
        """Its memory in MiB: VmRSS now, VmHWM the most it ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith(which)) / 1024


class Servers(RunningExchange):
    """Kafka and Postgres and whoever takes part; no API and no worker."""

    async def _start_parts(self) -> None:
        """The test does."""

    def part(
        self, *argv: str, slot: int = 0, database_port: int | None = None, name: str = "", **settings: str
    ) -> Part:
        """A part as a process; `database_port`: where a proxy of the database listens; settings by field name."""
        port = keep_or_pick_port(None)
        api = argv[0] == "api"
        made = {k: v for k, v in os.environ.items() if not k.startswith("REFEX_")}
        made |= self.environment("refex-api" if api else "refex-worker")
        made |= {"REFEX_WORKER_SLOT": str(slot), "REFEX_PORT" if api else "REFEX_METRICS_PORT": str(port)}
        made |= {f"REFEX_{field.upper()}": value for field, value in settings.items()}
        if database_port is not None:
            host = f"{urlsplit(self.services.postgres.url).hostname}:{self.services.postgres.state.port}"
            made["REFEX_DATABASE_URL"] = self.services.postgres.url.replace(
                host, f"127.0.0.1:{database_port}"
            )
        return Part(list(argv), made, self.plan.data_dir / f"{name or argv[0]}-{slot}.txt", port)

    def publisher(self, organization: str) -> ReferralPublisher:
        """The SDK, as that participant."""
        who = next(p for p in self.keeping.participants() if p.id == organization)
        assert who.kafka is not None
        return ReferralPublisher(
            bootstrap=self.admin.bootstrap,
            organization=organization,
            username=who.kafka.username,
            password=who.kafka.password,
            security_protocol=self.admin.security_protocol,
        )

    def kafka_login(self) -> KafkaLogin:
        """The broker's administrator."""
        return self.admin

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection]:
        """The owner's connection, past every proxy."""
        connection = await asyncpg.connect(self.services.postgres.url)
        try:
            yield connection
        finally:
            await connection.close()

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """A whole server stops (SIGSTOP), and goes on at the end."""
        family = _family(self.services.pids[name])
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in {*family, *_family(self.services.pids[name])}:
                os.kill(pid, signal.SIGCONT)


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[Servers]:
    """Running servers in a folder of their own."""
    folder.chmod(0o755)
    keeping = Keeping(folder)
    plan = Plan(
        settings=load({"REFEX_DATA_DIR": str(folder)}),
        data_dir=folder,
        port=0,
        workers=0,
        ready_files=(),
        demo=demo_participants(keeping),
        progress=lambda _: None,
    )
    running = Servers(plan)
    async with running:
        yield running
