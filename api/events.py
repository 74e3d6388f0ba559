"""What publishes: a caller's request becomes records on Kafka, once per Idempotency-Key, and its outcome is awaited.

Comes in: a principal, records of producers.envelope. Goes out: acknowledged records, the inbox's outcome. Must never
write referral state, and never publish the same key with two bodies.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID, uuid4

from starlette.requests import Request

from api import metrics
from api.changes import Outcome
from api.context import context, principal_of
from api.problems import Problem
from infra import crash_points
from infra.postgres import queries
from producers.envelope import Record, Said
from producers.producer import BrokerAway
from referrals import ids

SQL = queries("api", "events.sql")
PATIENCE_S = 2.0
MAX_RECORD = 1_000_000
MAX_KEY = 255
BROKER_S = 4.2
_late: set["asyncio.Future[None]"] = set()


class Ask(NamedTuple):
    """One request to the exchange: its event id, when it was first made, and its outcome if there is one."""

    event_id: UUID
    at: datetime
    outcome: Outcome | None = None


async def ask(request: Request, body: bytes) -> Ask:
    """The event of this request; with an Idempotency-Key the same one every time. Raises the 422 of a reused key."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return Ask(uuid4(), datetime.now(UTC))
    if not 0 < len(key) <= MAX_KEY:
        raise Problem("malformed", f"an Idempotency-Key has 1 to {MAX_KEY} characters")
    principal = principal_of(request)
    route = f"{request.method} {request.url.path}"
    event = ids.event_id(principal.organization, principal.user, route, key)
    digest = sha256(body).digest()
    async with context(request).database.writing(principal) as connection:
        await connection.execute(SQL["claim_key"], principal.organization, event, digest)
        row = await connection.fetchrow(SQL["key"], principal.organization, event)
    crash_points.here("api.asked")
    if row is None or row["body_sha256"] != digest:
        raise Problem("key-reused")
    outcome = None
    if row["outcome"] is not None:
        outcome = Outcome(row["outcome"], row["reason"], row["detail"], row["version"], row["stream_id"])
    return Ask(event, row["created_at"], outcome)


def said(
    request: Request, asked: Ask, occurred_at: datetime | None = None, channel: str | None = None
) -> Said:
    """The envelope of a record: the caller as verified, never as a body claims."""
    principal = principal_of(request)
    return Said(
        event_id=asked.event_id,
        organization=principal.organization,
        occurred_at=occurred_at or asked.at,
        user=principal.user,
        channel=channel or principal.channel,
        session=context(request).intake.session,
    )


def nth(asked: Ask, number: int) -> Ask:
    """The event of the n-th record of one request; the first is the request's own."""
    return asked if number == 0 else asked._replace(event_id=ids.event_id(str(asked.event_id), str(number)))


async def publish(request: Request, records: Sequence[Record]) -> None:
    """Send all; returns when the broker has them. Raises BrokerAway (503) or the 413."""
    if any(len(record.value) > MAX_RECORD for record in records):
        raise Problem("too-large", "one record would be larger than the log takes; send less text")
    sending = asyncio.ensure_future(_send(request, records))
    done, _ = await asyncio.wait({sending}, timeout=BROKER_S)
    if not done:  # it goes on giving up in the background; the caller hears of it in time
        _late.add(sending)
        sending.add_done_callback(_gave_up)
        raise BrokerAway("the broker did not acknowledge in time; try again")
    sending.result()
    crash_points.here("api.published")
    for record in records:
        metrics.PUBLISHED.labels(record.topic).inc()


async def _send(request: Request, records: Sequence[Record]) -> None:
    await context(request).producer.send(records)


def _gave_up(sending: "asyncio.Future[None]") -> None:
    _late.discard(sending)
    if not sending.cancelled():
        sending.exception()


async def outcome(request: Request, event: UUID, patience_s: float = PATIENCE_S) -> Outcome | None:
    """What the exchange made of the caller's event; None when that takes longer."""
    return await context(request).changes.outcome(principal_of(request).organization, event, patience_s)
