"""The API's own counters, and gauges of the whole exchange from SQL at most every 15 seconds.

Comes in: what handlers count, the reader's counts. Goes out: the Prometheus text. Must never label with an id of a
person, a referral or an organization.
"""

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from api.database import Database, DatabaseAway, Rebuilding
from infra.postgres import queries

SQL = queries("api", "metrics.sql")
REGISTRY = CollectorRegistry()
FRESH_S = 15.0

REQUESTS = Counter("refex_http_requests", "HTTP requests answered", ["method", "status"], registry=REGISTRY)
LATENCY = Histogram("refex_http_request_seconds", "Time to answer a request", registry=REGISTRY)
PUBLISHED = Counter(
    "refex_records_published", "Records the broker took from this API", ["topic"], registry=REGISTRY
)
SUBMITTED = Counter(
    "refex_referrals_submitted", "Referrals submitted here by HTTP or FHIR", registry=REGISTRY
)
RESPONDED = Counter("refex_responses", "Answers of CBOs by action", ["action"], registry=REGISTRY)
TOKENS = Counter("refex_tokens_issued", "Access tokens issued", registry=REGISTRY)
STREAMS = Gauge("refex_event_streams", "Open SSE streams", registry=REGISTRY)
REFERRALS = Gauge("refex_referrals", "Referrals by status", ["status"], registry=REGISTRY)
HOPS = Gauge("refex_hops", "Hops by status", ["status"], registry=REGISTRY)
OVERDUE = Gauge("refex_hops_overdue", "Hops requested and past their due time", registry=REGISTRY)
CONSUMED = Gauge("refex_records_consumed", "Records consumed by the exchange", registry=REGISTRY)
REJECTED = Gauge("refex_commands_rejected", "Commands that had no effect", registry=REGISTRY)
FACTS = Gauge("refex_facts", "Facts recorded", registry=REGISTRY)
RELAY_LAG = Gauge("refex_relay_lag_facts", "Facts not yet relayed to Kafka", registry=REGISTRY)
DEAD_LETTERS = Gauge("refex_dead_letters", "Dead letters not yet replayed", registry=REGISTRY)
PARKED = Gauge("refex_parked_records", "Records that wait because we failed", registry=REGISTRY)
PARKED_STREAMS = Gauge("refex_parked_streams", "Referrals and others they wait for", registry=REGISTRY)
DEADLINES = Gauge("refex_deadlines_pending", "Deadlines that have not come due", registry=REGISTRY)
DELIVERIES = Gauge("refex_deliveries_pending", "Notifications not yet delivered", registry=REGISTRY)
LATE_NOTICES = Gauge(
    "refex_notices_late", "Notifications past the contract's time, undelivered", registry=REGISTRY
)
DATABASE_UP = Gauge("refex_database_up", "Whether the last count could be read", registry=REGISTRY)

BY_LABEL = {"referrals": REFERRALS, "hops": HOPS}
PLAIN = {
    "overdue": OVERDUE,
    "facts": FACTS,
    "consumed": CONSUMED,
    "rejected": REJECTED,
    "relay_lag": RELAY_LAG,
    "dead_letters": DEAD_LETTERS,
    "parked": PARKED,
    "parked_streams": PARKED_STREAMS,
    "deadlines": DEADLINES,
    "deliveries": DELIVERIES,
    "late_notices": LATE_NOTICES,
}


class Gauges:
    """When the gauges were last read."""

    def __init__(self) -> None:
        self._read_at = -FRESH_S

    async def refresh(self, database: Database) -> None:
        """Read the counts anew if they are older than 15 seconds; a database that is away leaves the old ones."""
        if time.monotonic() - self._read_at < FRESH_S:
            return
        self._read_at = time.monotonic()
        try:
            async with database.aggregates() as connection:
                labelled = await connection.fetch(SQL["labelled"])
                plain = await connection.fetchrow(SQL["plain"])
        except Rebuilding:
            return
        except DatabaseAway:
            DATABASE_UP.set(0)
            return
        DATABASE_UP.set(1)
        _set(labelled, plain)


def _set(labelled: Any, plain: Any) -> None:
    for gauge in BY_LABEL.values():
        gauge.clear()
    for row in labelled:
        BY_LABEL[row["family"]].labels(row["label"]).set(row["n"])
    for name, gauge in PLAIN.items():
        gauge.set(plain[name])


def text() -> bytes:
    """Everything in Prometheus' text format."""
    return generate_latest(REGISTRY)
