"""A state's traffic from one seed: a directory, people who ask through several clinics, organizations that answer.

Comes in: how many, a seed, whom the exchange asked. Goes out: records in the order they are sent. Every person is
invented. Must never depend on who drains it.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from infra.places import places
from producers import envelope
from producers.envelope import Record, Said
from producers.hsds.places import counties
from referrals import check, ids, words
from referrals.directory import Service
from tests.benchmarks.test_routing import service

SENDERS = ("bench-clinic-0", "bench-clinic-1", "bench-clinic-2", "golden-health-plan")
HUB = "bench-hub"
BEGAN = datetime(2026, 11, 2, 17, tzinfo=UTC)
BROKEN = b"\x00poison"
DUPLICATES, POISON, AGAIN = 0.03, 0.001, 0.3
GIVEN = (
    "Ana",
    "Bo",
    "Chi",
    "Dara",
    "Eli",
    "Fay",
    "Gus",
    "Hoa",
    "Ira",
    "Jo",
    "Kim",
    "Lea",
    "Max",
    "Noa",
    "Oz",
)
FAMILY = (
    "Alder",
    "Birch",
    "Cedar",
    "Dogwood",
    "Elm",
    "Fir",
    "Gum",
    "Hazel",
    "Iroko",
    "Juniper",
    "Koa",
    "Larch",
)
# How a turn goes on after the request, and how often of 100.
LIVES: tuple[tuple[int, tuple[tuple[str, dict[str, Any]], ...]], ...] = (
    (45, (("accept", {}), ("start", {}), ("complete", {"outcome_code": "service-provided"}))),
    (22, (("accept", {}), ("start", {}))),
    (10, (("accept", {}),)),
    (15, (("reject", {"reason": "no-capacity"}),)),
    (8, ()),
)


class Asked(NamedTuple):
    """A hop that waits for an answer."""

    referral: UUID
    hop: str
    organization: str


class Statement(NamedTuple):
    """One statement that a batch wrote with."""

    query: str
    args: tuple[Any, ...]


class Batch(NamedTuple):
    """What one batch wrote; how many records it was made of."""

    records: int
    statements: list[Statement]


def directory(count: int, seed: int) -> list[Service]:
    """Services spread over California as its ZIPs are, four to an organization."""
    rng = random.Random(seed)
    zips, domains = _zips(), sorted(words.table("domains"))
    return [service(rng, n, zips, domains) for n in range(count)]


def described(services: Sequence[Service]) -> list[Record]:
    """The records that make the directory."""
    return [
        envelope.service_changed(
            Said(ids.event_id(s.organization, s.id), s.organization, BEGAN), s, {"name": s.name}
        )
        for s in services
    ]


def submissions(first: int, count: int, seed: int) -> list[Record]:
    """People who ask; some ask again for another need, some are known to another clinic."""
    rng, zips, domains = random.Random(f"{seed}:{first}"), _zips(), sorted(words.table("domains"))
    return [_submission(n, rng, zips, domains) for n in range(first, first + count)]


def _submission(n: int, rng: random.Random, zips: list[str], domains: list[str]) -> Record:
    sender, person = rng.choice(SENDERS), rng.randrange(n + 1) if rng.random() < AGAIN else n
    who = random.Random(person)
    content = {
        "sender_referral_id": f"STEP-{n}",
        "person": {
            "person_id": f"PERSON-{person}",
            "given_name": who.choice(GIVEN),
            "family_name": who.choice(FAMILY),
            "birth_date": f"{who.randrange(1930, 2020)}-{who.randrange(1, 13):02}-{who.randrange(1, 28):02}",
            "gender": who.choice(("female", "male")),
            "spoken_language": who.choice(("en", "en", "es", "zh", "vi")),
            "phone": f"+1 510 555 {who.randrange(10_000):04}",
            "address": {
                "line": f"{who.randrange(1, 9999)} Synthetic St",
                "city": "Testville",
                "state": "CA",
                "postal_code": who.choice(zips),
            },
        },
        "need": {"domain": rng.choice(domains), "note": "synthetic: asks for help by telephone, mornings"},
        "consent": {"status": "active"},
        "priority": rng.choice(("routine", "routine", "routine", "urgent", "asap")),
        "coverage": {"payer": "golden-health-plan", "member_id": f"M-{person}"}
        if rng.random() < 0.4
        else None,
    }
    said = Said(ids.event_id(sender, f"STEP-{n}"), sender, BEGAN)
    return envelope.submitted(said, check.submission(content, BEGAN))


def answers(asked: Sequence[Asked], seed: int) -> list[list[Record]]:
    """Each turn's answers in their order."""
    rng = random.Random(seed)
    weights = [weight for weight, _ in LIVES]
    return [_life(one, rng.choices(LIVES, weights)[0][1]) for one in asked]


def _life(one: Asked, steps: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Record]:
    return [
        envelope.responded(
            Said(ids.event_id(one.organization, one.hop, action), one.organization, BEGAN, channel="api"),
            one.referral,
            action,
            hop=one.hop,
            **fields,
        )
        for action, fields in steps
    ]


def mixed(lives: Sequence[Sequence[Record]], seed: int) -> Iterator[Record]:
    """All of it as it might be sent: each life in order, the lives interleaved; some records twice, some broken."""
    rng = random.Random(seed)
    timed = sorted(
        (moment, n, place)
        for n, life in enumerate(lives)
        for place, moment in enumerate(sorted(rng.random() for _ in life))
    )
    for _, n, place in timed:
        record = lives[n][place]
        yield record
        if rng.random() < DUPLICATES:
            yield record
        if rng.random() < POISON:
            yield record._replace(value=BROKEN + rng.randbytes(20))


def _zips() -> list[str]:
    return [z for found in counties().values() for z in found if z in places()]
