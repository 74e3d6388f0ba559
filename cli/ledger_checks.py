"""The rules L1-L4, L7 and L8, each from SQL in one snapshot (ledger.sql) and from what the broker says.

Comes in: the owner's transaction, the ledger's tables beside it, offsets. Goes out: a Rule each. Must never change
anything, nor take what is in flight for lost.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import asyncpg
from msgspec import Struct

from cli import ledger_words as words
from infra.postgres import queries
from producers import ledger

SQL = queries("cli", "ledger.sql")
Place = tuple[str, int]
NAMED = 5


class Rule(Struct, frozen=True):
    """How many things were looked at, how many break the rule, and some of them by id."""

    checked: int
    violations: int
    examples: list[str] = []

    def __add__(self, other: "Rule") -> "Rule":
        examples = [*self.examples, *other.examples][:NAMED]
        return Rule(self.checked + other.checked, self.violations + other.violations, examples)


NOTHING = Rule(0, 0)


async def load_results(connection: asyncpg.Connection, paths: Sequence[Path]) -> None:
    """What was acknowledged: read before the snapshot, which must hold it. Raises LedgerError."""
    await connection.execute(SQL["make_tables"])
    for number, path in enumerate(paths):
        found = (n for n in ledger.read(path)[1] if n.state != "intended")
        records = ((number, n.seq, n.state, n.event_id, n.partition, n.offset) for n in found)
        await connection.copy_records_to_table("ledger_result", records=records)


async def load_intents(connection: asyncpg.Connection, paths: Sequence[Path]) -> None:
    """What was meant to be sent: after the snapshot was taken, so that nothing in it is still to be read here."""
    for number, path in enumerate(paths):
        head, lines = ledger.read(path)
        found = (n for n in lines if n.state == "intended")
        records = ((number, n.seq, n.organization, n.topic, n.key, head.began) for n in found)
        await connection.copy_records_to_table("ledger_intent", records=records)
    await connection.execute(SQL["join_tables"])


async def lost(connection: asyncpg.Connection, ends: Mapping[Place, int]) -> Rule:
    """L1: what was acknowledged is in the inbox, a dead letter or parked, or still before the exchange."""
    done = {(r["topic"], r["partition"]): r["next_offset"] for r in await connection.fetch(SQL["progress"])}
    waiting = {topic for (topic, n), end in ends.items() if done.get((topic, n), 0) < end}
    drained = sorted({topic for topic, _ in ends} - waiting)
    return await _rule(connection, "lost", drained)


async def doubled(connection: asyncpg.Connection) -> Rule:
    """L2: every event has one outcome, its facts agree with it, and no record has two."""
    return await _rule(connection, "doubled")


async def unknown(connection: asyncpg.Connection) -> Rule:
    """L3: what came from the ledger's senders by the ledger's topics since it began was meant to be sent."""
    return await _rule(connection, "unknown_events")


async def legal(connection: asyncpg.Connection) -> Rule:
    """L4: versions are 1..n, lanes have no gap, every step of a referral and of its hops is legal, one hop is held."""
    counted = await _rule(connection, "gaps") + await _rule(connection, "lanes")
    steps = await connection.fetch(SQL["statuses"])
    wrong = [r for r in steps if not words.step_is_legal(r["before"], r["after"])]
    moves = await connection.fetch(
        SQL["hops"], list(words.HOP_AFTER), list(words.HOP_AFTER.values()), list(words.HELD)
    )
    wrong += [r for r in moves if r["several"] or not words.hop_is_legal(r["before"], r["after"])]
    said = [f"{r['before']} -> {r['after']}: {id}" for r in wrong for id in r["examples"]]
    return counted + Rule(sum(r["n"] for r in moves), sum(r["n"] for r in wrong), said)


async def tenants(connection: asyncpg.Connection, with_ledger: bool) -> Rule:
    """L7: every row belongs to whom the channel says sent it, and whom the ledger says."""
    found = await _rule(connection, "tenants")
    return found + await _rule(connection, "tenants_of_ledger") if with_ledger else found


async def ahead(connection: asyncpg.Connection, committed: Mapping[Place, int]) -> Rule:
    """L8: no offset committed in Kafka (read before this snapshot) is beyond the next offset in Postgres."""
    done = {(r["topic"], r["partition"]): r["next_offset"] for r in await connection.fetch(SQL["progress"])}
    wrong = [f"{t}/{n}" for (t, n), offset in sorted(committed.items()) if offset > done.get((t, n), 0)]
    return Rule(len(committed), len(wrong), wrong[:NAMED])


def broken(rules: Iterable[Rule | None]) -> bool:
    """Whether any rule is violated."""
    return any(rule is not None and rule.violations for rule in rules)


async def _rule(connection: asyncpg.Connection, query: str, *values: Collection[str]) -> Rule:
    row = (await connection.fetch(SQL[query], *values))[0]
    return Rule(row["checked"], row["violations"], list(row["examples"] or []))
