"""Traffic for tests: synthetic events over the participants' own log-ins, every acknowledgement remembered."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from avro_schemas import topics
from producers.ledger import Ledger
from referrals import ids
from tests.support.running import RunningExchange


def synthetic(number: int, payer: str | None = None) -> dict[str, Any]:
    """The n-th synthetic submission: a food need in the demo's best-served ZIP."""
    return {
        "sender_referral_id": f"LOAD-{number}",
        "person": {
            "person_id": f"PERSON-{number % 997}",
            "given_name": "Load",
            "family_name": "Synthetic",
            "birth_date": "1990-01-01",
            "spoken_language": "en",
            "address": {"postal_code": "94607", "county": "Alameda"},
        },
        "need": {"domain": "food-insecurity"},
        "consent": {"status": "active"},
        "coverage": {"payer": payer} if payer else None,
    }


class Sent:
    """What the broker acknowledged so far."""

    def __init__(self) -> None:
        self.events: set[UUID] = set()
        self.referrals: list[UUID] = []


async def paced(total: int, seconds: float, burst: int = 25) -> AsyncIterator[range]:
    """Ranges of numbers, so that `total` are handed out evenly over `seconds`."""
    began = time.monotonic()
    for start in range(0, total, burst):
        wait = began + start * seconds / total - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        yield range(start, min(start + burst, total))


async def publish(
    exchange: RunningExchange,
    organization: str,
    total: int,
    seconds: float,
    sent: Sent,
    ledger: Ledger | None = None,
) -> None:
    """`total` events of one sender: submissions, one in four amended, one in eight cancelled, one in ten twice."""
    async with exchange.publisher(organization) as publisher:
        async for numbers in paced(total, seconds):
            done = await asyncio.gather(*(_kept(publisher, n, ledger) for n in numbers))
            sent.events |= {p.event_id for p in done}
            sent.referrals += [ids.referral_id(organization, f"LOAD-{n}") for n in numbers if n % 2 == 0]


async def _kept(publisher: Any, n: int, ledger: Ledger | None) -> Any:
    if ledger is None:
        return await _event(publisher, n)
    referral = ids.referral_id(publisher.organization, f"LOAD-{n - n % 2}")
    seq = await ledger.intend(publisher.organization, topics.intake(publisher.organization), referral)
    try:
        placed = await _event(publisher, n)
    except BaseException:
        await ledger.unknown(seq)
        raise
    await ledger.acked(seq, placed.event_id, placed.partition, placed.offset)
    return placed


async def _event(publisher: Any, n: int) -> Any:
    if n % 2 == 0:
        published = await publisher.submit(synthetic(n))
        return await publisher.submit(synthetic(n)) if n % 10 == 0 else published
    if n % 4 == 1:
        return await publisher.submit(synthetic(n - 1) | {"priority": "urgent"})
    return await publisher.cancel(f"LOAD-{n - 1}", "need-met")
