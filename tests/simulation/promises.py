"""What a run promised people: consent wins every race, capacity is never overdrawn, no deadline beats an answer.

Comes in: an Outcome, what was sent, its history. Goes out: violations in words. Follows the order of the commits, which
is the order in which things became true.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from avro_schemas import topics
from referrals.ids import consent_id
from stream_processors.decode import Arrival
from stream_processors.runs import appended_at
from tests.simulation.database import Row
from tests.simulation.log import Entry
from tests.simulation.run import Outcome

ANSWERS = (topics.RESPONSE, topics.INTAKE_API)
NO_ID = UUID(int=0)
GIVES_BACK = {
    "hop-rejected",
    "hop-expired",
    "hop-cancelled",
    "hop-withdrawn",
    "hop-transferred",
    "hop-superseded",
}
GIVES_BACK |= {"hop-fell-through"}


class Fact(NamedTuple):
    """One row of history with the transaction that wrote it."""

    commit: int
    row: Row
    data: dict[str, Any]


def promises(outcome: Outcome, sent: list[tuple[Entry, Any]], history: list[Row]) -> Iterable[str]:
    """Everything that was not kept."""
    facts = list(_facts(outcome))
    yield from _consent(outcome, facts)
    yield from _capacity(outcome, facts)
    yield from _answers(outcome, sent)


def _facts(outcome: Outcome) -> Iterator[Fact]:
    for done in outcome.database.commits:
        for row in done.written.get("history", {}).values():  # as they were decided
            yield Fact(done.number, row, msgspec.json.decode(row["data"]))


def _consent(outcome: Outcome, facts: list[Fact]) -> Iterator[str]:
    """Nobody is asked under a consent whose end is committed; at rest nobody still waits under one."""
    ended: dict[UUID, Fact] = {}
    named: dict[UUID, UUID | None] = {}
    for fact in facts:
        row, data = fact.row, fact.data
        if row["kind"] == "consent":
            ended.pop(row["stream_id"], None)
            if data["consent"]["status"] in ("revoked", "refused"):
                ended[row["stream_id"]] = fact
        elif row["type"] in ("referral-received", "referral-amended"):
            own = data.get("consent_id")
            named[row["stream_id"]] = consent_id(row["tenant"], own) if own else None
        elif row["type"] in ("hop-requested", "hop-accepted"):
            over = ended.get(named.get(row["stream_id"]) or NO_ID)
            if over is not None and over.commit < fact.commit:
                yield f"consent {over.row['stream_id']} had ended: {row['type']} of {row['stream_id']}"
    for hop in outcome.database.tables["hop"].values():
        over = ended.get(named.get(hop["referral_id"]) or NO_ID)
        if hop["status"] == "requested" and over is not None:
            yield f"consent {over.row['stream_id']} has ended, and a hop of {hop['referral_id']} still waits"


def _capacity(outcome: Outcome, facts: list[Fact]) -> Iterator[str]:
    """At no commit are more places promised than were stated."""
    stated: dict[tuple[str, int], int | None] = {}
    taken: Counter[tuple[str, int]] = Counter()
    hops: dict[str, tuple[str, int]] = {}
    late: set[str] = set()
    for fact in facts:
        data, type = fact.data, fact.row["type"]
        if fact.row["kind"] == "capacity" and "room" in data:
            stated[str(fact.row["stream_id"]), data["room"]["version"]] = data["room"]["available"]
        if type == "hop-requested" and data.get("capacity_version") is not None:
            place = hops[data["hop"]] = (data["service"], data["capacity_version"])
            taken[place] += 1
            most = stated.get(place)
            if most is not None and taken[place] > most:
                yield f"service {place[0]} has {most} places and promised {taken[place]}"
        elif type in GIVES_BACK and data["hop"] in hops:
            taken[hops[data["hop"]]] -= 1
            late.add(data["hop"])
        elif type == "hop-accepted" and data["hop"] in late:  # an answer after silence is taken all the same
            taken[hops[data["hop"]]] += 1


def _answers(outcome: Outcome, sent: list[tuple[Entry, Any]]) -> Iterator[str]:
    """A deadline is applied after every answer and cancel that was in the log before it came due."""
    done: dict[tuple[str, UUID], int] = {}
    due_at: dict[tuple[UUID, str, int], Any] = {}
    for each in outcome.database.commits:
        done |= {(key[0], key[1]): each.number for key in each.written.get("inbox", {})}
        for row in each.written.get("deadline", {}).values():
            due_at[row["referral_id"], row["kind"], row["generation"]] = row["due_at"]
    said: dict[UUID, list[Arrival]] = defaultdict(list)
    for entry, arrival in sent:
        if isinstance(arrival, Arrival) and (entry.topic in ANSWERS or entry.topic.startswith("intake.")):
            said[arrival.stream_id].append(arrival)
    for entry, arrival in sent:
        if entry.topic != topics.TIMER or not hasattr(arrival.command, "generation"):
            continue
        command, mine = arrival.command, (arrival.envelope.organization, arrival.envelope.event_id)
        due = due_at.get((arrival.stream_id, command.kind, command.generation))
        for answer in said[arrival.stream_id]:
            key = (answer.envelope.organization, answer.envelope.event_id)
            if due is not None and appended_at(answer.raw) < due and done.get(key, 0) > done.get(mine, 0):
                yield f"deadline {command.kind} of {arrival.stream_id} beat an answer of before it was due"
