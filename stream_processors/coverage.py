"""Coverage that changed, begins or is over: every open referral of the member is asked to look again.

Comes in: rows of `coverage_due`. Goes out: coverage_reached records with ids that repeat harmlessly, one per referral.
Never decides who pays, and never misses a referral: it waits for the batches that read the spells as they were.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from infra import crash_points
from infra.kafka import KafkaLogin
from infra.postgres import queries
from producers.envelope import Record, coverage_reached
from producers.producer import RecordProducer
from referrals.coverage import begins, next_change, today
from referrals.covering import spells_of
from referrals.ids import event_id, lane
from stream_processors.patience import IDLE_S, again_and_again, held
from stream_processors.store import columns

SQL = queries("stream_processors", "coverage.sql")
AT_ONCE = 1000  # records of one send, which the broker must take in four seconds
Send = Callable[[Sequence[Record]], Awaitable[object]]


class CoverageTeller:
    """One process at a time (advisory lock) tells the referrals of members whose coverage is due."""

    def __init__(self, url: str, login: KafkaLogin) -> None:
        self._url = url
        self._login = login

    async def run(self) -> None:
        """For ever; after a failure let go of everything and begin anew."""
        await again_and_again("coverage", self._session)

    async def _session(self) -> None:
        async with held(self._url, "worker", SQL["try_lock"]) as connection:
            if connection is None:
                return
            async with RecordProducer(self._login, "refex-coverage") as producer:
                while True:
                    if not await tell(connection, producer.send):
                        await asyncio.sleep(IDLE_S)


async def tell(connection: asyncpg.Connection, send: Send) -> bool:
    """Tell what is due, and note when each of these members is due again; whether there was anything."""
    due = await connection.fetch(SQL["due"])
    if not due:
        return False
    crash_points.here("coverage.due")
    members, now = [row["member"] for row in due], datetime.now(UTC)
    async with connection.transaction():
        await connection.execute(SQL["lock_members"], sorted({lane(m) for m in members}))
        referrals = await connection.fetch(SQL["referrals"], [str(m) for m in members])
        streams = await connection.fetch(SQL["members"], members)
    of = {row["member"]: row for row in due}
    for start in range(0, len(referrals), AT_ONCE):
        await send([_record(r["id"], of[r["member"]], now) for r in referrals[start : start + AT_ONCE]])
    if referrals:
        crash_points.here("coverage.published")
    again = {r["id"]: _again(msgspec.json.decode(r["data"]), now) for r in streams}
    told = [(row["member"], row["generation"], again.get(row["member"])) for row in due]
    await connection.execute(SQL["told"], *columns(told))
    crash_points.here("coverage.marked")
    return True


def _again(data: dict[str, Any], now: datetime) -> datetime | None:
    day = next_change(today(now), spells_of(data).values())
    return begins(day) if day else None


def _record(referral: UUID, due: asyncpg.Record, now: datetime) -> Record:
    moment = due["due_at"].isoformat()
    event = event_id(
        "exchange", "coverage", str(referral), str(due["member"]), str(due["generation"]), moment
    )
    return coverage_reached(event, now, referral)
