"""The books of a run must balance: what was sent, what was decided, what is stored and what was published.

Comes in: an Outcome. Goes out: a list of violations in words, empty when all holds. L1-L8 are the ledger's rules; it
looks at rows and records alone, and has its own idea of what may follow what (cli/ledger_words.py).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
from msgspec import structs

from avro_schemas import codec, topics
from cli import ledger_words
from infra.audit import chain, records
from referrals.errors import DeadLetterReason as Bad
from referrals.state import Referral
from stream_processors.decode import EXCHANGE, Arrival
from stream_processors.fold import Folded, LogRow, fold
from stream_processors.inbox import PATTERN
from stream_processors.outbox import HEADER
from stream_processors.projections import PROJECTIONS
from stream_processors.tail import OUTPUTS
from tests.simulation import scene
from tests.simulation.database import KEYS, Row
from tests.simulation.keys import erased, keys
from tests.simulation.log import Entry
from tests.simulation.promises import promises
from tests.simulation.run import Outcome
from tests.simulation.statements import names_of

FOLDED = ("referral", "hop", "person_match", "stream", "person_consent", "service", "rejected_command")
NO_ROW: Row = {}
CONSUMED = re.compile(PATTERN).match


def violations(outcome: Outcome) -> list[str]:
    """Everything that is wrong."""
    tables = outcome.database.tables
    sent = [(entry, outcome.log.read(entry)) for entry in outcome.log.entries(CONSUMED)]
    history = sorted(tables["history"].values(), key=lambda r: (r["lane"], r["lane_seq"]))
    return [
        *outcome.errors,
        *_lost(tables, sent),
        *_doubled(outcome, history),
        *_invented(tables, sent, history),
        *_versions(tables, history),
        *_folded(tables, history),
        *_sealed(tables, history),
        *keys(tables, history),
        *_tenants(tables, history),
        *_published(outcome, history),
        *promises(outcome, sent, history),
    ]


def _lost(tables: dict[str, Any], sent: Iterable[tuple[Entry, Any]]) -> Iterable[str]:
    """L1: what the broker acknowledged is in the inbox or a dead letter."""
    dead = {(r["topic"], r["partition"], r["offset"]): r for r in tables["dead_letter"].values()}
    for entry, read_as in sent:
        place = (entry.topic, entry.partition, entry.offset)
        if isinstance(read_as, Arrival):
            key = (read_as.envelope.organization, read_as.envelope.event_id)
            outcome = tables["inbox"].get(key)
            if outcome is None and place not in dead:
                yield f"L1 lost: {place} {key}"
            elif outcome is not None and outcome["payload_sha256"] != read_as.payload_sha256:
                if dead.get(place, NO_ROW).get("reason") == Bad.ID_CONFLICT:
                    continue
                yield f"L1 another body of {key} was not refused: {place}"
        elif place not in dead:
            yield f"L1 lost: {place} is poison and no dead letter"
    yield from (f"L1 our own failure: {p}" for p, r in dead.items() if r["reason"] == Bad.OUR_FAILURE)
    yield from (f"stopped: {p}: {r['stopped']}" for p, r in tables["progress"].items() if r["stopped"])
    yield from (f"L1 our own failure: {r['error']} at {r['topic']}" for r in tables["parked"].values())


def _doubled(outcome: Outcome, history: list[Row]) -> Iterable[str]:
    """L2: the facts of one event are made in one transaction, with its outcome."""
    where: dict[tuple[str, UUID], set[int]] = defaultdict(set)
    for done in outcome.database.commits:
        for row in done.written.get("history", {}).values():
            if row["kind"] != "refusal":
                where[row["actor_organization"], row["event_id"]].add(done.number)
        for key in done.written.get("inbox", {}):
            where[key[0], key[1]].add(done.number)
    yield from (f"L2 doubled: {key} in transactions {sorted(n)}" for key, n in where.items() if len(n) > 1)
    refusals = Counter(r["stream_id"] for r in history if r["kind"] == "refusal")
    yield from (f"L2 refused twice: {id}" for id, n in refusals.items() if n > 1)


def _invented(tables: dict[str, Any], sent: list[tuple[Entry, Any]], history: list[Row]) -> Iterable[str]:
    """L3: nothing is recorded that nobody said."""
    said = {
        (read_as.envelope.organization, read_as.envelope.event_id)
        for _, read_as in sent
        if isinstance(read_as, Arrival)
    }
    places = {(e.topic, e.partition, e.offset) for e, _ in sent}
    yield from (f"L3 invented: {key}" for key in tables["inbox"] if key not in said)
    for row in history:
        if row["type"] != "record-refused" and (row["actor_organization"], row["event_id"]) not in said:
            yield f"L3 invented fact: {row['type']} of {row['event_id']}"
    for row in tables["dead_letter"].values():
        if (row["topic"], row["partition"], row["offset"]) not in places:
            yield f"L3 invented dead letter: {row['id']}"


def _versions(tables: dict[str, Any], history: list[Row]) -> Iterable[str]:
    """L4: versions are 1..n, lanes have no gap, each step of a referral and of a hop is legal, one hop is held."""
    lanes = Counter(row["lane"] for row in history)
    newest: dict[int, int] = defaultdict(int)
    streams: dict[tuple[str, UUID], list[Row]] = defaultdict(list)
    for row in history:
        if row["lane_seq"] != newest[row["lane"]] + 1:
            yield f"L4 lane {row['lane']} has {row['lane_seq']} after {newest[row['lane']]}"
        newest[row["lane"]] = row["lane_seq"]
        streams[row["kind"], row["stream_id"]].append(row)
    for lane, row in tables["lane"].items():
        if row["seq"] != lanes[lane[0]]:
            yield f"L4 lane {lane[0]} counts {row['seq']}, has {lanes[lane[0]]}"
    for key, rows in streams.items():
        if [r["version"] for r in rows] != list(range(1, len(rows) + 1)):
            yield f"L4 {key} has versions {[r['version'] for r in rows]}"
        elif key[0] == "referral":
            yield from (f"L4 {key[1]}: {step}" for step in _illegal(rows))


def _illegal(rows: list[Row]) -> Iterable[str]:
    before: str | None = None
    hops: dict[str, str] = {}
    for row in rows:
        if not ledger_words.step_is_legal(before, row["status"]):
            yield f"{before} -> {row['status']} by {row['type']}"
        before = row["status"]
        if row["type"] in ledger_words.HOP_AFTER:
            said = msgspec.json.decode(row["data"])
            after = ledger_words.HOP_AFTER[row["type"]]
            after = said["status"] if after == "=" else after
            if not ledger_words.hop_is_legal(hops.get(said["hop"]), after):
                yield f"hop {hops.get(said['hop'])} -> {after} by {row['type']}"
            hops[said["hop"]] = after
        if sum(status in ledger_words.HELD for status in hops.values()) > 1:
            yield f"two hops are held after {row['type']}"


def _folded(tables: dict[str, Any], history: list[Row]) -> Iterable[str]:
    """L5: the stored rows are the fold of history."""
    streams: dict[tuple[str, UUID], list[LogRow]] = defaultdict(list)
    for row in sorted(history, key=lambda r: (str(r["stream_id"]), r["version"])):
        streams[row["kind"], row["stream_id"]].append(LogRow(*(row[f] for f in LogRow._fields)))
    try:
        folds = [fold(rows)._replace(erased=erased(history)) for rows in streams.values()]
    except ValueError as error:
        yield f"L5 history cannot be folded: {error}"
        return
    yield from _rows_folded(tables, folds)
    yield from _states_folded(tables, {f.referral.id: f.referral for f in folds if f.referral is not None})


def _rows_folded(tables: dict[str, Any], folds: list[Folded]) -> Iterable[str]:
    """Each projection has the rows that the facts make, column by column."""
    for projection in PROJECTIONS:
        if projection.table not in FOLDED:
            continue
        names, found = names_of(projection.sql), tables[projection.table]
        made = [dict(zip(names, row, strict=True)) for f in folds for row in projection.rows(f)]
        by_key = {tuple(row[c] for c in KEYS[projection.table]): row for row in made}
        if by_key.keys() != found.keys():
            many = len(by_key.keys() ^ found.keys())
            yield f"L5 {projection.table}: {many} rows are there or are made of facts, not both"
        for key in by_key.keys() & found.keys():
            for column, value in by_key[key].items():
                stored = found[key][column]
                stored = ",".join(stored) if column == "recipients" else stored
                if stored != value:
                    yield f"L5 {projection.table} {key}: {column} is {stored!r}, its facts say {value!r}"


def _states_folded(tables: dict[str, Any], states: dict[UUID, Referral]) -> Iterable[str]:
    """What is stored of a referral and its hops is what the facts say."""
    for (id,), row in tables["referral"].items():
        state = states.get(id)
        bare = structs.replace(state, sealed=b"", outcome_sealed=b"") if state else None
        if (
            bare is None
            or msgspec.json.encode(bare).decode() != row["state"]
            or row["version"] != bare.version
        ):
            yield f"L5 referral {id} is not the fold of its facts"
    for (id, number), hop in tables["hop"].items():
        found = next((h for h in states[id].hops if h.number == number), None) if id in states else None
        if found is None or (str(found.status), found.answered_at) != (hop["status"], hop["answered_at"]):
            yield f"L5 hop {number} of {id} is not as its facts say"


def _sealed(tables: dict[str, Any], history: list[Row]) -> Iterable[str]:
    """L6: every chain of the audit is whole, and every fact is sealed once, as it is."""
    links: dict[str, list[chain.Link]] = defaultdict(list)
    for (name, number), row in sorted(tables["audit_record"].items()):
        links[name].append(chain.Link(number, row["kind"], row["body"], row["hash"]))
    for name, found in links.items():
        yield from (f"L6 {name} #{number}: {what}" for number, what in chain.broken(name, found))
        head = tables["audit_chain"][name,]
        if (head["length"], head["head"]) != (found[-1].number, found[-1].hash):
            yield f"L6 {name}: its head is not its last record"
    rows = {
        (r["lane"], r["lane_seq"]): records.Fact(*(r[f] for f in records.Fact.__struct_fields__))
        for r in history
    }
    told = [records.record(link.kind, link.body) for found in links.values() for link in found]
    seals = [seal for said in told if isinstance(said, records.Facts) for seal in said.sealed]
    covered = Counter((s.lane, n) for s in seals for n in range(s.first, s.last + 1))
    if covered != Counter(rows.keys()):
        yield f"L6 sealed not once: {sorted(covered.keys() ^ rows.keys())[:5]}"
        return
    for seal in seals:
        if records.digest(rows[seal.lane, n] for n in range(seal.first, seal.last + 1)) != seal.digest:
            yield f"L6 lane {seal.lane}: facts {seal.first} to {seal.last} are not as sealed"


def _tenants(tables: dict[str, Any], history: list[Row]) -> Iterable[str]:
    """L7: every row belongs to whom the channel says."""
    senders = {row["id"]: row["sender"] for row in tables["referral"].values()}
    for row in tables["inbox"].values():
        by_topic = row["topic"].removeprefix("intake.")
        if by_topic in scene.CLINICS and row["tenant"] != by_topic:
            yield f"L7 {row['event_id']} of {by_topic} is {row['tenant']}'s"
    for row in history:
        if row["kind"] == "referral" and not row["tenant"] == row["sender"] == senders.get(row["stream_id"]):
            yield f"L7 a fact of {row['stream_id']} is {row['tenant']}'s"
        if row["kind"] in ("service", "capacity") and row["actor_organization"] not in (
            row["tenant"],
            EXCHANGE,
        ):
            yield f"L7 a fact of {row['stream_id']} by {row['actor_organization']} is {row['tenant']}'s"
    for hop in tables["hop"].values():
        if hop["tenant"] != senders.get(hop["referral_id"]):
            yield f"L7 a hop of {hop['referral_id']} is {hop['tenant']}'s"


def _published(outcome: Outcome, history: list[Row]) -> Iterable[str]:
    """The topics of facts are history: all of it, once, in its order."""
    expected: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row in history:
        topic = topics.REFERRAL_EVENT if row["kind"] == "referral" else topics.EXCHANGE_EVENT
        expected[topic, row["lane"]].append(row["lane_seq"])
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for entry in outcome.log.entries(OUTPUTS.match):
        header = dict(entry.headers).get(HEADER)
        if header is not None:
            lane, _, number = header.decode().partition(":")
            found[entry.topic, int(lane)].append(int(number))
    for key, numbers in found.items():
        if any(a >= b for a, b in pairwise(numbers)):
            yield f"{key[0]}, lane {key[1]}: published out of order or twice: {numbers}"
    for key, numbers in expected.items():
        if found[key] != numbers:
            yield f"{key[0]}, lane {key[1]}: history has {numbers}, the topic {found[key]}"
    yield from _told(outcome)


def _told(outcome: Outcome) -> Iterable[str]:
    """Every fact of a referral says in its topic what history says."""
    rows = {(r["lane"], r["lane_seq"]): r for r in outcome.database.tables["history"].values()}
    for entry in outcome.log.entries(topics.REFERRAL_EVENT.__eq__):
        said = codec.decode(entry.value, topics.LARGEST_TOLD)[1]
        row = rows.get((said["lane"], said["lane_seq"]))
        if row is None or (said["data"], said["version"], said["status"]) != (
            row["data"],
            row["version"],
            row["status"],
        ):
            yield f"{entry.topic} {entry.partition}/{entry.offset} is not what history says"
