"""`refex doctor`: looks at every part and says, line by line, ok or what to do.

Comes in: the configured exchange, or the one running here. Goes out: findings; exit 1 when one needs you. Must
never change anything.
"""

import asyncio
from collections.abc import Awaitable, Callable

import click

from cli import doctor_checks as checks
from cli.common import Exchange, find, json_option, print_json, run, wants_json
from cli.doctor_checks import Finding

TIMEOUT_S = 20.0
CHECKS: dict[str, Callable[[Exchange], Awaitable[Finding]]] = {
    "versions": checks.versions,
    "database": checks.database,
    "server-log": checks.logging,
    "migrations": checks.migrations,
    "clock": checks.clock,
    "kafka": checks.broker,
    "topics": checks.topics,
    "access": checks.access,
    "schemas": checks.schemas,
    "lag": checks.lag,
    "partitions": checks.partitions,
    "dead letters": checks.dead_letters,
    "projections": checks.projections,
    "api": checks.api,
}


@click.command(epilog="Example: refex doctor --json")
@json_option
def doctor(as_json: bool) -> None:
    """Check versions, servers, topics, access, schemas, clock, migrations and lag."""
    found = run(_examine(find()))
    if wants_json(as_json):
        rows = [{"check": name, "ok": f.ok, "detail": f.detail, "next": f.next} for name, f in found]
        print_json({"checks": rows})
    else:
        for name, finding in found:
            click.echo(f"{'ok' if finding.ok else 'NOT OK':<7} {name:<13} {finding.detail}")
            if not finding.ok:
                click.echo(f"{'':<21} -> {finding.next}")
    if not all(finding.ok for _, finding in found):
        raise SystemExit(1)


async def _examine(exchange: Exchange) -> list[tuple[str, Finding]]:
    return [(name, await _one(check, exchange)) for name, check in CHECKS.items()]


async def _one(check: Callable[[Exchange], Awaitable[Finding]], exchange: Exchange) -> Finding:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await check(exchange)
    except Exception as error:  # whatever it is, the other checks still tell something
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        return Finding(
            False, what, "mend what stands above, or look at the log of that part, and run this again"
        )
