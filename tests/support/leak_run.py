"""One run with planted identities: sent through every door, well and badly formed, while parts and servers are killed.

Comes in: a running exchange at DEBUG. Goes out: a folder of what was answered to others than the sender, for the scan.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from avro_schemas import topics
from infra.kafka_identity import partition_counts
from infra.postgres import ENDED
from producers.people_bundle import as_fhir_bundle
from tests.support.command import refex
from tests.support.identities import Identity
from tests.support.lag import behind, relayed
from tests.support.leak_input import CLINIC, PLAN, bad_bodies, bad_records
from tests.support.running import RunningExchange, until

JSON = {"content-type": "application/json"}


class Run:
    """Sends, breaks, waits; every problem that was answered lies in `folder`."""

    def __init__(self, exchange: RunningExchange, folder: Path) -> None:
        self.exchange = exchange
        self.folder = folder
        self.accepted: list[str] = []
        self.problems = 0
        self.recorded = 0
        self._copies = 0

    def keep(self, name: str, content: bytes) -> None:
        """Something that somebody else than the sender reads."""
        with (self.folder / name).open("ab") as file:
            file.write(content + b"\n")

    async def ask(
        self, http: httpx.AsyncClient, method: str, path: str, **sent: Any
    ) -> httpx.Response | None:
        """One request; an error's body and headers are kept. None while the API is away."""
        try:
            answer = await http.request(method, path, **sent)
        except httpx.TransportError:
            return None
        if answer.status_code >= 400:
            self.problems += 1
            self.keep("problems", repr(answer.headers.raw).encode() + answer.content)
        return answer

    async def over_http(self, people: Iterable[Identity], fhir: bool = False) -> None:
        """Well-formed referrals of a clinic, as JSON or as Bundles."""
        async with self.exchange.http(CLINIC) as http:
            for who in people:
                body = who.submission(f"LEAK-{who.number}", PLAN)
                path, sent = ("/fhir", as_fhir_bundle(body)) if fhir else ("/v1/referrals", body)
                kind = "application/fhir+json" if fhir else "application/json"
                for _ in range(20):
                    answer = await self.ask(
                        http,
                        "POST",
                        path,
                        json=sent,
                        headers={"content-type": kind, "idempotency-key": who.email.encode()},
                    )
                    if answer is not None and answer.status_code < 500:
                        break
                    await asyncio.sleep(1)
                if answer is not None and answer.status_code < 300 and not fhir:
                    self.accepted.append(answer.json()["id"])

    async def over_kafka(self, people: Iterable[Identity]) -> None:
        """Well-formed referrals of a plan, by the SDK."""
        async with self.exchange.publisher(PLAN) as publisher:
            await publisher.submit_many([who.submission(f"LEAK-{who.number}", PLAN) for who in people])

    async def badly_over_http(self, people: Iterable[Identity]) -> None:
        """Everything a sender may do wrong with a person's data in it."""
        async with self.exchange.http(CLINIC) as http:
            for who in people:
                for path, content in bad_bodies(who):
                    await self.ask(http, "POST", path, content=content, headers=JSON)
                for value in (who.family_name, who.member_id, who.email):
                    asked = quote(value)
                    await self.ask(http, "GET", f"/v1/referrals/{asked}")
                    await self.ask(
                        http, "GET", f"/v1/referrals?status={asked}&cursor={asked}&updated_since={asked}"
                    )
                    await self.ask(
                        http, "PATCH", f"/v1/referrals/{asked}", content=value.encode(), headers=JSON
                    )
                named = {
                    "client_id": who.email,
                    "client_secret": who.note,
                    "grant_type": "client_credentials",
                }
                await self.ask(http, "POST", "/oauth/token", data=named)
                await self.ask(http, "GET", "/v1/me", headers={"authorization": f"Bearer {who.member_id}"})

    async def badly_over_kafka(self, people: Iterable[Identity]) -> None:
        """Records that cannot be read, cannot be decoded, are too large or not the sender's."""
        producer = AIOKafkaProducer(**self.exchange.kafka_login(PLAN).aiokafka(), acks="all")
        await producer.start()
        try:
            for number, who in enumerate(people):
                for value in bad_records(who):
                    await producer.send(topics.intake(PLAN), value, partition=number % 8)
            await producer.flush()
        finally:
            await producer.stop()

    async def answers(self) -> None:
        """A CBO's answers and a clinic's cancels, with notes."""
        for referral, number in zip(self.accepted, range(1000), strict=False):
            who = Identity(number)
            async with self.exchange.http(CLINIC) as http:
                seen = (await http.get(f"/v1/referrals/{referral}")).json()
                hops = seen.get("hops") or []
                if number % 2 or not hops:
                    await self.ask(
                        http, "POST", f"/v1/referrals/{referral}/cancel",
                        json={"reason": "sender-error", "note": who.note},
                    )  # fmt: skip
                    continue
            async with self.exchange.http(hops[-1]["organization"]) as http:
                body = {"action": "accept", "note": f"called {who.phone}, {who.note}"}
                await self.ask(http, "POST", f"/v1/referrals/{referral}/responses", json=body)

    def keep_logs(self) -> None:
        """Copies of all logs as they are now: the supervisor cuts one that grew too large."""
        self._copies += 1
        for log in (self.exchange.data_dir / "logs").iterdir():
            self.keep(f"log-{self._copies}-{log.name}", log.read_bytes())

    def keep_limits(self) -> None:
        """What the system allows each process."""
        pids = self.exchange.pids
        for pid in (pids["api"], pids["kafka"], pids["postgres"], pids["notify"], *pids["workers"]):
            self.keep("limits", Path(f"/proc/{pid}/limits").read_bytes())

    def kill(self, name: str) -> None:
        """SIGKILL for a part or a server, which its supervisor starts again."""
        self.keep_logs()
        pids = self.exchange.pids
        pid = pids["workers"][0] if name == "worker" else pids[name]
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)

    async def settled(self) -> None:
        """Until everything is applied and published."""

        async def all_is() -> bool:
            try:
                return await behind(self.exchange) == 0 and await relayed(self.exchange)
            except (asyncpg.PostgresError, *ENDED):
                return False

        await until(all_is, timeout_s=90, every_s=0.5)

    async def others_see(self, metrics_ports: Iterable[int]) -> None:
        """What is shown to operators, monitors and others than the person's own circle."""
        async with httpx.AsyncClient(trust_env=False) as http:
            for address in (self.exchange.url, *(f"http://127.0.0.1:{port}" for port in metrics_ports)):
                for path in ("/metrics", "/readyz", "/livez"):
                    self.keep("metrics", (await http.get(address + path)).content)
        now = datetime.now(UTC)
        for who in self.exchange.organizations:
            if who["type"] not in ("operator", "state", "hub") or not who["clients"]:
                continue
            async with self.exchange.http(who["id"]) as seen:
                span = f"from={now:%Y-01-01}&to={now:%Y-12-31}"
                for path in (f"/v1/contracts/{PLAN}-2026/measures.csv?{span}", "/v1/me", "/v1/organizations"):
                    self.keep("exports", (await seen.get(path)).content)
        for command in (
            ("doctor",),
            ("dead-letters", "list", "--json"),
            ("progress", "list"),
            ("ledger", "check"),
        ):
            ran = await refex(self.exchange, *command)
            self.keep("commands", (ran.stdout + ran.stderr).encode())

    async def logs_of_kafka(self) -> None:
        """Keys, headers and values of every topic, decompressed, a file each."""
        counts = await asyncio.to_thread(partition_counts, self.exchange.kafka_login())
        for topic, count in counts.items():
            if topic.startswith("__"):
                continue
            places = [TopicPartition(topic, p) for p in range(count)]
            login = self.exchange.kafka_login().aiokafka()
            consumer = AIOKafkaConsumer(**login, enable_auto_commit=False, auto_offset_reset="earliest")
            await consumer.start()
            try:
                consumer.assign(places)
                ends = await consumer.end_offsets(places)
                await consumer.seek_to_beginning(*places)
                while [p for p in places if await consumer.position(p) < ends[p]]:
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        for r in records:
                            self.keep(f"topic-{topic}", b"%r %r " % (r.key, r.headers) + (r.value or b""))
                            self.keep(f"keys-{topic}", b"%r %r" % (r.key, r.headers))
            finally:
                await consumer.stop()


@asynccontextmanager
async def failing_receiver(run: Run) -> AsyncIterator[str]:
    """A receiver of webhooks that keeps what it is sent and answers with it, as an error."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            head = await reader.readuntil(b"\r\n\r\n")
            run.keep("webhooks", head)
            writer.write(b"HTTP/1.1 500 " + Identity(0).email.encode() + b"\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
