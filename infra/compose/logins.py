"""Gives each part its own login - on Kafka with its ACLs, on Postgres in its roles - and Prometheus a client.

Comes in: the administrator's settings and the parts' credential files. Goes out: logins. Run after the migrations,
again after each upgrade. Must never give a part the owner's or the administrator's rights.
"""

import asyncio
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
from msgspec import structs

from infra import kafka, kafka_access, participants
from infra.compose.credentials import PARTS
from infra.kafka_access import Grant
from infra.participants import Client
from infra.settings import settings
from referrals.words import OrganizationType

ROLES = {"api": ("refex_api", "refex_reader"), "worker": ("refex_writer", "refex_relay", "refex_reader")}
MONITOR = "metrics-reader"
REGISTRY = [
    *(Grant("topic", "_schemas", do) for do in ("create", "describe", "describe_configs", "read", "write")),
    Grant("group", "karapace*", "read"),
    Grant("cluster", "kafka-cluster", "describe"),
]


async def apply(root: Path) -> list[str]:
    """Make or renew every login; returns their names. Raises AccessError and asyncpg's errors."""
    configured = settings()
    grants = kafka_access.internal_grants()
    users = {f"refex-{part}": (_read(root / part), grants[f"refex-{part}"]) for part in PARTS}
    users["refex-registry"] = (_read(root / "registry"), REGISTRY)
    login = kafka.login(configured)
    await kafka_access.allow_all(login, users)
    connection = await asyncpg.connect(
        configured.database_url, timeout=10, server_settings={"application_name": "refex-logins"}
    )
    try:
        async with connection.transaction():
            names = [await _login(connection, part, root) for part in PARTS]
        await participants.enrol(connection, login, configured.partitions, [_monitor(root)])
    finally:
        await connection.close()
    return [*users, *names]


async def _login(connection: asyncpg.Connection, part: str, root: Path) -> str:
    url = urlsplit((root / part / "database_url").read_text(encoding="utf-8").strip())
    name, password = str(url.username), unquote(str(url.password))
    verb = (
        "alter" if await connection.fetchval("select 1 from pg_roles where rolname = $1", name) else "create"
    )
    statement = f"format('{verb} role %I login noinherit password %L', $1::text, $2::text)"
    await connection.execute(await connection.fetchval(f"select {statement}", name, password))
    for role in ROLES[part]:
        await connection.execute(
            await connection.fetchval("select format('grant %I to %I', $1::text, $2::text)", role, name)
        )
    return name


def _monitor(root: Path) -> participants.Participant:
    """Prometheus: an operator without people, whose client reads the metrics and nothing else."""
    made = participants.draft(MONITOR, "Monitoring", OrganizationType.OPERATOR)
    secret = (root / "metrics" / "client_secret").read_text(encoding="utf-8").strip()
    return structs.replace(made, clients=[Client(f"{MONITOR}-client", secret, "operations.read")])


def _read(folder: Path) -> str:
    return (folder / "kafka_password").read_text(encoding="utf-8").strip()


def main() -> None:
    """`python -m infra.compose.logins DIRECTORY`."""
    sys.stdout.write("\n".join(asyncio.run(apply(Path(sys.argv[1])))) + "\n")


if __name__ == "__main__":
    main()
