"""Deliveries: rows written by the batch become signed webhooks, one receiver never delaying another.

Comes in: due rows of `delivery`. Goes out: HTTP posts with ids and status alone, signed after the Standard Webhooks
scheme, at least once with a stable id. Must never carry a person's data, nor keep what a receiver answers.
"""

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
from standardwebhooks import Webhook

from infra import crash_points
from infra.audit.trail import Trail
from infra.postgres import queries
from infra.vault import kept
from infra.vault.kms import Locked
from infra.vault.vault import Vault
from infra.waiting import woken
from referrals import labels
from stream_processors.disclosing import WITHDRAWN, About, about, may_leave, on_record
from stream_processors.exchange import is_transient
from stream_processors.receivers import ALTOGETHER, EACH, Receivers

SQL = queries("stream_processors", "notify.sql")
MAX_ATTEMPTS = 10
TIMEOUT_S = 10.0
SWEEP_S = 2.0
GATHER_S = 0.05
UNWANTED_EVERY_S = 30.0
MAX_ANSWER = 4096
AWAY = frozenset({429, 500, 502, 503, 504})


class Notifier:
    """Sends what is due; `wake` when something new was written, else it sweeps."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault
        self._woken = asyncio.Event()
        self._receivers = Receivers()
        self._trail = Trail("notify", uuid4(), datetime.now(UTC))
        self._calls: set[asyncio.Task[None]] = set()
        self._tidied_at = float("-inf")

    def wake(self) -> None:
        """Something was written just now."""
        self._woken.set()

    async def run(self) -> None:
        """For ever; a missed wake-up is made up for by the sweep."""
        limits = httpx.Limits(max_connections=ALTOGETHER, max_keepalive_connections=ALTOGETHER)
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, limits=limits) as client:
            try:
                while True:
                    self._woken.clear()
                    try:
                        await self.step(client)
                    except Exception as error:
                        if not is_transient(error):
                            raise
                    await woken(self._woken, SWEEP_S * random.uniform(0.8, 1.2))
                    await asyncio.sleep(GATHER_S)  # what ends together is followed by one claim
            finally:
                for call in self._calls:
                    call.cancel()
                await asyncio.gather(*self._calls, return_exceptions=True)

    async def step(self, client: httpx.AsyncClient) -> None:
        """Claim for every receiver that has room, and start the calls; their ends wake the next step."""
        await self._tidy()
        free, rooms = self._receivers.free, self._receivers.rooms(time.monotonic())
        if not free:
            return
        due = await self._claim(list(rooms), list(rooms.values()), free)
        if due:
            crash_points.here("notify.claimed")
        for row in due:
            self._receivers.began(row["recipient"])
            call = asyncio.create_task(self._send(client, row))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _claim(self, known: list[str], rooms: list[int], free: int) -> list[dict[str, Any]]:
        """What may leave now, each once on record as a disclosure; what may not any more is given up."""
        now = datetime.now(UTC)
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                due = await connection.fetch(SQL["claim"], known, rooms, EACH, free)
                rows = (
                    await connection.fetch(SQL["about"], list({r["stream_id"] for r in due})) if due else []
                )
                found = {r["id"]: about(dict(r)) for r in rows}
                said = [dict(r) | {"about": found.get(r["stream_id"], About())} for r in due]
                sent = [r for r in said if may_leave(r["about"], r["recipient"], r["type"], now)]
                if held := {r["id"] for r in said} - {r["id"] for r in sent}:
                    await connection.execute(SQL["withdrawn"], list(held), WITHDRAWN)
                fresh = [r for r in sent if r["attempts"] == 1]
                if fresh:
                    await self._trail.add(connection, [on_record(r["about"], r, now) for r in fresh])
        except BaseException:
            self._trail.forget()
            raise
        self._trail.adopt()
        return sent

    async def _tidy(self) -> None:
        """Now and then: what waits for a receiver that wants no webhook any more is given up."""
        if time.monotonic() - self._tidied_at > UNWANTED_EVERY_S:
            await self._pool.execute(SQL["unwanted"])
            self._tidied_at = time.monotonic()

    async def _send(self, client: httpx.AsyncClient, row: dict[str, Any]) -> None:
        answered, error = False, "the process ended"
        try:
            answered, error = await _call(client, self._vault, row)
        finally:
            self._receivers.ended(row["recipient"], answered, time.monotonic(), random.random())
            self._woken.set()
        try:
            if not error:
                crash_points.here("notify.sent")
                await self._pool.execute(SQL["delivered"], row["id"])
                crash_points.here("notify.marked")
                return
            wait = min(3600.0, 2.0 ** row["attempts"]) * random.uniform(0.75, 1.25)
            await self._pool.execute(SQL["retry"], row["id"], error, wait, MAX_ATTEMPTS)
        except (
            Exception
        ) as problem:  # its claim runs out after a minute and it is sent again under the same id
            if not is_transient(problem):
                raise


async def _call(client: httpx.AsyncClient, vault: Vault, row: dict[str, Any]) -> tuple[bool, str]:
    """One attempt, bounded in time and in what is read: whether the receiver is there, and what is wrong or ''."""
    try:
        secret = kept.opened(vault, row["kek"], row["secret"], kept.of_receiver(row["recipient"])).decode()
    except Locked as error:  # ours to mend, no fault of the receiver's
        return True, str(error)
    try:
        body, headers = message(row, secret, datetime.now(UTC))
        async with asyncio.timeout(TIMEOUT_S):
            async with client.stream("POST", row["webhook_url"], content=body, headers=headers) as answer:
                await _drained(answer)
        problem = "" if answer.is_success else f"the receiver answered {answer.status_code}"
        return answer.status_code not in AWAY, problem
    except Exception as error:  # whatever a receiver or its address does is its own failure, never ours
        return False, type(error).__name__


async def _drained(answer: httpx.Response) -> None:
    """Read a short answer to its end so that the connection can be used again; a long one is cut off."""
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > MAX_ANSWER:
            return


def message(row: dict[str, Any], secret: str, now: datetime) -> tuple[bytes, dict[str, str]]:
    """The body and signed headers of one delivery; the id stays the same over every attempt."""
    said: About = row["about"]
    content: dict[str, Any] = {
        "type": row["type"],
        "timestamp": row["at"],
        "data": {row["kind"]: row["stream_id"], "version": row["version"], "status": row["status"]},
    }
    if row["kind"] == "referral" and said.labels:
        content |= {"sensitivity": said.labels, "notice": labels.notice(said.labels)}
    body = msgspec.json.encode(content)
    signature = Webhook(secret).sign(str(row["id"]), now, body.decode())
    return body, {
        "content-type": "application/json",
        "webhook-id": str(row["id"]),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
