"""Proof: every chain follows from its start, seals every fact, and agrees with the checkpoints kept outside.

Comes in: a snapshot of the database and the checkpoints. Goes out: what is wrong, by chain and number or lane. Must
never change anything, nor trust a column beside the hashed body.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import groupby

import asyncpg
from msgspec import DecodeError, Struct

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
    """Verify everything in the caller's repeatable-read transaction."""
    heads = {
        r["chain"]: Head(r["chain"], r["length"], r["hash"]) for r in await connection.fetch(SQL["heads"])
    }
    promised = _promised(checkpoints)
    wrong: list[Wrong] = []
    seals: list[tuple[str, Sealed]] = []
    count = 0
    for name in sorted(heads.keys() | promised.keys()):
        kept = [row async for row in connection.cursor(SQL["records"], name, prefetch=5_000)]
        count += len(kept)
        links = [Link(r["number"], r["kind"], r["body"], r["hash"]) for r in kept]
        wrong += [Wrong(f"{name} #{n}", what) for n, what in chain.broken(name, links)]
        wrong += _against_head(name, links, heads.get(name))
        wrong += _against_checkpoints(name, links, promised.get(name, {}))
        wrong += _columns(name, kept)
        seals += [
            (f"{name} #{r['number']}", s) for r in kept if r["kind"] == "facts" for s in _sealed(r["body"])
        ]
    facts = 0
    by_lane = {
        lane: list(found) for lane, found in groupby(sorted(seals, key=_place), key=lambda s: s[1].lane)
    }
    for row in await connection.fetch(SQL["lanes"]):
        facts += row["seq"] - row["audited_from"]
        wrong += await _lane(connection, row, by_lane.get(row["lane"], []))
    return Proof(len(heads), count, facts, len(checkpoints), wrong)


def _place(seal: tuple[str, Sealed]) -> tuple[int, int]:
    return seal[1].lane, seal[1].first


def _promised(checkpoints: Iterable[Checkpoint]) -> dict[str, dict[int, str]]:
    """Chain -> length -> hash, of all checkpoints."""
    found: dict[str, dict[int, str]] = {}
    for checkpoint in checkpoints:
        for name, (length, hash) in checkpoint.heads.items():
            found.setdefault(name, {})[length] = hash
    return found


def _against_head(name: str, links: Sequence[Link], head: Head | None) -> list[Wrong]:
    last = links[-1] if links else None
    length, hash = (last.number, last.hash) if last else (0, chain.EMPTY)
    if head is None:
        return [Wrong(name, "the chain itself is gone")]
    if (head.length, head.hash) != (length, hash):
        return [Wrong(name, f"its head says {head.length} records, {length} are there")]
    return []


def _against_checkpoints(name: str, links: Sequence[Link], promised: dict[int, str]) -> list[Wrong]:
    there = {link.number: link.hash.hex() for link in links}
    return [
        Wrong(f"{name} #{length}", "a signed checkpoint says otherwise: records were cut off or made anew")
        for length, hash in promised.items()
        if length and there.get(length) != hash
    ]


def _columns(name: str, kept: Iterable[asyncpg.Record]) -> list[Wrong]:
    """The columns beside the body say what the body says."""
    wrong = []
    for row in kept:
        if row["kind"] != "request":
            continue
        try:
            said = records.request(row["body"])
        except DecodeError:
            wrong.append(Wrong(f"{name} #{row['number']}", "its body cannot be read"))
            continue
        if (said.at, said.organization or "") != (row["at"], row["tenant"]):
            wrong.append(Wrong(f"{name} #{row['number']}", "its columns do not say what its body says"))
    return wrong


def _sealed(body: bytes) -> tuple[Sealed, ...]:
    try:
        return records.facts(body).sealed
    except DecodeError:
        return ()


async def _lane(
    connection: asyncpg.Connection, lane: asyncpg.Record, seals: Sequence[tuple[str, Sealed]]
) -> list[Wrong]:
    """Every fact of the lane stands in one seal, as it was sealed."""
    wrong = _gaps(lane, seals)
    firsts = [seal.first for _, seal in seals]
    totals = [sha256() for _ in seals]
    async for row in connection.cursor(SQL["facts"], lane["lane"], lane["audited_from"], prefetch=5_000):
        at = bisect_right(firsts, row["lane_seq"]) - 1
        if at >= 0:
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
