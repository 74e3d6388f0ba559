"""After a run with 200 planted people, bad input and killed processes, nobody's data lies where it has no business.

Where it may lie is a table: what is sent without our SDK as long as its retention, and nothing else. The scan is first
shown to find what is there.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from infra.embedded.local import keep_or_pick_port
from tests.support.command import refex
from tests.support.identities import FORMS, Identity
from tests.support.leak_input import PLAN
from tests.support.leak_run import Run, failing_receiver
from tests.support.leaks import Leak, Scan
from tests.support.running import RunningExchange

pytestmark = pytest.mark.real
PEOPLE = [Identity(n) for n in range(200)]
# Topics whose values may hold a person, and why; their keys and headers may not.
MAY_HOLD = {
    r"intake\.(?!api$).*": "what senders write without our SDK, in the clear, until its retention ends",
}
# Tables whose rows hold nobody, with the columns that hold content left out.
TABLES = {
    "idempotency": "t",
    "delivery": "t",
    "deadline": "t",
    "progress": "t",
    "inbox": "t",
    "rejected_command": "t",
    "access_token": "t",
    "session": "t",
    "assertion_used": "t",
    "dead_letter": "(t.id, t.tenant, t.topic, t.reason, t.detail, encode(t.value, 'escape'))",
    "referral": "(t.state::text, encode(t.sealed, 'escape'), encode(t.outcome_sealed, 'escape'))",
    "history": "(convert_from(t.data, 'utf8'), encode(t.sealed, 'escape'))",
    "stream": "(t.data::text, encode(t.sealed, 'escape'))",
    "parked": "(t.id, t.tenant, t.topic, t.error)",
    "audit_record": "(t.tenant, convert_from(t.body, 'utf8'))",
}


class Done(NamedTuple):
    """A run that is over: its folder, the exchange's data, the scan."""

    run: Run
    data: Path
    log: Path
    scan: Scan


@pytest.fixture(scope="module")
async def done(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Done]:
    folder = tmp_path_factory.mktemp("leaks")
    kept = folder / "kept"
    kept.mkdir()
    port = keep_or_pick_port(None)
    settings = {"REFEX_LOG_LEVEL": "debug", "REFEX_METRICS_PORT": str(port), "REFEX_POISON_IN_ROW": "0",
                "REFEX_POISON_SHARE": "0"}  # fmt: skip
    async with RunningExchange(folder, workers=1, environment=settings) as exchange:
        run = Run(exchange, kept)
        async with failing_receiver(run) as url:
            await refex(exchange, "participant", "webhook", PLAN, "--url", url)
            await asyncio.gather(run.over_http(PEOPLE[:40]), run.over_kafka(PEOPLE[60:120]))
            run.kill("worker")
            await asyncio.gather(
                run.over_http(PEOPLE[40:60], fhir=True),
                run.badly_over_http(PEOPLE[120:132]),
                run.badly_over_kafka(PEOPLE[132:]),
            )
            run.kill("postgres")
            await run.badly_over_http(PEOPLE[:3])
            await run.settled()
            await run.answers()
            run.kill("notify")
            await run.settled()
            run.keep_logs()
            run.recorded = await recorded(exchange)
            run.keep_limits()
            await run.others_see([port])
            await run.logs_of_kafka()
            await tables(run)
        data = exchange.data_dir
    yield Done(run, data, folder / "up.log", Scan(PEOPLE, folder))


async def recorded(exchange: RunningExchange) -> int:
    async with exchange.database() as database:
        return int(await database.fetchval("select count(*) from referral"))


async def tables(run: Run) -> None:
    async with run.exchange.database() as database:
        for table, columns in TABLES.items():
            for row in await database.fetch(f"select {columns}::text as row from {table} t"):
                run.keep(f"table-{table}", str(row["row"]).encode())


def files(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.is_file())


def told(found: list[Leak]) -> list[str]:
    """Without the file's folder, a few of each file."""
    return sorted({f"{Path(leak.file).name}: {leak.form}: {leak.value}" for leak in found})[:40]


