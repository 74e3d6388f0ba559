"""What people do in a run: operations, each from its own number, whatever became of the ones before.

Comes in: a seed. Goes out: records in the log: doubled, late, reordered, misplaced, sometimes poison. Reads the
simulated database as the API's pages would, so that answers are to what was asked.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

import msgspec

from avro_schemas import topics
from producers import envelope
from producers.envelope import Record, Said
from referrals import check, ids
from tests.simulation.database import Database, Row
from tests.simulation.log import Log
from tests.simulation.loop import VirtualLoop
from tests.simulation.scene import CBOS, CLINICS, DOMAINS, HUB, service_id
from tests.support.referrals import body

PERSONS = 6
ACTIONS = {
    "requested": ("accept", "accept", "accept", "reject", "transfer", "note"),
    "accepted": ("start", "start", "contact", "hold", "complete", "cancel", "fail"),
    "in-progress": ("complete", "complete", "record-service", "hold", "fail", "contact"),
    "on-hold": ("resume", "complete", "cancel"),
    "expired": ("accept", "note"),
    "completed": ("correct", "reopen", "note"),
    "failed": ("correct", "reopen"),
}
WEIGHTS = {
    "submit": 26,
    "amend": 6,
    "cancel": 4,
    "cancel_ahead": 2,
    "answer": 42,
    "assign": 5,
    "consent": 5,
    "room": 3,
    "again": 5,
    "poison": 3,
    "foreign": 2,
    "erase": 3,
    "leap": 4,
    "crash": 5,
    "abort": 5,
    "unsure": 5,
    "pause": 1,
    "rebalance": 3,
    "scale": 1,
    "hole": 2,
}
PEOPLE = (
    "submit",
    "amend",
    "cancel",
    "cancel_ahead",
    "answer",
    "assign",
    "consent",
    "room",
    "again",
    "poison",
    "foreign",
    "erase",
)


class Operation(NamedTuple):
    """The n-th thing that happens."""

    number: int
    kind: str


def plan(seed: int, count: int, weights: Mapping[str, int] = WEIGHTS) -> list[Operation]:
    """What happens in a run, each kind as often as its weight says."""
    chosen = Random(f"plan {seed}").choices(list(weights), list(weights.values()), k=count)
    return [Operation(number, kind) for number, kind in enumerate(chosen)]


class Traffic:
    """Performs what people do."""

    def __init__(self, seed: int, operations: list[Operation], log: Log, database: Database) -> None:
        self._seed = seed
        self._submits = [o.number for o in operations if o.kind == "submit"]
        self._log = log
        self._loop: VirtualLoop = log.loop
        self._rows = database.tables
        self._sent: list[Record] = []
        self.random = Random()
        self.number = 0

    def perform(self, operation: Operation) -> None:
        """One operation of people."""
        self.random, self.number = Random(f"{self._seed} {operation.number}"), operation.number
        made: Callable[[], Record | None] = getattr(self, f"_{operation.kind}")
        record = made()
        if record is not None:
            self._sent.append(record)
            self._send(record)

    def _send(self, record: Record) -> None:
        """Once or a few times, now or later, where it belongs or elsewhere."""
        random = self.random
        for _ in range(random.choices((1, 2, 4), (86, 11, 3))[0]):
            delay = random.random() ** 3 * 1.5 if random.random() < 0.3 else 0.0
            right = ids.partition(record.lane, self._log.partitions)
            partition = right if random.random() < 0.85 else random.randrange(self._log.partitions)
            self._loop.call_later(
                delay, self._log.append, record.topic, partition, record.key, record.value, record.headers
            )

    def _said(self, organization: str, channel: str = "api", name: str = "") -> Said:
        event = ids.event_id(organization, f"operation {self._seed} {self.number} {name}")
        return Said(event, organization, self._loop.now(), channel=channel)

    def _submission(self, clinic: str, number: int, version: str) -> Record:
        random = self.random
        person = f"P-{random.randrange(PERSONS)}"
        consent = {"status": random.choices(("active", "refused", "absent"), (94, 2, 4))[0]}
        if random.random() < 0.5:
            consent["id"] = f"C-{person}"
        made = body(
            f"R-{number}",
            person=body()["person"] | {"person_id": person, "given_name": f"Test {person}"},
            need={"domain": random.choices(("food-insecurity", "transportation-insecurity"), (85, 15))[0]},
            consent=consent,
            coverage=None,
            priority=random.choice(("routine", "routine", "urgent", "stat")),
        )
        if random.random() < 0.2:
            asked = self._loop.now() - timedelta(days=random.randint(1, 9))
            made["requested_at"] = asked.isoformat()
        topic = topics.INTAKE_API if random.random() < 0.2 else None
        said = self._said(clinic, "api" if topic else "kafka", version)
        return envelope.submitted(said, check.submission(made, self._loop.now()), topic)

    def _submit(self) -> Record:
        return self._submission(_clinic(self.number), self.number, "first")

    def _amend(self) -> Record | None:
        known = [n for n in self._submits if n < self.number]
        if not known:
            return None
        number = self.random.choice(known[-12:])
        return self._submission(_clinic(number), number, "amended")

    def _cancel(self) -> Record | None:
        return self._taken_back([n for n in self._submits if n < self.number][-10:])

    def _cancel_ahead(self) -> Record | None:
        return self._taken_back([n for n in self._submits if n > self.number][:3])

    def _taken_back(self, among: list[int]) -> Record | None:
        if not among:
            return None
        number = self.random.choice(among)
        reason = self.random.choice(("client-withdrew", "need-met", "entered-in-error", "mood"))
        clinic = _clinic(number if self.random.random() < 0.9 else number + 1)
        return envelope.cancelled(self._said(clinic, "kafka"), f"R-{number}", reason)

    def _hop(self) -> Row | None:
        """Mostly one that can still be answered."""
        hops = list(self._rows["hop"].values())
        usual = [h for h in hops if h["status"] in ("requested", "accepted", "in-progress", "on-hold")]
        among = usual if usual and self.random.random() < 0.85 else hops
        return self.random.choice(among) if among else None

    def _answer(self) -> Record | None:
        hop = self._hop()
        if hop is None:
            return None
        random = self.random
        action = random.choice(ACTIONS.get(hop["status"], ("accept", "note")))
        who = hop["recipient"] if random.random() < 0.95 else random.choice(CBOS)
        fields = self._details(action) | {"hop": str(hop["hop"])}
        return envelope.responded(self._said(who), hop["referral_id"], action, **fields)

    def _details(self, action: str) -> dict[str, object]:
        random = self.random
        day = (self._loop.now() + timedelta(days=random.randint(1, 5))).date().isoformat()
        more: dict[str, dict[str, object]] = {
            "reject": {"reason": random.choice(("no-capacity", "not-eligible", "more-information-needed"))},
            "transfer": {"reason": "transferred"},
            "hold": {"reason": "waiting-client", "details": {"review_date": day}},
            "cancel": {"reason": random.choice(("no-capacity", "client-withdrew"))},
            "complete": {"outcome_code": "service-provided"},
            "fail": {"outcome_code": random.choice(("no-capacity", "client-declined"))},
            "correct": {"outcome_code": random.choice(("enrolled", "moved"))},
            "record-service": {"details": {"service_event_id": f"S-{self.number}", "units": 1.0}},
            "note": {"note": "synthetic"},
        }
        return more.get(action, {})

    def _assign(self) -> Record | None:
        waiting = [r for r in self._rows["referral"].values() if r["status"] == "needs-review"]
        if not waiting:
            return None
        row = self.random.choice(waiting)
        cbo = self.random.choice([c for c in CBOS if DOMAINS[c] == row["domain"]])
        return envelope.assigned(self._said(HUB), row["id"], str(service_id(cbo)))

    def _consent(self) -> Record:
        random = self.random
        clinic, person = random.choice(CLINICS), f"P-{random.randrange(PERSONS)}"
        action = random.choice(("revoke", "revoke", "grant"))
        content = {"person_id": person, "status": "active", "id": f"C-{person}"}
        return envelope.consent_changed(
            self._said(clinic),
            ids.consent_id(clinic, f"C-{person}"),
            ids.person_key(clinic, person),
            action,
            msgspec.json.encode(content),
        )

    def _erase(self) -> Record:
        """Often refused: somebody is at work for the person."""
        clinic, person = self.random.choice(CLINICS), f"P-{self.random.randrange(PERSONS)}"
        said = self._said(clinic, "exchange")
        return envelope.erasure_asked(said, ids.person_key(clinic, person), "asked for it")

    def _room(self) -> Record:
        cbo = self.random.choice(CBOS)
        said = self.random.choice(
            ({"available": 1}, {"available": 2}, {"status": "capacity"}, {"available": 0})
        )
        return envelope.capacity_changed(self._said(cbo), service_id(cbo), said)

    def _again(self) -> None:
        """Something of before comes once more, perhaps much later than it was said."""
        if self._sent:
            self._send(self.random.choice(self._sent))

    def _foreign(self) -> Record | None:
        """Another organization uses the same event id: another event."""
        if not self._sent or not self._rows["hop"]:
            return None
        before = self.random.choice(self._sent)
        hop = self.random.choice(list(self._rows["hop"].values()))
        said = Said(before.event_id, self.random.choice(CBOS), self._loop.now(), channel="api")
        return envelope.responded(said, hop["referral_id"], "note", hop=str(hop["hop"]), note="synthetic")

    def _poison(self) -> None:
        """What nobody can read or trust, or an event id with another body."""
        random, partition = self.random, self.random.randrange(self._log.partitions)
        topic = topics.intake(random.choice(CLINICS))
        good = random.choice(self._sent) if self._sent else None
        key, value = good.key if good else None, good.value if good else None
        match random.randrange(5):
            case 0:
                self._log.append(topic, partition, key, random.randbytes(random.randrange(60)))
            case 1:
                self._log.append(topic, partition, key, None)
            case 2:
                self._log.append(topics.CONSENT if random.random() < 0.5 else topic, partition, key, value)
            case 4:  # as large as a broker takes, or larger: it was compressed
                self._log.append(topic, partition, key, bytes(random.choice((1_048_570, 5_000_000))))
            case 3:
                self._send(self._with_another_body())

    def _with_another_body(self) -> Record:
        known = [n for n in self._submits if n < self.number] or [self.number]
        number, now = self.random.choice(known), self.number
        self.number = number
        made = self._submission(_clinic(number), number, "first")
        self.number = now
        return made


def _clinic(number: int) -> str:
    return CLINICS[number % len(CLINICS)]


def referral_of(number: int) -> UUID:
    """The referral that a submitting operation begins."""
    return ids.referral_id(_clinic(number), f"R-{number}")
