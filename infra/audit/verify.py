"""Proof: every chain follows from its start, seals every fact, and agrees with the checkpoints kept outside.

Comes in: a snapshot of the database and the checkpoints. Goes out: what is wrong, by chain and number or lane. Must
never change anything, nor trust a column beside the hashed body.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import groupby

import asyncpg
from msgspec import Struct

from infra.audit import chain, records
from infra.audit.chain import Head, Link
from infra.audit.checkpoints import Checkpoint
from infra.audit.records import Fact, Sealed
from infra.audit.trail import SQL


class Wrong(Struct, frozen=True):
    """One thing that is not as it was written."""

    where: str
    what: str


class Proof(Struct, frozen=True):
    """How much was looked at, and what is wrong."""

    chains: int
    records: int
    facts: int
    checkpoints: int
    wrong: list[Wrong]


async def prove(connection: asyncpg.Connection, checkpoints: Sequence[Checkpoint]) -> Proof:
    """Verify everything in the caller's repeatable-read transaction; in memory are the seals alone."""
    heads = {
        r["chain"]: Head(r["chain"], r["length"], r["hash"]) for r in await connection.fetch(SQL["heads"])
    }
    promised = _promised(checkpoints)
    found = _Found()
    for name in sorted(heads.keys() | promised.keys()):
        await _chain(connection, name, heads.get(name), promised.get(name, {}), found)
    facts = 0
    by_lane = {
        lane: list(seals) for lane, seals in groupby(sorted(found.seals, key=_place), key=lambda s: s[1].lane)
    }
    for row in await connection.fetch(SQL["lanes"]):
        facts += row["seq"] - row["audited_from"]
        found.wrong += await _lane(connection, row, by_lane.get(row["lane"], []))
    return Proof(len(heads), found.records, facts, len(checkpoints), found.wrong)


class _Found:
    """What reading the chains has shown so far."""

    def __init__(self) -> None:
        self.records = 0
        self.wrong: list[Wrong] = []
        self.seals: list[tuple[str, Sealed]] = []


async def _chain(
    connection: asyncpg.Connection, name: str, head: Head | None, promised: Mapping[int, str], found: _Found
) -> None:
    """Read one chain from its start."""
    reached, missed = Head(name), dict(promised)
    missed.pop(0, None)
    async for row in connection.cursor(SQL["records"], name, prefetch=5_000):
        found.records += 1
        where = f"{name} #{row['number']}"
        kept = Link(row["number"], row["kind"], row["body"], row["hash"])
        reached, wrong = chain.follow(reached, kept)
        said = _said(kept)
        found.wrong += [Wrong(where, what) for what in (*wrong, *_columns(row, said))]
        if missed.get(kept.number) == kept.hash.hex():
            del missed[kept.number]
        if isinstance(said, records.Facts):
            found.seals += [(where, seal) for seal in said.sealed]
    if head is None:
        found.wrong.append(Wrong(name, "the chain itself is gone"))
    elif (head.length, head.hash) != (reached.length, reached.hash):
        found.wrong.append(Wrong(name, f"its head says {head.length} records, {reached.length} are there"))
    found.wrong += [
        Wrong(f"{name} #{length}", "a signed checkpoint says otherwise: records were cut off or made anew")
        for length in missed
    ]


def _place(seal: tuple[str, Sealed]) -> tuple[int, int]:
    return seal[1].lane, seal[1].first


def _promised(checkpoints: Iterable[Checkpoint]) -> dict[str, dict[int, str]]:
    """Chain -> length -> hash, of all checkpoints."""
    found: dict[str, dict[int, str]] = {}
    for checkpoint in checkpoints:
        for name, (length, hash) in checkpoint.heads.items():
            found.setdefault(name, {})[length] = hash
    return found


def _said(kept: Link) -> records.Record | None:
    try:
        return records.record(kept.kind, kept.body)
    except ValueError:
        return None


def _columns(row: asyncpg.Record, said: records.Record | None) -> list[str]:
    """The columns beside the body say what the body says."""
    if said is None:
        return ["its body cannot be read"]
    agree = (said.at, said.tenant) == (row["at"], row["tenant"])
    return [] if agree else ["its columns do not say what its body says"]


async def _lane(
    connection: asyncpg.Connection, lane: asyncpg.Record, seals: Sequence[tuple[str, Sealed]]
) -> list[Wrong]:
    """Every fact of the lane stands in one seal, as it was sealed."""
    wrong = _gaps(lane, seals)
    firsts = [seal.first for _, seal in seals]
    totals = [sha256() for _ in seals]
    async for row in connection.cursor(SQL["facts"], lane["lane"], lane["audited_from"], prefetch=5_000):
        at = bisect_right(firsts, row["lane_seq"]) - 1
        if at >= 0 and row["lane_seq"] <= seals[at][1].last:
            totals[at].update(records.coded(Fact(*row.values())))
    for (where, seal), total in zip(seals, totals, strict=True):
        if total.hexdigest() != seal.digest:
            wrong.append(
                Wrong(where, f"lane {seal.lane}: facts {seal.first} to {seal.last} are not as written")
            )
    return wrong


def _gaps(lane: asyncpg.Record, seals: Sequence[tuple[str, Sealed]]) -> list[Wrong]:
    wrong = []
    expected = lane["audited_from"] + 1
    for where, seal in seals:
        if seal.first != expected:
            what = f"lane {seal.lane}: it seals from fact {seal.first} on, not from {expected}"
            wrong.append(Wrong(where, what))
        expected = seal.last + 1
    if expected != lane["seq"] + 1:
        what = f"facts {expected} to {lane['seq']} are sealed by no record"
        wrong.append(Wrong(f"lane {lane['lane']}", what))
    return wrong