def test_the_scan_finds_every_form_of_everyone_in_a_control(done: Done, tmp_path: Path) -> None:
    from tests.support.identities import forms

    control = tmp_path / "control"
    lines = [b"x" + p + b"y" for who in PEOPLE for value in who.values() for _, p in forms(value)]
    control.write_bytes(b"\n".join(lines))
    found = done.scan.of([control])
    assert {leak.identity for leak in found} == {who.number for who in PEOPLE}
    assert {leak.form for leak in found} == set(FORMS)
    assert len({leak.line for leak in found}) == len(lines)


def test_the_scan_finds_the_people_where_they_were_sent(done: Done) -> None:
    found = done.scan.of(files(done.run.folder, "topic-intake.*"))
    plain = {who.number for who in PEOPLE[132:]}
    assert {leak.identity for leak in found} == plain, (
        "written past the SDK, as they are; all others were sealed"
    )
    assert done.run.problems > 300, "what was refused was refused with an answer"
    assert done.run.recorded >= 110, "and what was well-formed was taken, through faults"


def test_no_log_says_who_anyone_is(done: Done) -> None:
    logs = [*files(done.data / "logs"), done.log]
    assert {"api.log", "worker-0.log", "notify.log", "postgres.log", "kafka.log"} <= {
        log.name for log in logs
    }
    logs += files(done.run.folder, "log-*")
    text = "".join(log.read_text(errors="replace") for log in logs)
    assert '"level":"debug"' in text and '"event":"answered"' in text
    assert told(done.scan.of(logs)) == []


def test_no_answer_figure_export_or_command_says_who_anyone_is(done: Done) -> None:
    kept = [done.run.folder / name for name in ("problems", "metrics", "exports", "commands", "webhooks")]
    assert all(path.stat().st_size > 100 for path in kept)
    assert told(done.scan.of(kept)) == []


def test_no_kafka_key_or_header_says_who_anyone_is(done: Done) -> None:
    keys = files(done.run.folder, "keys-*")
    assert len(keys) >= 5
    assert told(done.scan.of(keys)) == []


def test_no_topic_says_who_anyone_is_but_those_that_may(done: Done) -> None:
    may = re.compile("|".join(MAY_HOLD))
    read = [p for p in files(done.run.folder, "topic-*") if not may.fullmatch(p.name.removeprefix("topic-"))]
    raw = [
        p for p in files(done.data / "kafka" / "log") if not may.fullmatch(p.parent.name.rpartition("-")[0])
    ]
    assert any("feedback" in path.name for path in read) and any(p.suffix == ".log" for p in raw)
    assert (done.run.folder / "topic-referral.event").stat().st_size > 10_000
    assert told(done.scan.of([*read, *raw])) == []


def test_no_row_that_is_kept_about_others_says_who_anyone_is(done: Done) -> None:
    rows = files(done.run.folder, "table-*")
    assert {"table-idempotency", "table-delivery", "table-dead_letter", "table-audit_record"} <= {
        p.name for p in rows
    }
    assert told(done.scan.of(rows)) == []


def test_no_process_leaves_a_memory_dump(done: Done) -> None:
    said = (done.run.folder / "limits").read_text().splitlines()
    dumps = [line.split()[4:6] for line in said if line.startswith("Max core file size")]
    assert len(dumps) >= 5 and dumps == [["0", "0"]] * len(dumps)


def test_nothing_else_on_disk_says_who_anyone_is(done: Done) -> None:
    """Marks, checkpoints, state files, whatever a killed process left: all but the servers' own data."""
    servers = (done.data / "kafka" / "log", done.data / "postgres" / "cluster")
    rest = [p for p in files(done.data) if not any(p.is_relative_to(s) for s in servers)]
    assert any(p.name == "checkpoints.jsonl" for p in rest)
    assert told(done.scan.of(rest)) == []
