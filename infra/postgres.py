"""Postgres: pools that take their part's role, and a reader of named queries from .sql files.

`-- name: x` starts query x in a .sql file beside its only caller. Must never connect as a superuser.
"""

import re
from functools import cache
from importlib import resources
from typing import Any

import asyncpg
import asyncpg.pool

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

CHANNEL = "refex"  # content-free: whoever is woken asks again, under its own role

PAUSED_S = 15
"""A worker that stands still inside a transaction (stopped, swapped out, cut off) keeps its locks no longer than this:
half as long again as its Kafka session, after which others read its partitions and need those lanes."""

# What asyncpg raises of a session that has ended; the second when it ended just as a statement was sent.
ENDED = (asyncpg.InterfaceError, asyncpg.InternalClientError)

# Whoever is cut off without a word is found out within 25 seconds, not after the two hours of the system's default.
KEEPALIVE = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
# And the server does not work on at a long query for one that has gone.
GONE = {"client_connection_check_interval": "5s"}

ROLES = {"worker": "refex_writer", "relay": "refex_relay", "reader": "refex_reader", "api": "refex_api"}


async def pool(url: str, part: str, min_size: int = 0, max_size: int = 4) -> asyncpg.Pool:
    """A pool of sessions named `refex-<part>` under the part's role (architecture 12); opened while it is away.

    Only for transactions that leave nothing behind in the session: no LISTEN, no advisory lock or setting beyond the
    transaction. So it is not reset between two of them, which was a round trip a batch.
    """

    return await asyncpg.create_pool(
        url,
        min_size=min_size,
        max_size=max_size,
        reset=_as_it_is,
        server_settings=session_settings(part),
        timeout=5,
        command_timeout=60,
    )


async def _as_it_is(connection: asyncpg.Connection) -> None:
    """asyncpg has rolled back what was open before it asks; there is nothing else to reset."""


async def connect(url: str, part: str, statement_s: float | None = None) -> asyncpg.Connection:
    """One session of its own, for locks and LISTEN; `statement_s`: how long it waits for any answer."""
    settings = session_settings(part)
    return await asyncpg.connect(url, server_settings=settings, timeout=5, command_timeout=statement_s)


def session_settings(part: str) -> dict[str, str]:
    """What every session of a part starts with; jit is off: our queries are short."""
    settings = {"application_name": f"refex-{part}", "jit": "off", "timezone": "UTC", **KEEPALIVE}
    if part == "worker":
        settings["idle_in_transaction_session_timeout"] = f"{PAUSED_S}s"
    if part in ROLES:
        settings |= {"role": ROLES[part]} | GONE
    return settings


@cache
def queries(package: str, file: str) -> dict[str, str]:
    """Name -> SQL of a .sql file in a package; raises ValueError when a name stands twice."""
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for part in re.split(r"(?m)^-- name: ", text)[1:]:
        name, _, sql = part.partition("\n")
        if name.strip() in found:
            raise ValueError(f"{package}/{file}: two queries named {name.strip()}")
        found[name.strip()] = sql.strip()
    return found


def affected(tag: Any) -> int:
    """The row count of a command tag such as `UPDATE 3`."""
    return int(str(tag).rsplit(" ", 1)[-1])
