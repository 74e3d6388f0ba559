"""A running exchange under measurement: its processes, its lag, referrals that wait for an answer."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from producers.producer import RecordProducer
from tests.benchmarks.latency import schedule
from tests.benchmarks.latency.schedule import SENDERS, Event, Waiting
from tests.support.lag import behind
from tests.support.running import RunningExchange, until

WAITING = """
select r.id, r.sender, h.hop, h.recipient from referral r join hop h on h.referral_id = r.id
where h.status = 'requested' and r.sender = any ($1::text[]) order by r.id
"""
APPLIED = """
select sum(next_offset)::bigint from progress where topic like 'intake.%' or topic = 'referral.response'
"""
"""Of the topics we publish to; what the exchange tells itself meanwhile does not count."""
TOGETHER = 500


async def caught_up(exchange: RunningExchange) -> float:
    """Seconds until nothing is left to apply."""
    began = time.monotonic()

    async def no_lag() -> bool:
        return await behind(exchange) == 0

    await until(no_lag, timeout_s=300, every_s=0.05)
    return time.monotonic() - began


async def publish(producer: RecordProducer, events: Sequence[Event]) -> None:
    """All of them, as fast as the broker takes them."""
    for first in range(0, len(events), TOGETHER):
        await producer.send([event.record for event in events[first : first + TOGETHER]])


async def waiting(exchange: RunningExchange, count: int, runs: Iterator[int]) -> list[Waiting]:
    """So many referrals that wait for an answer; new ones are sent until there are."""
    async with exchange.database() as database, RecordProducer(exchange.kafka_login()) as producer:
        while True:
            rows = await database.fetch(WAITING, list(SENDERS))
            if len(rows) >= count:
                return [Waiting(*row) for row in rows[:count]]
            wanted = max(100, (count - len(rows)) * 2)
            await publish(producer, list(schedule.submissions(next(runs), wanted, datetime.now(UTC))))
            await caught_up(exchange)


async def mixed(
    exchange: RunningExchange, rate: int, seconds: float, runs: Iterator[int], samples: int = 0
) -> list[Event]:
    """The events of a run against what waits in this exchange."""
    run = next(runs)
    asked = await waiting(exchange, schedule.answers_needed(rate, seconds), runs)
    return schedule.events(run, rate, seconds, asked, samples, datetime.now(UTC))


def pids(exchange: RunningExchange) -> Mapping[str, int]:
    """The processes of an exchange by what they are."""
    found = exchange.pids
    workers = {f"worker {n}" if n else "worker": pid for n, pid in enumerate(found["workers"])}
    return workers | {name: found[name] for name in ("api", "notify", "kafka", "postgres")}
