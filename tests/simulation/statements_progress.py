"""The statements of progress.sql, relay.sql and timers.sql, as the simulated database does them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tests.simulation.database import Row, Transaction
from tests.simulation.statements import Handler, statement, written

PROGRESS, RELAY, TIMERS = "progress.sql", "relay.sql", "timers.sql"
PENDING = 200


@statement(PROGRESS, "first_seen")
async def first_seen(
    tx: Transaction,
    topics: Sequence[str],
    numbers: Sequence[int],
    starts: Sequence[int],
    ids: Any,
    cluster: str,
) -> None:
    for topic, number, start, id in zip(topics, numbers, starts, ids, strict=True):
        row = {
            "topic": topic,
            "partition": number,
            "next_offset": start,
            "topic_id": id,
            "cluster_id": cluster,
        }
        await tx.insert("progress", row | {"stopped": None, "held": False}, lenient=True)


@statement(PROGRESS, "rows")
def progress_rows(tx: Transaction, topics: Sequence[str], numbers: Sequence[int]) -> list[Row]:
    found = (tx.get("progress", *place) for place in zip(topics, numbers, strict=True))
    return [row for row in found if row is not None]


@statement(PROGRESS, "goes_on")
async def goes_on(tx: Transaction, topics: Sequence[str], numbers: Sequence[int]) -> None:
    for row in progress_rows(tx, topics, numbers):
        if row["stopped"] is not None and not row["held"]:
            await tx.put("progress", row | {"stopped": None})


@statement(PROGRESS, "stop")
async def stop(tx: Transaction, topic: str, number: int, why: str, held: bool) -> None:
    row = tx.get("progress", topic, number)
    if row is not None:
        await tx.put("progress", row | {"stopped": why, "held": row["held"] or held})


@statement(PROGRESS, "released")
def released(tx: Transaction, topics: Sequence[str], numbers: Sequence[int]) -> list[Row]:
    return [row for row in progress_rows(tx, topics, numbers) if row["stopped"] is None]


@statement(RELAY, "try_lock")
def lock_relay(tx: Transaction, group: int) -> str:
    return "advisory relay"


@statement(TIMERS, "try_lock")
def lock_timers(tx: Transaction) -> str:
    return "advisory timers"


@statement(RELAY, "positions")
def positions(tx: Transaction, lanes: Sequence[int]) -> list[Row]:
    return [row for lane in lanes if (row := tx.get("relay_position", lane)) is not None]


@statement(RELAY, "pending")
def pending(tx: Transaction, lanes: Sequence[int], firsts: Sequence[int], most: int) -> list[Row]:
    found: list[Row] = []
    for lane, first in sorted(zip(lanes, firsts, strict=True)):
        last, size = min((tx.get("lane", lane) or {"seq": 0})["seq"], first + PENDING - 1), 0
        for number in range(first, last + 1):
            row = tx.get("history", lane, number)
            if row is not None and size < most:
                found.append(row)
                size += len(row["data"]) + len(row["sealed"])
    return found


@statement(RELAY, "dead_letter")
def dead_letter(tx: Transaction, id: UUID) -> list[Row]:
    row = tx.get("dead_letter", id)
    return [row] if row else []


@statement(RELAY, "feedback_readers")
def feedback_readers(tx: Transaction) -> list[Row]:
    return [{"id": row["id"]} for row in tx.rows("organization") if row["kafka_username"]]


@statement(RELAY, "labels")
def labels(tx: Transaction, ids: Sequence[UUID]) -> list[Row]:
    found = [(tx.get("referral", id) or {}, id) for id in ids]
    states = [(msgspec.json.decode(row["state"]), row, id) for row, id in found if row]
    return [
        {"id": id, "domain": row["domain"], "sensitivity": state.get("sensitivity", [])}
        for state, row, id in states
    ]


@statement(RELAY, "move")
async def move(tx: Transaction, lanes: Sequence[int], numbers: Sequence[int]) -> None:
    for lane, number in zip(lanes, numbers, strict=True):
        await tx.put("relay_position", {"lane": lane, "next_seq": number})


@statement(RELAY, "ends")
def ends(tx: Transaction, group: int) -> list[Row]:
    return [row for row in tx.rows("relay_end") if row["relay_group"] == group]


@statement(RELAY, "save_ends")
async def save_ends(
    tx: Transaction, group: int, topics: Sequence[str], numbers: Sequence[int], offsets: Sequence[int]
) -> None:
    for topic, number, end in zip(topics, numbers, offsets, strict=True):
        row = {"relay_group": group, "topic": topic, "partition": number, "end_offset": end}
        await tx.put("relay_end", row)


def _now(tx: Transaction) -> datetime:
    return tx.process.loop.now()


@statement(TIMERS, "newly_due")
def newly_due(tx: Transaction) -> list[Row]:
    now = _now(tx)
    due = [r for r in tx.rows("deadline") if r["due_at"] <= now and not r["sent_at"] and not r["barrier"]]
    due.sort(key=lambda r: r["due_at"])
    return [r | {"sender": (tx.get("referral", r["referral_id"]) or {})["sender"]} for r in due[:1000]]


@written(TIMERS, "set_barrier")
def set_barrier(sql: str) -> Handler:
    compares = "d.generation = due.generation" in sql

    async def run(tx: Transaction, *columns: Sequence[Any]) -> None:
        for referral, kind, generation, barrier in zip(*columns, strict=True):
            await tx.lock("deadline", referral, kind)
            row = tx.get("deadline", referral, kind)
            if row is None or row["barrier"] is not None or row["sent_at"] is not None:
                continue
            if not compares or row["generation"] == generation:
                await tx.put("deadline", row | {"barrier": barrier})

    return run


@written(TIMERS, "ready")
def ready(sql: str) -> Handler:
    waits = "< b.value::bigint" in sql

    def run(tx: Transaction) -> list[Row]:
        now, found = _now(tx), []
        for row in tx.rows("deadline"):
            if row["due_at"] <= now and row["sent_at"] is None and row["barrier"] is not None:
                wanted = msgspec.json.decode(row["barrier"]) if waits else {}
                if all(_applied(tx, place) >= end for place, end in wanted.items()):
                    found.append(row)
        return sorted(found, key=lambda r: r["due_at"])[:1000]

    return run


def _applied(tx: Transaction, place: str) -> int:
    topic, _, number = place.rpartition("/")
    row = tx.get("progress", topic, int(number))
    return int(row["next_offset"]) if row else 0


@statement(TIMERS, "sent")
async def sent(
    tx: Transaction, referrals: Sequence[UUID], kinds: Sequence[str], generations: Sequence[int]
) -> None:
    for referral, kind, generation in zip(referrals, kinds, generations, strict=True):
        await tx.lock("deadline", referral, kind)
        row = tx.get("deadline", referral, kind)
        if row is not None and row["generation"] == generation:
            await tx.put("deadline", row | {"sent_at": _now(tx)})
