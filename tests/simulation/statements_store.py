"""The statements of store.sql and parking.sql, as the simulated database does them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from tests.simulation.database import Row, Transaction
from tests.simulation.statements import (
    Handler,
    held,
    inserting,
    listed,
    lock_of,
    names_of,
    rows_of,
    statement,
    written,
)

STORE, PARKING = "store.sql", "parking.sql"


@written(STORE, "lock_progress")
def lock_progress(sql: str) -> Handler:
    mode = lock_of(sql)

    async def run(tx: Transaction, topics: Sequence[str], numbers: Sequence[int]) -> list[Row]:
        return await held(tx, "progress", sorted(zip(topics, numbers, strict=True)), mode)

    return run


@written(STORE, "lock_lanes")
def lock_lanes(sql: str) -> Handler:
    mode = lock_of(sql)

    async def run(tx: Transaction, lanes: Sequence[int]) -> list[Row]:
        found = await held(tx, "lane", [(lane,) for lane in sorted(lanes)], mode)
        return [row | {"rebuilding": False} for row in found]

    return run


@statement(STORE, "seen")
def seen(tx: Transaction, tenants: Sequence[str], events: Sequence[UUID]) -> list[Row]:
    found = (tx.get("inbox", *key) for key in zip(tenants, events, strict=True))
    return [row for row in found if row is not None]


@statement(STORE, "load_referrals")
def load_referrals(tx: Transaction, ids: Sequence[UUID]) -> list[Row]:
    return [row for id in ids if (row := tx.get("referral", id)) is not None]


@statement(STORE, "load_streams")
def load_streams(tx: Transaction, kinds: Sequence[str], ids: Sequence[UUID]) -> list[Row]:
    found = (tx.get("stream", *key) for key in zip(kinds, ids, strict=True))
    return [row for row in found if row is not None]


@statement(STORE, "load_tombstones")
def load_tombstones(tx: Transaction, ids: Sequence[UUID]) -> list[Row]:
    found = (tx.get("stream", "tombstone", id) for id in ids)
    return [{"id": row["id"], "reason": _reason(row)} for row in found if row is not None]


def _reason(row: Row) -> Any:
    return msgspec.json.decode(row["data"])["reason"]


@written(STORE, "insert_referrals")
def insert_referrals(sql: str) -> Handler:
    names = names_of(sql)

    async def run(tx: Transaction, *columns: Sequence[Any]) -> None:
        for row in rows_of(names, columns):
            made = row | {"tenant": row["sender"], "recipients": listed(row["recipients"])}
            await tx.insert("referral", made)

    return run


@written(STORE, "update_referrals")
def update_referrals(sql: str) -> Handler:
    names, compares = names_of(sql), "r.version = new.loaded" in sql

    async def run(tx: Transaction, *columns: Sequence[Any]) -> list[Row]:
        done = []
        for row in rows_of(names, columns):
            await tx.lock("referral", row["id"])
            before, loaded = tx.get("referral", row["id"]), row.pop("loaded")
            if before is None or (compares and before["version"] != loaded):
                continue
            row["recipients"] = listed(row["recipients"])
            row |= {k: before[k] for k in ("sealed", "outcome_sealed") if row[k] is None}
            row["reviewed"] = before["reviewed"] or row["reviewed"]
            row["decision"] = before["decision"] if row["decision"] is None else row["decision"]
            await tx.put("referral", before | row)
            done.append(row)
        return done

    return run


@written(STORE, "save_hops")
def save_hops(sql: str) -> Handler:
    names = names_of(sql)

    async def run(tx: Transaction, *columns: Sequence[Any]) -> None:
        for row in rows_of(names, columns):
            row["tenant"] = row["sender"]
            before = tx.get("hop", row["referral_id"], row["number"])
            if before is not None:
                row = before | {k: row[k] for k in ("status", "reason", "answered_at", "payer")}
            await tx.put("hop", row)

    return run


@written(STORE, "save_match_keys")
def save_match_keys(sql: str) -> Handler:
    return inserting("person_match")(sql)


@statement(STORE, "wait_for_linker")
async def wait_for_linker(tx: Transaction, persons: Sequence[UUID], tenants: Sequence[str]) -> None:
    for person, tenant in zip(persons, tenants, strict=True):
        await tx.put("person_unlinked", {"person_key": person, "tenant": tenant})


@statement(STORE, "load_deadlines")
def load_deadlines(tx: Transaction, referrals: Sequence[UUID]) -> list[tuple[UUID, str, int]]:
    """Read by place, not by name."""
    known, named = set(referrals), ("referral_id", "kind", "generation")
    found = [row for row in tx.rows("deadline") if row["referral_id"] in known]
    return [(row[named[0]], row[named[1]], row[named[2]]) for row in found]


@written(STORE, "clear_deadlines")
def clear_deadlines(sql: str) -> Handler:
    return _clear_others if "not exists" in sql else _clear_named


async def _clear_named(tx: Transaction, referrals: Sequence[UUID], kinds: Sequence[str]) -> None:
    for referral, kind in zip(referrals, kinds, strict=True):
        await tx.remove("deadline", referral, kind)


async def _clear_others(
    tx: Transaction,
    referrals: Sequence[UUID],
    ids: Sequence[UUID],
    kinds: Sequence[str],
    generations: Sequence[int],
) -> None:
    kept, known = set(zip(ids, kinds, generations, strict=True)), set(referrals)
    for row in [r for r in tx.rows("deadline") if r["referral_id"] in known]:
        if (row["referral_id"], row["kind"], row["generation"]) not in kept:
            await tx.remove("deadline", row["referral_id"], row["kind"])


@statement(STORE, "save_deadlines")
async def save_deadlines(tx: Transaction, *columns: Sequence[Any]) -> None:
    for row in rows_of(("referral_id", "kind", "generation", "due_at", "lane"), columns):
        await tx.insert("deadline", row | {"barrier": None, "sent_at": None}, lenient=True)


@written(STORE, "save_streams")
def save_streams(sql: str) -> Handler:
    names = names_of(sql)

    async def run(tx: Transaction, *columns: Sequence[Any]) -> None:
        for row in rows_of(names, columns):
            before = tx.get("stream", row["kind"], row["id"])
            await tx.put("stream", row | ({"tenant": before["tenant"]} if before else {}))

    return run


@written(STORE, "save_consents")
def save_consents(sql: str) -> Handler:
    names = names_of(sql)

    async def run(tx: Transaction, *columns: Sequence[Any]) -> None:
        for row in rows_of(names, columns):
            before = tx.get("person_consent", row["consent"])
            await tx.put("person_consent", before | {"record": row["record"]} if before else row)

    return run


@written(STORE, "save_services")
def save_services(sql: str) -> Handler:
    names = names_of(sql)

    async def run(tx: Transaction, *columns: Sequence[Any]) -> None:
        for row in rows_of(names, columns):
            await tx.put("service", row)

    return run


@statement(STORE, "bump_directory")
async def bump_directory(tx: Transaction, facts: Sequence[int]) -> None:
    await tx.lock("directory_version", True)
    before = tx.get("directory_version", True) or {"version": 0}
    await tx.put("directory_version", {"one": True, "version": before["version"] + sum(facts)})


@statement(STORE, "note_changed")
async def note_changed(tx: Transaction, ids: Sequence[UUID]) -> None:
    now = tx.get("directory_version", True)
    for id in ids:
        await tx.put("directory_change", {"id": id, "version": now["version"] if now else 0})


@written(STORE, "insert_history")
def insert_history(sql: str) -> Handler:
    names = names_of(sql)

    async def run(tx: Transaction, *columns: Sequence[Any]) -> None:
        for row in rows_of(names, columns):
            row["recipients"] = listed(row["recipients"])
            await tx.insert("history", row)

    return run


@written(STORE, "insert_inbox")
def insert_inbox(sql: str) -> Handler:
    return inserting("inbox")(sql)


@written(STORE, "insert_rejections")
def insert_rejections(sql: str) -> Handler:
    return inserting("rejected_command")(sql)


@written(STORE, "insert_dead_letters")
def insert_dead_letters(sql: str) -> Handler:
    return inserting("dead_letter")(sql)


@written(STORE, "insert_deliveries")
def insert_deliveries(sql: str) -> Handler:
    return inserting("delivery", kind="referral")(sql)


@statement(STORE, "save_lanes")
async def save_lanes(tx: Transaction, lanes: Sequence[int], numbers: Sequence[int]) -> None:
    for lane, number in zip(lanes, numbers, strict=True):
        await tx.lock("lane", lane)
        await tx.put("lane", (tx.get("lane", lane) or {"lane": lane}) | {"seq": number})


@written(STORE, "save_progress")
def save_progress(sql: str) -> Handler:
    compares = "p.next_offset = new.loaded" in sql

    async def run(tx: Transaction, *columns: Sequence[Any]) -> list[Row]:
        done = []
        for topic, number, loaded, following in zip(*columns, strict=True):
            await tx.lock("progress", topic, number)
            row = tx.get("progress", topic, number)
            if row is not None and (not compares or row["next_offset"] == loaded):
                await tx.put("progress", row | {"next_offset": following})
                done.append(row)
        return done

    return run


@statement(PARKING, "waiting")
def waiting(tx: Transaction, kinds: Sequence[str], ids: Sequence[UUID]) -> list[Row]:
    wanted = set(zip(kinds, ids, strict=True))
    first = {(r["kind"], r["stream_id"]): r for r in reversed(list(tx.rows("parked")))}
    return [row for key, row in first.items() if key in wanted]


@written(PARKING, "park")
def park(sql: str) -> Handler:
    return inserting("parked")(sql)


@statement(PARKING, "count_lanes")
async def count_lanes(tx: Transaction, lanes: Sequence[int], more: Sequence[int]) -> None:
    for lane, n in zip(lanes, more, strict=True):
        await tx.lock("lane", lane)
        row = tx.get("lane", lane)
        if row is not None:
            await tx.put("lane", row | {"parked": row["parked"] + n})
