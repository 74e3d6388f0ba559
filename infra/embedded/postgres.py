"""A real Postgres on loopback: made once, then started on the same port with the same roles and data.

In: a directory of its own. Out: the URL of the owner role. The superuser makes that role and its database, and is
used for nothing else. It must never run as root, listen beyond loopback, or trust without a password.
"""

import asyncio
import dataclasses
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from infra.embedded.local import LOOPBACK, keep_or_pick_port, read_state, write_state
from infra.embedded.postgres_cluster import SUPERUSER, clear_leftovers, data_version, initialize
from infra.embedded.postgres_programs import PostgresPrograms, find_programs
from infra.embedded.process import Child
from infra.embedded.run_as import RunAs, find_run_as_any

OWNER = "refex_owner"
DATABASE = "refex"

QUIET = {
    "log_min_messages": "log",  # an error quotes the value it met; whoever caused it is told, and logs its type
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",  # DETAIL quotes whole rows
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
"""No statement, parameter, row or value in the server's own log. compose and `refex doctor` ask the same."""

OPTIONS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # TCP suffices, and a path has no limit of 107 bytes then
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "max_locks_per_transaction": "256",  # partitioned tables lock every partition
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    **QUIET,
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What a server keeps between starts."""

    port: int
    superuser_password: str
    owner_password: str
    provisioned: bool


class EmbeddedPostgres:
    """One server with one database, which refex_owner owns."""

    def __init__(self, home: Path, progress: Callable[[str], None]) -> None:
        self._home = home
        self._cluster = home / "cluster"
        self._data = self._cluster / "data"
        self._progress = progress
        self._state_file = home / "state.json"
        self._state: DatabaseState | None = None

    @property
    def state(self) -> DatabaseState:
        """Known once prepared."""
        if self._state is None:
            raise RuntimeError("the embedded Postgres is not prepared yet")
        return self._state

    @property
    def url(self) -> str:
        """For the owner role, with its password."""
        return self.database_url()

    def database_url(self, role: str = OWNER, password: str | None = None) -> str:
        """For any role; the passwords of other roles are kept by whoever created them."""
        secret = self.state.owner_password if role == OWNER and password is None else password
        login = role if secret is None else f"{role}:{secret}"
        return f"postgresql://{login}@{LOOPBACK}:{self.state.port}/{DATABASE}"

    async def prepare(self) -> Child:
        """Programs, user, port, initdb: all that must be there before the server starts."""
        self._home.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._cluster.mkdir(mode=0o700, exist_ok=True)
        programs, run_as = await asyncio.to_thread(self._find)
        await asyncio.to_thread(clear_leftovers, self._data)  # first: they may hold the port
        self._load_state()
        if data_version(self._data) is None:
            self._progress("postgres: preparing its directory")
            await asyncio.to_thread(initialize, self._data, programs, run_as, self.state.superuser_password)
        return self._child(programs, run_as)

    async def provision(self) -> None:
        """Once: the owner role and its database."""
        if self.state.provisioned:
            return
        connection = await self._connect(SUPERUSER, self.state.superuser_password, "postgres")
        try:
            if not await connection.fetchval("select 1 from pg_roles where rolname = $1", OWNER):
                password = self.state.owner_password  # our own, url-safe: nothing in it needs quoting
                await connection.execute(f"create role {OWNER} login createrole password '{password}'")
            if not await connection.fetchval("select 1 from pg_database where datname = $1", DATABASE):
                await connection.execute(f"create database {DATABASE} owner {OWNER}")
        finally:
            await connection.close()
        self._save(dataclasses.replace(self.state, provisioned=True))

    def _find(self) -> tuple[PostgresPrograms, RunAs]:
        choices = find_programs(data_version(self._data))
        index, run_as = find_run_as_any([choice.postgres for choice in choices], self._cluster)
        return choices[index], run_as

    def _load_state(self) -> None:
        kept = read_state(self._state_file)
        self._save(
            DatabaseState(
                port=keep_or_pick_port(kept.get("port")),
                superuser_password=kept.get("superuser_password") or secrets.token_urlsafe(24),
                owner_password=kept.get("owner_password") or secrets.token_urlsafe(24),
                provisioned=kept.get("provisioned", False),
            )
        )

    def _save(self, state: DatabaseState) -> None:
        self._state = state
        write_state(self._state_file, dataclasses.asdict(state))

    def _child(self, programs: PostgresPrograms, run_as: RunAs) -> Child:
        options = {**OPTIONS, "port": str(self.state.port)}
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = [*run_as.prefix, programs.postgres, "-D", str(self._data), *flags]
        return Child(
            name="postgres",
            argv=lambda: command,
            cwd=self._home,
            uid=run_as.uid,
            gid=run_as.gid,
            # fast (ends sessions, saves all), then immediate (recovers at the next start)
            stop_signals=((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0)),
            ready=self._answers,
            before_restart=self._before_restart,
        )

    async def _before_restart(self) -> None:
        await asyncio.to_thread(clear_leftovers, self._data)

    async def _answers(self) -> None:
        """Raise unless a query is answered."""
        if self.state.provisioned:
            connection = await self._connect(OWNER, self.state.owner_password, DATABASE)
        else:
            connection = await self._connect(SUPERUSER, self.state.superuser_password, "postgres")
        try:
            await connection.fetchval("select 1")
        finally:
            await connection.close()

    async def _connect(self, user: str, password: str, database: str) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(
            host=LOOPBACK,
            port=self.state.port,
            user=user,
            password=password,
            database=database,
            ssl=False,
            timeout=10,
            server_settings={"application_name": "refex-embedded"},
        )
