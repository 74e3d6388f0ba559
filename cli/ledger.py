"""`refex ledger check`: the oracle. Is anything lost, doubled, invented, illegal, not replayable, or someone else's?

Comes in: a running exchange, and the ledger of whoever sent to it, if there is one. Goes out: L1-L8, exit 1 on any
violation. Must never change anything: what it makes to compare is rolled back. The fold is checked by L5 as a replay;
every other rule has its own SQL and its own tables (ledger_words.py).
"""

from collections.abc import Sequence
from pathlib import Path

import asyncpg
import click

from cli import ledger_checks as checks
from cli import ledger_topics, rebuild
from cli.common import FILE, Exchange, find, json_option, print_json, print_table, run, wants_json
from cli.ledger_checks import Rule
from cli.ledger_topics import Offsets
from infra.audit import verify
from infra.postgres import connect
from stream_processors.inbox import GROUP
from stream_processors.rebuild import RebuildError

SCHEMA = "refex_ledger_check"
RULES = {
    "L1": "acknowledged, and neither recorded nor a dead letter",
    "L2": "events with more than one outcome",
    "L3": "recorded, and not in the ledger",
    "L4": "versions with gaps, illegal steps",
    "L5": "rows and published facts that a replay of history does not give",
    "L6": "audit records changed, facts sealed by none",
    "L7": "rows of another tenant than their channel's",
    "L8": "offsets committed in Kafka beyond Postgres",
}
Rules = dict[str, Rule | None]


@click.group(epilog="Example: refex ledger check --json")
def ledger() -> None:
    """The books of a running exchange."""


@ledger.command(epilog="Example: refex ledger check --ledger sent.jsonl --json")
@click.option(
    "--ledger",
    "paths",
    multiple=True,
    type=FILE,
    help="What was sent, from `refex simulate --ledger`: L1 and L3 are checked too. May be given more than once.",
)
@click.option(
    "--replay/--no-replay", default=True, show_default=True, help="L5: fold all of history and compare."
)
@json_option
def check(paths: tuple[Path, ...], replay: bool, as_json: bool) -> None:
    """Evaluate L1-L8 in one snapshot, while traffic goes on; exit 1 on any violation."""
    rules = run(evaluate(find(), paths, replay))
    if wants_json(as_json):
        print_json({"rules": rules})
    else:
        _print(rules)
    if checks.broken(rules.values()):
        raise SystemExit(1)


async def evaluate(exchange: Exchange, paths: Sequence[Path], replay: bool = True) -> Rules:
    """Every rule; None where it does not apply: without a ledger, without a broker, or not yet."""
    connection = await connect(exchange.database_url, "ledger")
    try:
        await checks.load_results(connection, paths)
        kafka = exchange.kafka if exchange.kafka.bootstrap else None
        offsets = await ledger_topics.offsets(kafka, GROUP) if kafka else Offsets({}, {})
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        try:
            await connection.execute("set local work_mem = '64MB'; select count(*) from lane")
            await checks.load_intents(connection, paths)
            found: Rules = dict.fromkeys(RULES)
            if paths:
                found["L1"] = await checks.lost(connection, offsets.ends)
                found["L3"] = await checks.unknown(connection)
            found["L2"] = await checks.doubled(connection)
            found["L4"] = await checks.legal(connection)
            found["L7"] = await checks.tenants(connection, bool(paths))
            found["L6"] = await _audited(connection)
            found["L8"] = await checks.ahead(connection, offsets.committed) if kafka else None
            found["L5"] = await _replayed(exchange, connection) if replay else None
            if replay and kafka:
                found["L5"] = (found["L5"] or checks.NOTHING) + await ledger_topics.published(
                    connection, kafka
                )
            return found
        finally:
            await transaction.rollback()
    finally:
        await connection.close()


async def _audited(connection: asyncpg.Connection) -> Rule:
    """L6: every chain of the audit follows from its start, and every fact is sealed once, as it was written."""
    proof = await verify.prove(connection, [])
    named = [f"{wrong.where}: {wrong.what}" for wrong in proof.wrong]
    return Rule(proof.records + proof.facts, len(named), named[: checks.NAMED])


async def _replayed(exchange: Exchange, connection: asyncpg.Connection) -> Rule:
    """L5: every projection is the fold of history; one that cannot be folded is a violation too."""
    try:
        async with connection.transaction():
            made = await rebuild.made(exchange, connection, SCHEMA, "archive", verify=True)
    except (RebuildError, asyncpg.IntegrityConstraintViolationError) as error:
        return Rule(0, 1, [str(error)])
    named = [f"{d.table} {', '.join(d.key.values())}: {', '.join(d.columns)}" for d in made.differences]
    return Rule(sum(t.rows for t in made.tables), len(named), named[: checks.NAMED])


def _print(rules: Rules) -> None:
    rows = []
    for name, what in RULES.items():
        rule = rules[name]
        said = ("-", "-", "does not apply") if rule is None else (rule.checked, rule.violations, what)
        rows.append((name, *said))
    print_table(("rule", "checked", "violations", "which are"), rows)
    for name, rule in rules.items():
        for example in rule.examples if rule and rule.violations else ():
            click.echo(f"{name}: {example}", err=True)
