"""The checks of `refex doctor`: one coroutine each, from the exchange to a Finding.

Must never change anything, nor name a person.
"""

import platform
import sys
from datetime import UTC, datetime

import asyncpg
import httpx
from msgspec import Struct

from avro_schemas import codec
from avro_schemas import topics as names
from cli.common import Exchange
from cli.version import versions as installed
from infra import kafka_access, migrate
from infra import topics as declared
from infra.postgres import queries

SQL = queries("cli", "doctor.sql")
OLDEST_POSTGRES = 150_000
MAX_SKEW_S = 2.0
MAX_LAG = 10_000
QUIET = {
    "log_min_messages": ("log", "fatal", "panic"),
    "log_parameter_max_length": ("0",),
    "log_parameter_max_length_on_error": ("0",),
}
"""What keeps values out of Postgres' log, the setting to advise first."""


class Finding(Struct, frozen=True):
    """Whether a part is well; `detail` says how it is, `next` what to do when it is not."""

    ok: bool
    detail: str
    next: str | None = None


async def versions(exchange: Exchange) -> Finding:
    """Python and ourselves."""
    detail = f"referral-exchange {installed()['referral-exchange']}, Python {platform.python_version()}"
    return Finding(sys.version_info >= (3, 11), detail, "install Python 3.11 or newer")


async def database(exchange: Exchange) -> Finding:
    """Postgres answers, is new enough, and we are no superuser."""
    row = await _row(exchange, "server")
    if row["superuser"]:
        return Finding(
            False, "the log-in is a superuser, who sees through row-level security", "use the owner role"
        )
    number = row["number"]
    return Finding(number >= OLDEST_POSTGRES, f"PostgreSQL {row['version']}", "use PostgreSQL 15 or newer")


async def logging(exchange: Exchange) -> Finding:
    """The server's own log takes no values: errors quote rows, and logged statements have parameters."""
    said = {row["name"]: row["setting"] for row in await _rows(exchange, "logging")}
    told = [name for name, safe in QUIET.items() if said[name] not in safe]
    if said["log_statement"] == "none" and said["log_min_duration_statement"] == "-1":
        told = [name for name in told if name != "log_parameter_max_length"]
    detail = f"values get into its log by {', '.join(told)}" if told else "no values"
    return Finding(not told, detail, "; ".join(f"set {name} = {QUIET[name][0]}" for name in told) or None)


async def migrations(exchange: Exchange) -> Finding:
    """The tables are those of this version."""
    connection = await asyncpg.connect(exchange.database_url, timeout=5)
    try:
        todo = await migrate.pending(connection)
    finally:
        await connection.close()
    detail = f"{len(todo)} have not run: {', '.join(todo)}" if todo else "up to date"
    return Finding(not todo, detail, "run `refex migrate`")


async def clock(exchange: Exchange) -> Finding:
    """The database's clock agrees with ours."""
    row = await _row(exchange, "clock")
    skew = abs((datetime.now(UTC) - row["now"]).total_seconds())
    return Finding(skew <= MAX_SKEW_S, f"{skew:.1f} s from the database's", "synchronize the clocks (NTP)")


async def broker(exchange: Exchange) -> Finding:
    """Kafka answers this login."""
    if not exchange.kafka.bootstrap:
        return Finding(False, "no broker is configured", "set REFEX_KAFKA_BOOTSTRAP")
    found = await declared.listing(exchange.kafka)
    return Finding(True, f"{exchange.kafka.bootstrap} answers, {len(found)} topics of ours")


async def topics(exchange: Exchange) -> Finding:
    """Every declared topic, and those of each Kafka participant, with the right partition count."""
    there = {t.name: t.partitions for t in await declared.listing(exchange.kafka)}
    senders = [row["id"] for row in await _rows(exchange, "kafka_participants")]
    wanted = declared.wanted(senders)
    missing = sorted(set(wanted) - set(there))
    count = exchange.settings.partitions
    odd = sorted(name for name, n in there.items() if n != count)
    if missing:
        return Finding(False, f"missing: {', '.join(missing)}", "run `refex topics apply`")
    return Finding(not odd, f"{len(there)} with {count} partitions", f"set REFEX_PARTITIONS to that of {odd}")


