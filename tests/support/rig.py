"""The crash rig: an exchange that is made to die, traffic at every door, a ledger, and the books at the end.

Comes in: a folder, how many workers. Goes out: a verdict, and the fault timeline as JSON (also into $CHAOS_OUT). Its
processes are started again by the supervision of `refex up`, as an operator's would. Must never write a table.
"""

import asyncio
import gc
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from infra.crash_points import LOG
from producers.ledger import Ledger
from tests.support.audit import violations
from tests.support.command import refex
from tests.support.lag import behind, relayed
from tests.support.receiver import Receiver, receiving
from tests.support.running import RunningExchange
from tests.support.traffic import AWAY, Traffic, now

SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
JUDGED = ("L1", "L2", "L3", "L4", "L5", "L6", "L7", "L8")
HOOKED = "harvest-food-bank"
AWAY_COUNTS = 10**9  # what waits while nobody can say how much does
BURIED = """
select topic, reason, count(*) as n from dead_letter
where topic not like 'intake.%' or topic = 'intake.api' or reason not in ('undecodable', 'unknown-schema') group by 1, 2
"""
QUEUES = """
select (select count(*) from deadline where due_at <= now() and sent_at is null) as deadlines,
    (select count(*) from person_unlinked) as "persons to compare",
    (select count(*) from coverage_due where due_at <= now()) as members,
    (select count(*) from delivery where delivered_at is null and failed_at is null) as deliveries,
    (select count(*) from parked) as parked,
    (select count(*) from progress where stopped is not null) as "stopped partitions"
"""


