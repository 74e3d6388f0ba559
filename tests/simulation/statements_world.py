"""The statements of consents.sql, persons.sql, receiving.sql, service_record.sql and world.sql, simulated."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from referrals.words import HELD, OPEN_HOP
from tests.simulation.database import Row, Transaction
from tests.simulation.statements import Handler, held, lock_of, names_of, rows_of, statement, written

CONSENTS, PERSONS, RECORDS, WORLD = "consents.sql", "persons.sql", "service_record.sql", "world.sql"
HELPING = HELD | {"completed"}
KEPT = 10
SUMS = ("asked", "accepted", "rejected", "expired", "wrong", "bounces", "response_seconds")
NEWEST = ("answered_at", "closed_at", "reopened_at")
NOTHING: Row = {**dict.fromkeys(SUMS, 0), **dict.fromkeys(NEWEST), "expiries": []}


@statement(CONSENTS, "make_people")
async def make_people(tx: Transaction, keys: Sequence[UUID]) -> None:
    for key in sorted(keys):
        if tx.get("person_lock", key) is None:
            await tx.insert("person_lock", {"person_key": key}, lenient=True)


def _holding(sql: str) -> Handler:
    mode = lock_of(sql)

    async def run(tx: Transaction, keys: Sequence[UUID]) -> list[Row]:
        return await held(tx, "person_lock", [(key,) for key in sorted(keys)], mode)

    return run


written(CONSENTS, "share_people")(_holding)
written(CONSENTS, "hold_people")(_holding)


@statement(CONSENTS, "read_people")
def read_people(tx: Transaction, keys: Sequence[UUID]) -> list[Row]:
    found: dict[UUID, list[str]] = {}
    wanted = set(keys)
    for row in tx.rows("person_consent"):
        if row["person_key"] in wanted:
            found.setdefault(row["person_key"], []).append(f'"{row["consent"]}":{row["record"]}')
    return [{"person_key": key, "records": f"{{{','.join(said)}}}"} for key, said in found.items()]


@statement(CONSENTS, "open_referrals")
def open_referrals(tx: Transaction, people: Sequence[UUID], over: Sequence[str]) -> list[Row]:
    wanted, closed = set(people), set(over)
    return [r for r in tx.rows("referral") if r["person_key"] in wanted and r["status"] not in closed]


@statement(PERSONS, "linked")
def linked(tx: Transaction, people: Sequence[UUID]) -> list[Row]:
    """Nobody is linked here."""
    return []


@statement(PERSONS, "near")
def near(tx: Transaction, keys: Sequence[UUID], domains: Sequence[str], since: datetime) -> list[Row]:
    matched: dict[UUID, list[UUID]] = {}
    for row in tx.rows("person_match"):
        matched.setdefault(row["key"], []).append(row["person_key"])
    theirs: dict[tuple[UUID, str], list[Row]] = {}
    for row in tx.rows("referral"):
        if row["created_at"] > since:
            theirs.setdefault((row["person_key"], row["domain"]), []).append(row)
    found = []
    for key, domain in zip(keys, domains, strict=True):
        for person in (key, *sorted(matched.get(key, ()))[:10]):
            newest = sorted(theirs.get((person, domain), ()), key=lambda r: r["created_at"], reverse=True)[:2]
            found += [{"key": key} | {k: r[k] for k in ("id", "state", "sealed")} for r in newest]
    return found


@statement("receiving.sql", "load_helps")
def load_helps(tx: Transaction, people: Sequence[UUID], domains: Sequence[str]) -> list[Row]:
    wanted = set(zip(people, domains, strict=True))
    needs = {
        r["id"]: (r["person_key"], r["domain"])
        for r in tx.rows("referral")
        if (r["person_key"], r["domain"]) in wanted
    }
    hops = [h for h in tx.rows("hop") if h["referral_id"] in needs and h["status"] in HELPING]
    return [
        {
            "person_key": needs[h["referral_id"]][0],
            "domain": needs[h["referral_id"]][1],
            "referral_id": h["referral_id"],
            "recipient": h["recipient"],
            "until": h["answered_at"] if h["status"] == "completed" else None,
        }
        for h in sorted(hops, key=lambda h: (h["referral_id"], h["number"]))
    ]


def _changed(table: str) -> Handler:
    def run(tx: Transaction, since: str) -> list[Row]:
        seen = {"seen": str(tx.database.oldest), "service": None}
        found = [r for r in tx.rows(table) if r["changed_in"] >= int(since)]
        return [seen | r | {"service": str(r["service"])} for r in found] or [seen]

    return run


statement(RECORDS, "changed_records")(_changed("service_record"))
statement(RECORDS, "changed_capacity")(_changed("service_capacity"))


@statement(RECORDS, "open_capacity")
async def open_capacity(tx: Transaction, *columns: Sequence[Any]) -> None:
    for row in rows_of(("service", "tenant", "version"), columns):
        if tx.get("service_capacity", *row.values()) is None:
            await tx.insert("service_capacity", row | {"taken": 0, "changed_in": tx.id}, lenient=True)


@written(RECORDS, "hold_capacity")
def hold_capacity(sql: str) -> Handler:
    mode = lock_of(sql)

    async def run(tx: Transaction, *columns: Sequence[Any]) -> list[Row]:
        return await held(tx, "service_capacity", sorted(zip(*columns, strict=True)), mode)

    return run


@written(RECORDS, "take_capacity")
def take_capacity(sql: str) -> Handler:
    guarded = "c.taken + new.peak <= new.available" in sql

    async def run(tx: Transaction, *columns: Sequence[Any]) -> list[Row]:
        done = []
        for service, tenant, version, change, peak, available in zip(*columns, strict=True):
            await tx.lock("service_capacity", service, tenant, version)
            row = tx.get("service_capacity", service, tenant, version)
            if row is None or (guarded and None not in (peak, available) and row["taken"] + peak > available):
                continue
            await tx.put("service_capacity", row | {"taken": row["taken"] + change, "changed_in": tx.id})
            done.append(row)
        return done

    return run


@written(RECORDS, "add_records")
def add_records(sql: str) -> Handler:
    names = names_of(sql)

    async def run(tx: Transaction, *columns: Sequence[Any]) -> list[Row]:
        done = []
        for told in rows_of(names, columns):
            key = (told["service"], told["tenant"])
            await tx.lock("service_record", *key)
            before = tx.get("service_record", *key) or NOTHING
            said = [datetime.fromisoformat(at) for at in (told["expiries"] or "").split(",") if at]
            row = {"service": key[0], "tenant": key[1], "changed_in": tx.id}
            row |= {n: before[n] + told[n] for n in SUMS}
            row |= {n: max((at for at in (before[n], told[n]) if at), default=None) for n in NEWEST}
            row["expiries"] = sorted([*before["expiries"], *said], reverse=True)[:KEPT]
            await tx.put("service_record", row)
            done.append(row | {"service": str(key[0])})
        return done

    return run


@statement(RECORDS, "tell_of_pause")
async def tell_of_pause(tx: Transaction, *columns: Sequence[Any]) -> None:
    for row in rows_of(("id", "tenant", "recipient", "stream_id", "at"), columns):
        more = {"kind": "service", "version": 0, "type": "service-paused", "status": "paused"}
        await tx.insert("delivery", row | more | {"due_at": None}, lenient=True)


@statement(WORLD, "directory_version")
def directory_version(tx: Transaction) -> list[Row]:
    row = tx.get("directory_version", True)
    return [{"version": row["version"] if row else 0}]


@statement(WORLD, "services")
def services(tx: Transaction) -> list[Row]:
    return [_service(tx, row) for row in sorted(tx.rows("service"), key=lambda r: r["id"])]


@statement(WORLD, "changed_services")
def changed_services(tx: Transaction, since: int) -> list[Row]:
    ids = sorted(r["id"] for r in tx.rows("directory_change") if r["version"] > since)
    return [_service(tx, row) for id in ids if (row := tx.get("service", id)) is not None]


def _service(tx: Transaction, row: Row) -> Row:
    said = tx.get("stream", "capacity", row["id"])
    mine = said is not None and said["tenant"] == row["tenant"]
    return {"routing": row["routing"], "said": said["data"] if said and mine else None}


@statement(WORLD, "organizations")
def organizations(tx: Transaction) -> list[Row]:
    return list(tx.rows("organization"))


@statement(WORLD, "loads")
def loads(tx: Transaction) -> list[Row]:
    found = Counter(row["recipient"] for row in tx.rows("hop") if row["status"] in OPEN_HOP)
    return [{"recipient": who, "open": n} for who, n in found.items()]
