"""`refex person`: erases a person, and wraps the persons' keys anew when their key-encryption key changes.

Comes in: whose, and why. Goes out: what was recorded of it. Must never print more of a person than ids.
"""

import asyncio
import getpass
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import click
from msgspec import Struct

from cli.common import Exchange, find, json_option, note, print_json, run, wants_json
from infra.postgres import connect, queries
from infra.vault import intake
from infra.vault.vault import Vault, row_of, vault_of
from producers.envelope import Said, erasure_asked
from producers.producer import RecordProducer
from referrals import ids
from stream_processors.store import columns

SQL = queries("cli", "person.sql")
WAIT_S = 60.0
AT_ONCE = 1000


class Erased(Struct, frozen=True):
    """What became of it: outcome of the inbox, and the same person's keys at other senders, which are still there."""

    person_key: UUID
    outcome: str
    detail: str | None
    linked: tuple[UUID, ...]


@click.group(epilog="Example: refex person erase bay-clinic P-1001 --reason 'asked for it on 2026-11-02'")
def person() -> None:
    """Erase a person; keep the persons' keys."""


@person.command(epilog="Example: refex person erase bay-clinic P-1001 --reason 'asked for it on 2026-11-02'")
@click.argument("organization")
@click.argument("person_id")
@click.option("--reason", required=True, help="Why; is recorded, so nothing about the person's situation.")
@click.option(
    "--key", "is_key", is_flag=True, help="PERSON_ID is a person key (as audit and history show it)."
)
@json_option
def erase(organization: str, person_id: str, reason: str, is_key: bool, as_json: bool) -> None:
    """Delete the key of ORGANIZATION's person: nobody can open what was sealed under it, anywhere, ever again.

    Refused while a referral of the person is open. What the organization sends of the person later is a new beginning.
    """
    key = _key(person_id) if is_key else ids.person_key(organization, person_id)
    found = run(_erase(find(), organization, key, reason.strip()))
    if wants_json(as_json):
        print_json(found)
    elif found.outcome == "applied":
        click.echo(f"{found.person_key}\terased")
    for other in found.linked:
        note(f"{other}: the same person at another sender, not erased")
    if found.outcome != "applied":
        raise click.ClickException(found.detail or found.outcome)


@person.command(epilog="Example: refex person rewrap")
@json_option
def rewrap(as_json: bool) -> None:
    """Wrap every person's key by the newest key-encryption key; then the older ones may be destroyed.

    Put the new key first (REFEX_VAULT_KEY, or rename vault/kek.key to vault/old-1.key: a new one is made), restart
    every part, run this, destroy the old key.
    """
    exchange = find()
    done, left = run(_rewrap(exchange, vault_of(exchange.settings)))
    if wants_json(as_json):
        print_json({"rewrapped": done, "retired": left})
        return
    click.echo(f"{done} keys wrapped anew")
    for id in left:
        click.echo(
            f"{id}\tno longer needed; destroy it, and backups of person_key made under it are worthless"
        )


def _key(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise click.UsageError(
            "a person key is a UUID; leave --key out for the organization's own id"
        ) from None


async def _erase(exchange: Exchange, organization: str, key: UUID, reason: str) -> Erased:
    said = Said(uuid4(), organization, datetime.now(UTC), user=getpass.getuser(), channel="exchange")
    connection = await asyncpg.connect(exchange.database_url, timeout=5)
    try:
        if not await connection.fetchval(SQL["known"], organization):
            raise click.ClickException(f"{organization} is no participant; see `refex participant list`")
        linked = tuple(r["other"] for r in await connection.fetch(SQL["linked"], key))
        async with RecordProducer(exchange.kafka, client_id="refex-person", timeout_s=15) as producer:
            await producer.send([erasure_asked(said, key, reason)])
        row = await _outcome(connection, organization, said.event_id)
    finally:
        await connection.close()
    return Erased(key, row["outcome"], row["detail"], linked)


async def _outcome(connection: asyncpg.Connection, organization: str, event: UUID) -> Any:
    """What was recorded of it; it may still be when the patience here has ended."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if (row := await connection.fetchrow(SQL["outcome"], organization, event)) is not None:
            return row
        await asyncio.sleep(0.1)
    raise click.ClickException("it is in Kafka and not recorded yet; is a worker running? `refex doctor`")


async def _rewrap(exchange: Exchange, vault: Vault) -> tuple[int, list[str]]:
    """A thousand at a time, each locked against its erasure; the keys that wrap nothing any more."""
    connection = await connect(exchange.database_url, "person")
    done = 0
    try:
        async with connection.transaction():
            await vault.keyring(connection, ())
        while True:
            async with connection.transaction():
                rows = await connection.fetch(SQL["wrapped_before"], vault.kek, AT_ONCE)
                made = [vault.rewrapped(row_of(r)) for r in rows]
                if not made:
                    break
                await connection.execute(
                    SQL["rewrap"], *columns([(r.person, r.kek, r.wrapped) for r in made])
                )
                done += len(made)
        async with connection.transaction():
            done += await intake.rewrap(connection, vault)
        return done, [r["id"] for r in await connection.fetch(SQL["retire"], vault.kek)]
    finally:
        await connection.close()
