"""Traffic through every door at once until it is stopped: a plan's and a clinic's topics, HTTP, answers, garbage, time.

Comes in: a running exchange, a ledger, a rate. Goes out: what was acknowledged, and how much is on its way just now.
Whoever is not answered sends the same thing again, as outsiders do. Must never send what the ledger does not know.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
from aiokafka.errors import KafkaError

from avro_schemas import topics
from infra.postgres import ENDED
from producers.envelope import Record
from producers.ledger import Ledger
from producers.producer import BrokerAway, RecordProducer
from referrals import ids
from tests.support.load import synthetic
from tests.support.running import RunningExchange

KAFKA = ("riverside-clinic", "golden-health-plan")
HTTP = ("lakeview-health", "valley-care-plan")
PLAN, CLINIC = "golden-health-plan", "riverside-clinic"
MEMBERS = 50
PEOPLE = 997
PATIENCE_S = 90.0
AT_ONCE = 200  # sends of one door on their way; a door that is shut must not fill the memory
WAITING = (
    "select recipient, referral_id from hop where status = 'requested' offset (random() * 50)::int limit 1"
)
AWAY = (
    OSError,
    TimeoutError,
    httpx.HTTPError,
    KafkaError,
    asyncpg.PostgresConnectionError,
    *ENDED,
    asyncpg.OperatorInterventionError,
)
"""What is raised while a server is away or has just gone; anything else is a mistake, here or there."""


class Traffic:
    """`async with Traffic(...) as traffic`: sends `rate` events a second until the block ends; then all is answered.

    `on_the_way` counts what is sent and not acknowledged yet, by door; `acked` are the event ids the broker has.
    """

    def __init__(
        self, exchange: RunningExchange, ledger: Ledger, rate: float, name: str, seed: int = 1
    ) -> None:
        self.acked: set[UUID] = set()
        self.on_the_way: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self._exchange = exchange
        self._ledger = ledger
        self._rate = rate
        self._name = name
        self._random = random.Random(seed)
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Traffic":
        per_door = self._rate / (len(KAFKA) + len(HTTP) / 2)
        doors: list[Awaitable[None]] = [self._kafka(who, per_door) for who in KAFKA]
        doors += [self._http(who, per_door / 2) for who in HTTP]
        doors += [self._answers(), self._coverage(), self._garbage(), self._time()]
        await asyncio.gather(*(self._exchange.token(who) for who in HTTP))  # before anything is broken
        self._tasks = [asyncio.ensure_future(door) for door in doors]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if error is not None:
            for task in self._tasks:
                task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        problems = [e for e in ended if isinstance(e, Exception)]
        if error is None and problems:
            raise problems[0]
        for problem in problems:
            print(f"a door failed: {problem!r}")

    @property
    def total(self) -> int:
        """How many events were acknowledged at any door."""
        return self.sent.total()

    def submission(self, who: str, number: int) -> dict[str, Any]:
        """The n-th of this sender; the same people come to every sender."""
        made = synthetic(number) | {"sender_referral_id": f"{self._name}-{number}"}
        n = number % PEOPLE
        person = {"person_id": f"{who}-{n}", "given_name": f"Given{n}", "family_name": f"Synthetic{n}"}
        made["person"] = made["person"] | person | {"birth_date": f"19{50 + n % 50}-0{1 + n % 9}-1{n % 10}"}
        if who == CLINIC:
            made["coverage"] = {"payer": PLAN, "member_id": f"M-{number % MEMBERS}"}
        return made

    async def _ticks(self, rate: float) -> AsyncIterator[int]:
        """0, 1, 2, ... at that rate, until it is stopped."""
        loop = asyncio.get_running_loop()
        began, number = loop.time(), 0
        while not self._stopping.is_set():
            yield number
            number += 1
            wait = began + number / rate - loop.time()
            if wait > 0:
                await _sleep(self._stopping, wait)

    async def _each(self, rate: float, send: Callable[[int], Awaitable[None]]) -> None:
        """Call `send` at that rate, side by side, and wait for all of them."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            try:
                await send(number)
            finally:
                room.release()

        async with asyncio.TaskGroup() as group:
            async for number in self._ticks(rate):
                await room.acquire()
                group.create_task(one(number))

    @contextmanager
    def _under_way(self, door: str) -> Iterator[None]:
        self.on_the_way[door] += 1
        try:
            yield
        finally:
            self.on_the_way[door] -= 1

    async def _kafka(self, who: str, rate: float) -> None:
        """Submissions, one in four amended, one in four cancelled, one in ten sent twice, over the own topic."""
        async with self._exchange.publisher(who) as publisher:

            async def send(n: int) -> None:
                referral = ids.referral_id(who, f"{self._name}-{n - n % 2}")
                seq = await self._ledger.intend(who, topics.intake(who), referral)
                with self._under_way("kafka"):
                    try:
                        if n % 4 == 3:
                            placed = await publisher.cancel(f"{self._name}-{n - 1}", "need-met")
                        else:
                            urgent = {"priority": "urgent"} if n % 2 else {}
                            body = self.submission(who, n - n % 2) | urgent
                            placed = await publisher.submit(body)
                            if n % 10 == 0:
                                placed = await publisher.submit(body)
                    except BrokerAway:
                        await self._ledger.unknown(seq)
                        return
                self.acked.add(placed.event_id)
                self.sent["kafka"] += 1
                await self._ledger.acked(seq, placed.event_id, placed.partition, placed.offset)

            await self._each(rate, send)

    async def _http(self, who: str, rate: float) -> None:
        """Submissions over HTTP, each under an Idempotency-Key; whoever is not answered asks again."""
        async with self._exchange.http(who) as http:

            async def send(n: int) -> None:
                name = f"{self._name}-{n}"
                body = self.submission(who, n)
                referral = ids.referral_id(who, name)
                await self._post(http, who, topics.INTAKE_API, referral, "/v1/referrals", name, body)

            await self._each(rate, send)

    async def _post(
        self,
        http: httpx.AsyncClient,
        who: str,
        topic: str,
        referral: UUID,
        path: str,
        key: str,
        body: dict[str, Any],
    ) -> None:
        """Until it is answered: taken (acked), refused (failed), or nobody answers for too long (unknown)."""
        seq = await self._ledger.intend(who, topic, referral)
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        with self._under_way("api"):
            while asyncio.get_running_loop().time() < deadline:
                try:
                    answer = await http.post(path, json=body, headers={"Idempotency-Key": key})
                except httpx.TransportError:
                    await asyncio.sleep(0.2)
                    continue
                if answer.status_code in (200, 202):
                    self.sent["api"] += 1
                    await self._ledger.acked(seq)
                    return
                if answer.status_code < 500 and answer.status_code != 429:
                    await self._ledger.failed(seq)
                    return
                await asyncio.sleep(0.5)
        await self._ledger.unknown(seq)

    async def _answers(self) -> None:
        """Community organizations accept, and every second one completes, what waits for them."""
        async for number in self._ticks(5):
            try:
                async with self._exchange.database() as database:
                    hops = await database.fetch(WAITING)
                for hop in hops:
                    async with self._exchange.http(hop["recipient"]) as http:
                        await self._answer(http, hop["recipient"], hop["referral_id"], number % 2 == 0)
            except AWAY:
                await asyncio.sleep(0.5)

    async def _answer(self, http: httpx.AsyncClient, cbo: str, referral: UUID, whole: bool) -> None:
        outcome = {"code": "service-provided", "need": "resolved"}
        said: list[dict[str, Any]] = [{"action": "accept"}]
        said += [{"action": "complete", "outcome": outcome}] if whole else []
        for body in said:
            path, key = f"/v1/referrals/{referral}/responses", f"{cbo}-{referral}-{body['action']}"
            await self._post(http, cbo, topics.RESPONSE, referral, path, key, body)

    async def _coverage(self) -> None:
        """The plan's members are covered from another day on, again and again."""
        async with self._exchange.publisher(PLAN) as publisher:
            async for number in self._ticks(1):
                member, name = f"M-{number % MEMBERS}", f"{self._name}-{number % MEMBERS}"
                spell = ids.event_id(PLAN, "spell", member, name)
                seq = await self._ledger.intend(PLAN, topics.intake(PLAN), spell)
                first = date(2026, 1, 1) + timedelta(days=number % 28)
                try:
                    placed = await publisher.cover(member, first, spell=name)
                except BrokerAway:
                    await self._ledger.unknown(seq)
                    continue
                self.acked.add(placed.event_id)
                await self._ledger.acked(seq, placed.event_id, placed.partition, placed.offset)

    async def _garbage(self) -> None:
        """What cannot be read: dead letters."""
        async with RecordProducer(self._exchange.kafka_login(CLINIC), "garbage", timeout_s=60) as producer:
            async for number in self._ticks(1):
                id = uuid4()
                topic = topics.intake(CLINIC)
                seq = await self._ledger.intend(CLINIC, topic, id)
                record = Record(topic, str(id).encode(), number % ids.LANES, b"\x00garbage", id)
                try:
                    (placed,) = await producer.send([record])
                except BrokerAway:
                    await self._ledger.unknown(seq)
                    continue
                await self._ledger.acked(seq, None, placed.partition, placed.offset)

    async def _time(self) -> None:
        """Time passes for a few hops that wait for an answer: their deadlines are now (nothing else is written)."""
        passes = (
            "update deadline d set due_at = now() - interval '1 second' from (select referral_id, kind from deadline"
            " where kind like 'first-response%' and sent_at is null and due_at > now() order by due_at limit 3)"
            " as few where d.referral_id = few.referral_id and d.kind = few.kind"
        )
        async for _ in self._ticks(1):
            try:
                async with asyncio.timeout(5), self._exchange.database() as database:
                    await database.execute(passes)
            except AWAY:
                await asyncio.sleep(0.5)


async def _sleep(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


def now() -> str:
    """The time of a line in a fault timeline."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