class Rig:
    """`async with rig(folder) as made`; `made.traffic()` for as long as faults are wanted, then `made.verdict()`."""

    def __init__(
        self, exchange: RunningExchange, orders: Path, ledger: Ledger, kept: Path, hook: Receiver
    ) -> None:
        self.exchange = exchange
        self.hook = hook
        self.random = random.Random(SEED)
        self._orders = orders
        self._ledger = ledger
        self._kept = kept
        self._acked: set[Any] = set()
        self._timeline: list[dict[str, Any]] = []
        self._runs = 0

    @property
    def ledger(self) -> Ledger:
        """Where everything that is sent is intended first."""
        return self._ledger

    def tell(self, what: str, **more: Any) -> None:
        """A line of the fault timeline, also printed."""
        self._timeline.append({"at": now(), "what": what, **more})
        print(f"{what}: " + ", ".join(f"{k}={v}" for k, v in more.items()), flush=True)

    @asynccontextmanager
    async def traffic(self, rate: float) -> AsyncIterator[Traffic]:
        """Traffic beside the block; when it ends, everything sent is answered."""
        self._runs += 1
        name = f"RUN{SEED}-{self._runs}"
        made = Traffic(self.exchange, self._ledger, rate, name, SEED + self._runs)
        began = time.monotonic()
        async with made:
            yield made
        self._acked |= made.acked
        seconds = time.monotonic() - began
        self.tell("traffic ended", acknowledged=made.total, per_second=round(made.total / seconds, 1))
        assert made.total >= 5, "no traffic, no proof"

    def order(self, points: Mapping[str, int], how: str = "") -> None:
        """Crash points for every process that is started from now on; none = let them live."""
        text = ",".join(f"{name}:{count}{how}" for name, count in points.items())
        fresh = self._orders.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self._orders)

    def crashed(self) -> Counter[str]:
        """How often each point was the end of a process, so far."""
        log = self.exchange.data_dir / LOG
        lines = log.read_text().splitlines() if log.exists() else []
        return Counter(line.split(" ", 1)[0] for line in lines)

    def stopped(self) -> list[int]:
        """The processes that a point stopped, in order."""
        log = self.exchange.data_dir / LOG
        lines = log.read_text().splitlines() if log.exists() else []
        return [int(line.split()[2]) for line in lines if line.split()[1] == "SIGSTOP"]

    async def command(self, *arguments: str, crash_at: str = "") -> int:
        """A command of the operator, which may be told to crash; its exit code."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("REFEX_")}
        environment |= {"REFEX_DATA_DIR": str(self.exchange.data_dir)}
        if crash_at:
            environment |= {"REFEX_CRASH_AT": crash_at, "REFEX_DEVELOPMENT": "true"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", *arguments),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), 120)
        code = process.returncode or 0
        assert code in ((-signal.SIGKILL,) if crash_at else (0,)), (
            f"{arguments}: {code} {said.decode()[-2000:]}"
        )
        return code

    async def settled(self, standing_s: float = 180.0) -> None:
        """Wait until every process answers, everything is applied and published, and nothing waits.

        However long it takes, as long as less waits than ever before; `standing_s`: so long it may stay as much.
        """
        quiet, least, began = 0, AWAY_COUNTS, time.monotonic()
        fell, longest = began, dict[str, float]()
        while quiet < 3:
            waits = await self._waiting_or_away()
            now, total = time.monotonic(), sum(waits.values())
            quiet = 0 if total else quiet + 1
            longest.update({what: now for what, n in waits.items() if n})
            if total < least:
                least, fell = total, now
            assert now - fell < standing_s, f"still waits: {waits}"
            await asyncio.sleep(0.3)
        seconds = {what: round(until_when - began, 1) for what, until_when in longest.items()}
        self.tell("settled", seconds=round(time.monotonic() - began, 1), waited_for=seconds)

    async def _waiting_or_away(self) -> dict[str, int]:
        try:
            async with asyncio.timeout(30):
                return await self.waiting()
        except AWAY as problem:
            return {type(problem).__name__: AWAY_COUNTS}

    async def waiting(self) -> dict[str, int]:
        """What is still to be done, by kind."""
        async with self.exchange.database() as database:
            queued = dict((await database.fetch(QUEUES))[0])
        async with self.exchange.http() as http:
            ready = (await http.get("/readyz")).status_code
        return queued | {
            "records": await behind(self.exchange),
            "facts to publish": 0 if await relayed(self.exchange) else 1,
            "not ready": int(ready != 200),
        }

    async def verdict(self, name: str) -> dict[str, int]:
        """The books: every rule of the ledger check, and the audit in words; asserts that all is well."""
        await self.settled()
        gc.collect()  # what a killed broker left half open is complained of in the test that killed it
        ran = await refex(
            self.exchange, "ledger", "check", "--ledger", str(self._kept), "--json", timeout_s=400
        )
        rules = json.loads(ran.stdout)["rules"]
        found = {rule: rules[rule]["violations"] for rule in JUDGED}
        checked = {rule: rules[rule]["checked"] for rule in JUDGED}
        async with self.exchange.database() as database:
            words = await violations(database, self.exchange.kafka_login(), self._acked)
            buried = await database.fetch(BURIED)
            unseen = await database.fetch("select id::text from delivery where delivered_at is not null")
        lost = {r["id"] for r in unseen} - self.hook.ids
        self.tell("verdict", checked=checked, violations=found, audit=words)
        self._write(name, checked, found)
        examples = {rule: rules[rule]["examples"] for rule, n in found.items() if n}
        assert not examples and not words, (examples, words)
        assert not buried, f"dead letters that no sender made: {[dict(r) for r in buried]}"
        assert not lost, f"{len(lost)} deliveries are marked as received that no receiver has"
        assert all(checked.values()), f"a rule that looked at nothing proves nothing: {checked}"
        return found

    def _write(self, name: str, checked: dict[str, int], found: dict[str, int]) -> None:
        folder = Path(os.environ.get("CHAOS_OUT") or self._kept.parent)
        folder.mkdir(parents=True, exist_ok=True)
        sha = _sha()
        points = dict(self.crashed())
        content = {"name": name, "seed": SEED, "git": sha, "checked": checked, "violations": found}
        content |= {"crash_points": points, "timeline": self._timeline}
        (folder / f"chaos-{name}-{SEED}.json").write_text(json.dumps(content, indent=1))


def _sha() -> str:
    ran = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return ran.stdout.strip()


@asynccontextmanager
async def rig(folder: Path, workers: int = 2) -> AsyncIterator[Rig]:
    """An exchange in development, with nothing ordered yet, a webhook receiver and a ledger."""
    print(f"\nseed {SEED} (set CHAOS_SEED to repeat), {psutil.cpu_count()} processors", flush=True)
    orders, kept = folder / "orders", folder / "sent.jsonl"
    orders.write_text("")
    environment = {"REFEX_CRASH_AT_FILE": str(orders), "REFEX_DEVELOPMENT": "true", "REFEX_POISON_SHARE": "0"}
    async with (
        RunningExchange(folder, workers, environment=environment) as exchange,
        Ledger(kept) as ledger,
        receiving() as (hook, url),
    ):
        made = Rig(exchange, orders, ledger, kept, hook)
        await made.command("participant", "webhook", HOOKED, "--url", url)
        await asyncio.sleep(2.5)  # workers read the participants every two seconds
        yield made
