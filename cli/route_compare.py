"""`refex route --compare`: past referrals decided again under another policy, without effect.

Comes in: a policy file, a running exchange read under the reader's role. Goes out: how many would go elsewhere, by
need, with examples by id. Both policies see today's directory, records and loads, so that only the policy differs.
Must never write, nor print anything about a person.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import click
import msgspec
from msgspec import Struct, structs

from infra.postgres import Connection, connect, queries
from infra.vault.cipher import Erased
from infra.vault.vault import Vault, persons_in
from referrals.placing import World, decide
from referrals.standing import Standings
from referrals.state import Referral
from referrals.wanted import Policy, policy, policy_of
from stream_processors.personal import Opened
from stream_processors.world import WorldKeeper

SQL = queries("cli", "route_compare.sql")
EXAMPLES = 10


class Moved(Struct, frozen=True):
    """One referral that would go elsewhere: service ids, None = a person at the hub."""

    referral: UUID
    need: str
    now: str | None
    then: str | None


class Need(Struct, frozen=True):
    """One need: how many referrals, how many of them elsewhere."""

    need: str
    referrals: int
    elsewhere: int


class Compared(Struct, frozen=True):
    """What the other policy would change. `unreadable` could not be opened here and are not counted."""

    policy: str
    other: str
    referrals: int
    elsewhere: int
    unreadable: int
    needs: tuple[Need, ...]
    examples: tuple[Moved, ...]


class _Worlds(NamedTuple):
    now: World
    then: World


def read_policy(path: Path) -> Policy:
    """A policy file; a ClickException says what is wrong with it."""
    try:
        found = policy_of(path.read_bytes())
    except msgspec.MsgspecError as error:
        raise click.ClickException(
            f"{path} is no routing policy: {error}; begin with a copy of referrals/data/routing_policy.json"
        ) from None
    if lacking := set(policy().weights) ^ set(found.weights):
        names = ", ".join(sorted(lacking))
        raise click.ClickException(f"{path}: weights must name the same parts as today; differing: {names}")
    return found


async def compare(url: str, vault: Vault, other: Policy, limit: int) -> Compared:
    """Decide the newest `limit` referrals again as if they had just come, under both policies."""
    connection = await connect(url, "reader")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await _compared(connection, vault, other, limit)
    finally:
        await connection.close()


async def _compared(connection: Connection, vault: Vault, other: Policy, limit: int) -> Compared:
    rows = await connection.fetch(SQL["decided"], limit)
    keys = await vault.keyring(connection, persons_in(row["sealed"] for row in rows))
    world = (await WorldKeeper().current(connection))._replace(open=Opened(keys))
    known = world.standings
    worlds = _Worlds(world, world._replace(standings=Standings(other, known.records, known.taken)))
    asked, moved, unreadable = Counter[str](), list[Moved](), 0
    at = datetime.now(UTC)
    for row in rows:
        state = structs.replace(
            msgspec.json.decode(row["state"], type=Referral), sealed=row["sealed"], hops=()
        )
        try:
            if worlds.now.open(state.id, state.sealed) is None:
                raise Erased
            now, then = (decide(state, at, w).chosen for w in worlds)
        except ValueError:
            unreadable += 1
            continue
        asked[state.domain] += 1
        if now != then:
            moved.append(Moved(state.id, state.domain, now, then))
    elsewhere = Counter(m.need for m in moved)
    return Compared(
        policy=policy().version,
        other=other.version,
        referrals=asked.total(),
        elsewhere=len(moved),
        unreadable=unreadable,
        needs=tuple(Need(need, n, elsewhere[need]) for need, n in sorted(asked.items())),
        examples=tuple(moved[:EXAMPLES]),
    )


def show(found: Compared) -> None:
    """The comparison as text."""
    click.echo(
        f"{found.elsewhere} of {found.referrals} referrals would go elsewhere under {found.other} "
        f"than under {found.policy}"
    )
    for row in found.needs:
        click.echo(f"  {row.need}: {row.elsewhere} of {row.referrals}")
    for one in found.examples:
        now, then = (service or "a person at the hub" for service in (one.now, one.then))
        click.echo(f"  {one.referral} {one.need}: {now} -> {then}")
    if found.unreadable:
        click.echo(f"{found.unreadable} could not be opened on this machine and are not counted")