async def access(exchange: Exchange) -> Finding:
    """Every participant with a Kafka login, and the parts, have their ACLs."""
    if not exchange.kafka.security_protocol.startswith("SASL"):
        return Finding(
            not exchange.settings.kafka_username, "the broker asks no one who they are: trials only"
        )
    counts = await kafka_access.acls(exchange.kafka)
    senders = [row["kafka_username"] for row in await _rows(exchange, "kafka_participants")]
    missing = sorted({*senders, *kafka_access.internal_grants()} - set(counts))
    detail = f"without ACLs: {', '.join(missing)}" if missing else f"{len(counts)} log-ins have ACLs"
    return Finding(not missing, detail, "make those log-ins (`refex participant rotate-key`, docs/runbooks)")


async def schemas(exchange: Exchange) -> Finding:
    """Every pinned schema can be read."""
    for name in codec.ids():
        codec.schema(name)
    return Finding(True, f"{len(codec.ids())} Avro schemas")


async def lag(exchange: Exchange) -> Finding:
    """How far the exchange is behind its topics."""
    done = {(r["topic"], r["partition"]): r["next_offset"] for r in await _rows(exchange, "progress")}
    ends = await declared.listing(exchange.kafka)
    read = [t for t in ends if t.name in names.consumed() or t.name.startswith("intake.")]
    behind = sum(
        max(0, end - max(done.get((t.name, p), 0), t.start_offsets[p]))
        for t in read
        for p, end in enumerate(t.end_offsets)
    )
    return Finding(behind <= MAX_LAG, f"{behind} records wait", "start `refex worker`, or more of them")


async def partitions(exchange: Exchange) -> Finding:
    """No partition stands still."""
    rows = await _rows(exchange, "stopped")
    if not rows:
        return Finding(True, "none is stopped")
    first = rows[0]
    others = f" (and {len(rows) - 1} more: `refex progress list --stopped`)" if len(rows) > 1 else ""
    return Finding(False, f"{first['topic']}/{first['partition']} stands still{others}", first["stopped"])


async def dead_letters(exchange: Exchange) -> Finding:
    """Nothing waits for a replay, nothing is parked."""
    row = await _row(exchange, "dead_letters")
    detail = f"{row['waiting']} not replayed, {row['failures']} of them our own failure"
    if row["parked"]:
        detail += f"; {row['parked']} records of {row['streams']} referrals and other streams wait because we failed"
    fine = not row["failures"] and not row["parked"]
    return Finding(fine, detail, "see `refex dead-letters list`; mend the cause, then replay")


async def projections(exchange: Exchange) -> Finding:
    """Nobody is rebuilding the tables that lists are read from, and no rebuild was cut short."""
    found = await _rows(exchange, "rebuilding")
    if not found:
        return Finding(True, "whole")
    detail = f"being rebuilt since {found[0]['since']:%Y-%m-%d %H:%M:%S} by {found[0]['by_whom']}"
    again = "wait for it; if it was cut short, run `refex rebuild --replace` again, or --abandon it"
    return Finding(False, detail, again)


async def api(exchange: Exchange) -> Finding:
    """The API says it is ready."""
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            response = await client.get(f"{exchange.url}/readyz")
    except httpx.HTTPError as error:
        return Finding(False, f"{exchange.url} does not answer ({type(error).__name__})", "start `refex api`")
    detail = f"{exchange.url} answers {response.status_code}"
    return Finding(response.status_code == 200, detail, f"see {exchange.url}/readyz")


async def _row(exchange: Exchange, name: str) -> asyncpg.Record:
    return (await _rows(exchange, name))[0]


async def _rows(exchange: Exchange, name: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(
        exchange.database_url, timeout=5, server_settings={"application_name": "refex-doctor"}
    )
    try:
        return list(await connection.fetch(SQL[name]))
    finally:
        await connection.close()
