"""The containers' health checks: the API answers, or a worker holds its sessions with the database.

Comes in: the part's name and its own settings. Goes out: exit 0 or 1. Must never print a URL with its password.
"""

import asyncio
import sys
import urllib.request

import asyncpg

from infra.settings import settings

MINE = (
    "select count(*) from pg_stat_activity where application_name like 'refex-%' and pid <> pg_backend_pid()"
    " and usename = session_user and client_addr is not distinct from inet_client_addr()"
)


def api() -> bool:
    """Whether /livez answers here."""
    with urllib.request.urlopen(f"http://127.0.0.1:{settings().port}/livez", timeout=3) as answer:
        return bool(answer.status == 200)


async def worker() -> bool:
    """Whether this container has a session besides the one that asks."""
    own = {"application_name": "health-check"}
    connection = await asyncpg.connect(settings().database_url, timeout=3, server_settings=own)
    try:
        return bool(await connection.fetchval(MINE, timeout=3))
    finally:
        await connection.close()


def main() -> None:
    """`python -m infra.compose.healthy api|worker`."""
    try:
        well = api() if sys.argv[1] == "api" else asyncio.run(worker())
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        sys.exit(f"{sys.argv[1]}: {type(error).__name__}")
    sys.exit(0 if well else f"{sys.argv[1]}: no session with the database")


if __name__ == "__main__":
    main()
