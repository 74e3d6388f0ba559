"""Deliveries: rows written by the batch become signed webhooks, one receiver never delaying another.

Comes in: due rows of `delivery`. Goes out: HTTP posts with ids and status alone, signed after the Standard Webhooks
scheme, at least once with a stable id. Must never carry a person's data.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import msgspec
from standardwebhooks import Webhook

from infra import crash_points
from infra.postgres import queries
from infra.waiting import woken
from stream_processors.exchange import is_transient

SQL = queries("stream_processors", "notify.sql")
BATCH = 50
MAX_ATTEMPTS = 10
TIMEOUT_S = 10.0
SWEEP_S = 2.0


class Notifier:
    """Sends what is due; `wake` when something new was written, else it sweeps."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something was written just now."""
        self._woken.set()

    async def run(self) -> None:
        """For ever; a missed wake-up is made up for by the sweep."""
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client:
            while True:
                self._woken.clear()
                try:
                    busy = await self.step(client)
                except Exception as error:
                    if not is_transient(error):
                        raise
                    busy = False
                if not busy:
                    await woken(self._woken, SWEEP_S)

    async def step(self, client: httpx.AsyncClient) -> bool:
        """Claim and send one batch side by side; whether there was anything."""
        due = await self._pool.fetch(SQL["claim"], BATCH)
        if due:
            crash_points.here("notify.claimed")
        await asyncio.gather(*(self._send(client, row) for row in due))
        return bool(due)

    async def _send(self, client: httpx.AsyncClient, row: asyncpg.Record) -> None:
        body, headers = message(dict(row), datetime.now(UTC))
        try:
            answer = await client.post(row["webhook_url"], content=body, headers=headers)
            error = None if answer.is_success else f"the receiver answered {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            error = type(problem).__name__
        if error is None:
            crash_points.here("notify.sent")
            await self._pool.execute(SQL["delivered"], row["id"])
            crash_points.here("notify.marked")
        else:
            wait = min(3600.0, 2.0 ** row["attempts"])
            await self._pool.execute(SQL["retry"], row["id"], error, wait, MAX_ATTEMPTS)


def message(row: dict[str, Any], now: datetime) -> tuple[bytes, dict[str, str]]:
    """The body and signed headers of one delivery; the id stays the same over every attempt."""
    body = msgspec.json.encode(
        {
            "type": row["type"],
            "timestamp": row["at"],
            "data": {row["kind"]: row["stream_id"], "version": row["version"], "status": row["status"]},
        }
    )
    signature = Webhook(row["webhook_secret"]).sign(str(row["id"]), now, body.decode())
    return body, {
        "content-type": "application/json",
        "webhook-id": str(row["id"]),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
