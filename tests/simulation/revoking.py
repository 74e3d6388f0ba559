"""Revocations among everything that discloses, in a random order drawn from a seed, through the rules in memory.

Comes in: a seed. Goes out: what left for whom after a revocation was acknowledged (nothing should), and how much left
before. What is applied is what the exchange applies (decode, Work); what is shown is what the API, the notices and the
feedback show. Only their order is made up.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from api import reading, views
from api.principal import Principal
from avro_schemas import topics
from infra.vault.cipher import NOTE, PLAIN, SUBMISSION
from producers import envelope
from producers.envelope import Record, Said, open_plain, open_submission, seal
from referrals import check, ids
from referrals.consenting import REACH
from referrals.directory import Directory, Place
from referrals.placing import World
from referrals.standing import Standings
from referrals.telling import STOPS
from stream_processors.consents import Held
from stream_processors.decode import Raw, read
from stream_processors.disclosing import About, may_leave
from stream_processors.notify import message
from stream_processors.outbox import outputs
from stream_processors.work import Loaded, Work, Written
from tests.support.referrals import COUNTY, ZIP, body, service
from tests.support.vault import ring

START = datetime(2026, 11, 2, 17, 0, tzinfo=UTC)
CLINIC, PLAN, CBOS = "clinic", "plan", ("food-a", "food-b")
KINDS = {CLINIC: "clinic", PLAN: "mco", "hub": "hub"} | dict.fromkeys(CBOS, "cbo")
SECRET = "whsec_" + b64encode(b"synthetic, for signing").decode()
CANARIES = (b"Canary", b"1980-02-01", b"canary-note", b"canary@", b"1 Canary St")
STEPS = 10
PLACES = {ZIP: Place(37.807, -122.285, COUNTY)}
ACTS = {"answer": 4, "revoke": 3, "relay": 3, "submit": 2, "notify": 4}
LOOKS = {"show": 3, "listed": 1, "events": 2, "stream": 1, "plan": 2, "feedback": 2}
WEIGHTS = ACTS | LOOKS
NOBODY = {"actor_user": None, "on_behalf_of": None}


class Left(NamedTuple):
    """Something that left: through which channel, for whom, and what."""

    channel: str
    organization: str
    content: bytes


class Run:
    """One interleaving: `violations` names what left too late, `told` counts what left in time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(f"revoking {seed}")
        self.now = START
        self.revoked = False
        self.violations: list[str] = []
        self.told: Counter[str] = Counter()
        self._offset = 0
        self._submitted = 0
        self._published = 0
        self._standings = Standings()
        self._outbox: list[Record] = []
        self._deliveries: list[tuple[str, Written]] = []
        self._facts: list[Written] = []
        self._services = [service(cbo) for cbo in CBOS]
        self._work = self._batch(Loaded({}, {}, {}, dict.fromkeys(range(ids.LANES), 0), ring()))

    def play(self) -> None:
        """Submit, then whatever comes; a run ends with everything that waits, and a look through every channel."""
        kinds = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=STEPS)
        for kind in (
            "submit",
            *kinds,
            "revoke",
            "notify",
            "relay",
            "notify",
            "show",
            "events",
            "plan",
            "feedback",
        ):
            self.now += timedelta(minutes=self.random.randint(0, 90))
            step: Callable[[], Iterator[Left]] = getattr(self, f"_{kind}")
            for left in step():
                self._judge(kind, left)

    def _judge(self, kind: str, left: Left) -> None:
        personal = any(canary in left.content for canary in CANARIES)
        self.told[f"{left.channel} {'personal' if personal else 'bare'}"] += 1
        if self.revoked and left.organization != CLINIC and personal:
            self.violations.append(f"{kind}: {left.channel} told {left.organization} {left.content[:80]!r}")

    # What changes something.

    def _submit(self) -> Iterator[Left]:
        self._submitted += 1
        made = body(
            f"R-{self._submitted}",
            person={
                "person_id": "P-1",
                "given_name": "Canary",
                "family_name": "Canary",
                "birth_date": "1980-02-01",
                "email": "canary@example.org",
                "address": {"line": "1 Canary St", "city": "Oakland", "state": "CA", "postal_code": "94607"},
            },
            need={"domain": "food-insecurity", "note": "canary-note"},
            consent={"status": "active", "id": "C-1"},
        )
        before = len(self._facts)
        self._apply(envelope.submitted(self._said(CLINIC), check.submission(made, self.now)))
        yield from self._asked(before)

    def _answer(self) -> Iterator[Left]:
        hops = [(r, h) for r in self._work.referrals.values() for h in r.open_hops]
        if not hops:
            return
        referral, hop = self.random.choice(hops)
        actions = (
            ("accept", "accept", "reject") if hop.status == "requested" else ("start", "note", "complete")
        )
        action = self.random.choice(actions)
        more: dict[str, Any] = {"reject": {"reason": "no-capacity"}, "complete": {"outcome_code": "enrolled"}}
        before = len(self._facts)
        said = {"hop": hop.hop, "note": "canary-note", **more.get(action, {})}
        self._apply(envelope.responded(self._said(hop.organization), referral.id, action, **said))
        yield from self._asked(before)

    def _asked(self, before: int) -> Iterator[Left]:
        """Whoever is asked by the facts since then has been disclosed to."""
        for fact in self._facts[before:]:
            if fact.type == "hop-requested":
                yield Left("routing", fact.recipients[0], b"Canary")

    def _revoke(self) -> Iterator[Left]:
        """Acknowledged when it is applied; what it means for the referrals waits in the outbox."""
        content = msgspec.json.encode({"id": "C-1", "person_id": "P-1"})
        consent, person = ids.consent_id(CLINIC, "C-1"), ids.person_key(CLINIC, "P-1")
        self._apply(envelope.consent_changed(self._said(CLINIC), consent, person, "revoke", content))
        self.revoked = True
        return iter(())

    def _relay(self) -> Iterator[Left]:
        before, waiting, self._outbox = len(self._facts), self._outbox, []
        for record in waiting:
            self._apply(record)
        yield from self._asked(before)

    # What discloses.

    def _notify(self) -> Iterator[Left]:
        while self._deliveries:
            organization, fact = self._deliveries.pop(0)
            about = self._about(fact)
            if not may_leave(about, organization, fact.type, self.now):
                self.told["notice dropped"] += 1
                continue
            row = {"id": fact.envelope.event_id, "type": fact.type, "at": fact.envelope.at, "about": about}
            row |= {"kind": "referral", "stream_id": fact.stream_id, "version": fact.version}
            row |= {"status": fact.status}
            sent, _ = message(row, SECRET, self.now)
            late = self.revoked and organization != CLINIC and fact.type not in STOPS
            yield Left("webhook", organization, b"Canary" if late else sent)

    def _show(self) -> Iterator[Left]:
        for cbo in CBOS:
            yield from self._views("read", cbo)

    def _listed(self) -> Iterator[Left]:
        for cbo in CBOS:
            yield Left("list", cbo, b"".join(left.content for left in self._views("list", cbo)))

    def _plan(self) -> Iterator[Left]:
        yield from self._views("read", PLAN)

    def _events(self) -> Iterator[Left]:
        for cbo in CBOS:
            for seen, kind in self._seen(cbo):
                own = {h.hop for h in seen.state.hops if h.organization == cbo}
                rows = [self._row(f) for f in self._facts if f.stream_id == seen.state.id]
                mine = [r for r in rows if msgspec.json.decode(r["data"]).get("hop") in own]
                found = [reading.shown(cbo, seen, kind, row) for row in mine]
                yield Left("events", cbo, msgspec.json.encode(found))

    def _stream(self) -> Iterator[Left]:
        for cbo in CBOS:
            asked = [f for f in self._facts if cbo in f.recipients]
            mine = [f for f in asked if may_leave(self._about(f), cbo, f.type, self.now)]
            rows = [{"id": f.stream_id, "version": f.version, "type": f.type} for f in mine]
            late = self.revoked and any(f.type not in STOPS for f in mine)
            yield Left("stream", cbo, b"Canary" if late else msgspec.json.encode(rows))

    def _about(self, fact: Written) -> About:
        state = self._work.referrals[fact.stream_id]
        return About(state, self._work.consents.get(state.person_key, {}))

    def _feedback(self) -> Iterator[Left]:
        unpublished, self._published = self._facts[self._published :], len(self._facts)
        for fact in unpublished:
            row = self._row(fact) | {
                "sender": fact.sender,
                "recipients": fact.recipients,
                "payer": fact.payer,
            }
            for out in outputs(row | NOBODY, frozenset({CLINIC, *CBOS, PLAN}), None):
                if out.topic.startswith("feedback."):
                    yield Left("feedback", out.topic.removeprefix("feedback."), out.value)

    # How it is put together.

    def _views(self, channel: str, organization: str) -> Iterator[Left]:
        who = _principal(organization, self.now)
        for seen, _ in self._seen(organization):
            yield Left(channel, organization, msgspec.json.encode(views.referral(who, seen)))

    def _seen(self, organization: str) -> Iterator[tuple[views.Seen, str]]:
        for state in self._work.referrals.values():
            consents = self._work.consents.get(state.person_key, {})
            keys = self._work.keys
            said = open_submission(PLAIN + keys.open(state.sealed, SUBMISSION, state.id))
            note = keys.open(state.outcome_sealed, NOTE, state.id).decode() or None
            seen = views.Seen(state, said, note, False, consents, self.now)
            if (kind := views.kind_of(_principal(organization, self.now), seen)) is not None:
                yield seen, kind

    def _row(self, fact: Written) -> dict[str, Any]:
        said = {n: getattr(fact.envelope, n) for n in ("event_id", "occurred_at", "at", "channel")}
        note = partial(self._note, fact)
        return (
            fact._asdict() | said | {"actor_organization": fact.envelope.organization, "note": note} | NOBODY
        )

    def _note(self, fact: Written) -> str:
        return self._work.keys.open(fact.sealed, NOTE, fact.stream_id).decode()

    def _said(self, organization: str) -> Said:
        return Said(ids.event_id(organization, str(self._offset)), organization, self.now, channel="api")

    def _apply(self, record: Record) -> None:
        found = [read(Raw(record.topic, 0, self._offset, record.key, record.value, self.now))]
        self._offset += 1
        before = self._work
        took = {(a.envelope.organization, a.envelope.event_id): a.payload_sha256 for a, *_ in before.inbox}
        held = Held(before.consents, tuple(before.referrals.values()))
        known = (before.referrals, before.streams, before.lanes, before.keys, before.tombstones)
        self._work = self._batch(Loaded({**before.loaded.seen, **took}, *known, held=held))
        self._work.apply(found)
        assert not self._work.dead, [p.detail for p in self._work.dead]
        self._standings.absorb(self._work.standings)
        for fact in self._work.history:
            self._facts += [fact] if fact.kind == "referral" else []
            hears = {*fact.recipients, fact.payer or ""} & {*CBOS, PLAN} if fact.kind == "referral" else set()
            self._deliveries += [(organization, fact) for organization in sorted(hears)]
            told = outputs(self._row(fact), frozenset(), None) if fact.kind == REACH else []
            self._outbox += [
                Record(o.topic, o.key, 0, o.value, UUID(int=0)) for o in told if o.topic == topics.TIMER
            ]

    def _batch(self, loaded: Loaded) -> Work:
        directory = Directory(1, self._services, PLACES)
        world = World(directory, {}, KINDS, "hub", seal, open_plain, self._standings)
        return Work(loaded, world)


def _principal(organization: str, now: datetime) -> Principal:
    return Principal(
        organization=organization,
        type=KINDS[organization],
        name=organization,
        user=organization,
        scopes=frozenset(),
        expires_at=now + timedelta(hours=1),
        credential=b"",
    )


def played(seed: int) -> Run:
    """The run of a seed, to its end."""
    run = Run(seed)
    run.play()
    return run
