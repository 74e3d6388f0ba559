"""What is sent and when, decided before the first event: due times, records ready to send, what makes each visible.

Comes in: a seed, a rate, referrals that wait for an answer. Goes out: events in order of their due times. Pure; the
load and the probes are told the same events, so that no answer can delay a later one (no coordinated omission).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from random import Random
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct, structs

from producers import envelope
from producers.envelope import Record, Said
from producers.people import Simulated
from referrals import check, ids

SENDERS = ("riverside-clinic", "lakeview-health", "golden-health-plan", "valley-care-plan")
SHARES = {"submit": 2, "accept": 1, "complete": 1}
"""Of four events: two new referrals, one accepted, one that was accepted before is completed."""
BETWEEN_S = 3.0
"""A referral is completed no sooner than this after it was due to be accepted."""
SHOWN_BY = {"submit": "referral-received", "accept": "hop-accepted", "complete": "hop-completed"}
HOP_STATUSES = {"accept": ("accepted", "completed"), "complete": ("completed",)}


class Waiting(NamedTuple):
    """A referral that is requested of one organization."""

    referral: UUID
    sender: str
    hop: UUID
    recipient: str


class Event(Struct, frozen=True):
    """One event: `due` in seconds after the start; `sender` is who looks whether it is visible."""

    due: float
    kind: str
    sender: str
    referral: UUID
    record: Record
    sampled: bool = False


def submissions(run: int, count: int, now: datetime) -> Iterator[Event]:
    """New referrals of the simulated people of a run, by four senders in turn; each once, due at 0."""
    people = Simulated(run)
    for number in range(count):
        sender = SENDERS[number % len(SENDERS)]
        body = people.submission(number)
        name = body["sender_referral_id"]
        made = envelope.submitted(_said(sender, now, name), check.submission(body, now))
        yield Event(0.0, "submit", sender, ids.referral_id(sender, name), made)


def answers_needed(rate: int, seconds: float) -> int:
    """How many waiting referrals a run takes."""
    return int(rate * seconds) // 4 + 1


def events(
    run: int, rate: int, seconds: float, waiting: Sequence[Waiting], samples: int, now: datetime
) -> list[Event]:
    """The events of a run, evenly spaced; `samples` of them chosen for the HTTP probe."""
    rng = Random(run)
    total = int(rate * seconds)
    chosen = frozenset(rng.sample(range(total), min(samples, total)))
    kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
    new, asked = submissions(run, total, now), iter(waiting)
    accepted: list[tuple[float, Waiting]] = []
    made: list[Event] = []
    for number in range(total):
        due = number / rate
        kind = rng.choice(kinds)
        if kind == "complete" and accepted and accepted[0][0] <= due - BETWEEN_S:
            event = _answer(accepted.pop(0)[1], "complete", now)
        elif kind != "submit" and (one := next(asked, None)) is not None:
            accepted.append((due, one))
            event = _answer(one, "accept", now)
        else:
            event = next(new)
        made.append(structs.replace(event, due=due, sampled=number in chosen))
    return made


def _answer(one: Waiting, action: str, now: datetime) -> Event:
    said = _said(one.recipient, now, str(one.hop), action)
    outcome = {"outcome_code": "service-provided", "outcome_need": "resolved"} if action == "complete" else {}
    record = envelope.responded(said, one.referral, action, hop=str(one.hop), **outcome)
    return Event(0.0, action, one.sender, one.referral, record)


def _said(organization: str, now: datetime, *parts: str) -> Said:
    return Said(ids.event_id(organization, "latency", *parts), organization, now)
