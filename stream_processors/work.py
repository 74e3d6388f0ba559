"""One batch's work in memory: each record in order becomes facts, and all that must be saved is gathered here.

Comes in: arrivals and what was loaded for them. Goes out: rows to save. Later records see earlier ones. No I/O.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from infra.vault.vault import Keyring
from referrals import commands as c
from referrals import consenting, erasing
from referrals import events as e
from referrals.cancelling import cancel_unknown
from referrals.consent import Records
from referrals.coverage import Known
from referrals.covering import SPELL, keyed
from referrals.duplicates import People, earlier
from referrals.errors import NEXT_STEP
from referrals.errors import DeadLetterReason as Bad
from referrals.evolve import evolve
from referrals.lifecycle import decide
from referrals.placing import World
from referrals.receiving import Help, Need
from referrals.service_record import CAPACITY
from referrals.state import Referral
from referrals.streams import Stream, owner_of
from referrals.streams import record as recorded
from referrals.timing import tells_hub
from stream_processors.consents import Held, reaches
from stream_processors.decode import Arrival, Poison
from stream_processors.members import spells_in
from stream_processors.near import Near
from stream_processors.personal import Opened, as_said, open_of, sealed_fact, sealed_record
from stream_processors.receiving import Helps
from stream_processors.service_record import Told
from stream_processors.written import InboxRow as InboxRow
from stream_processors.written import Written as Written
from stream_processors.written import buried, origin, recipients, refusal

Key = tuple[str, UUID]


class Loaded(NamedTuple):
    """What the transaction read under its locks."""

    seen: Mapping[Key, bytes]
    referrals: Mapping[UUID, Referral]
    streams: Mapping[Key, Stream]
    lanes: Mapping[int, int]
    keys: Keyring
    tombstones: Mapping[UUID, str] = MappingProxyType({})
    people: People = People()
    members: Mapping[Key, UUID] = MappingProxyType({})
    helps: Mapping[Need, tuple[Help, ...]] = MappingProxyType({})
    held: Held = Held()


class Work:
    """The batch so far."""

    def __init__(self, loaded: Loaded, world: World) -> None:
        self.loaded = loaded
        self.keys = loaded.keys.child()
        self.loads: dict[str, int] = dict(world.loads)
        self.tombstones: dict[UUID, str] = dict(loaded.tombstones)
        self.consents: dict[UUID, Records] = dict(loaded.held.consents)
        self.matched: dict[tuple[UUID, UUID], str] = {}
        self.near = Near(loaded.people.near)
        self.earlier = dict(loaded.people.earlier)
        people = loaded.people._replace(near=self.near, earlier=self.earlier)
        self.helps = Helps(loaded.helps)
        self.standings = world.standings.child()
        self.told = Told(self.standings, world.directory)
        self.streams: dict[Key, Stream] = dict(loaded.streams)
        self.world = world._replace(
            loads=self.loads,
            tombstones=self.tombstones,
            people=people,
            consents=self.consents,
            links=loaded.held.links,
            coverage=Known(loaded.members, partial(spells_in, self.streams)),
            helps=self.helps,
            open=Opened(self.keys),
            standings=self.standings,
        )
        self.referrals: dict[UUID, Referral] = dict(loaded.referrals)
        self.changed: dict[UUID, None] = {}
        self.decisions: dict[UUID, bytes] = {}
        self.timed: dict[UUID, None] = {}
        self.reviewed: set[UUID] = set()
        self.recorded: dict[Key, c.Envelope] = {}
        self.lanes: dict[int, int] = dict(loaded.lanes)
        self.history: list[Written] = []
        self.inbox: list[InboxRow] = []
        self.rejections: list[tuple[c.Envelope, dict[str, Any]]] = []
        self.dead: list[Poison] = []
        self._seen: dict[Key, bytes] = dict(loaded.seen)

    def apply(self, records: Iterable[Arrival | Poison]) -> None:
        """Take every record, in order."""
        for record in records:
            if isinstance(record, Poison):
                self._bury(record)
            else:
                self._take(record)

    def _take(self, arrival: Arrival) -> None:
        key = (arrival.envelope.organization, arrival.envelope.event_id)
        if (before := self._seen.get(key)) is not None:
            if before != arrival.payload_sha256:
                event, place = str(arrival.envelope.event_id), origin(arrival.raw)
                detail = f"event {event}: {NEXT_STEP[Bad.ID_CONFLICT]}"
                self._bury(Poison(arrival.raw, key[0], place, arrival.lane, Bad.ID_CONFLICT, detail, event))
            return
        self._seen[key] = arrival.payload_sha256
        if isinstance(arrival.command, c.RecordFact):
            self._record(arrival, arrival.command)
        else:
            self._decide(arrival, arrival.command)

    def _decide(self, arrival: Arrival, command: c.Command) -> None:
        state = self.referrals.get(arrival.stream_id)
        if state is None and isinstance(command, c.Cancel):
            self._entomb(arrival, command)
            return
        decision = decide(state, command, arrival.envelope, self.world)
        if isinstance(decision, c.Rejection):
            self._reject(arrival, decision)
            return
        for made in decision:
            fact = sealed_fact(self.keys, state, arrival.stream_id, made)
            before, state = state, evolve(state, arrival.stream_id, fact, arrival.envelope.at)
            self._note(arrival, state, fact)
            self.told.fact(before, state, fact.event, arrival.envelope.at)
        if state is not None and isinstance(command, c.DeadlineDue):
            self.timed[state.id] = None  # also a stale one: its row is put right
        if state is not None and decision:
            self.referrals[state.id] = state
            self.changed[state.id] = None
            self.helps.note(state)
            if state.id in self.earlier:
                self.earlier[state.id] = earlier(state)
        outcome = "applied" if decision else "no-effect"
        self.inbox.append(InboxRow(arrival, outcome, version=state.version if state else None))

    def _entomb(self, arrival: Arrival, command: c.Cancel) -> None:
        """A cancel that overtook its submission is kept, so that the submission meets it."""
        found = cancel_unknown(arrival.stream_id, command, arrival.envelope, self.world)
        if isinstance(found, c.Rejection):
            self._reject(arrival, found)
        elif found is None:
            self.inbox.append(InboxRow(arrival, "no-effect"))
        else:
            self.tombstones[arrival.stream_id] = command.reason
            self._record(arrival, found)

    def _note(self, arrival: Arrival, state: Referral, fact: e.Fact) -> None:
        event = fact.event
        data = msgspec.json.encode(event)
        if isinstance(event, e.RoutingDecided):
            self.decisions[state.id] = data
        if tells_hub(event, state.hub):
            self.reviewed.add(state.id)
        if isinstance(event, e.HopRequested):
            self.loads[event.organization] = self.loads.get(event.organization, 0) + 1
        if isinstance(event, e.ReferralReceived):
            self.matched |= {(key, state.person_key): state.sender for key in event.match_keys}
            self.near.note((state.person_key, *event.match_keys), state.id)
            self.earlier[state.id] = earlier(state)
        hop = state.hop(getattr(event, "hop", ""))
        self.history.append(
            Written(
                lane=arrival.lane,
                lane_seq=self._next(arrival.lane),
                kind="referral",
                stream_id=state.id,
                version=state.version,
                type=e.type_of(event),
                envelope=arrival.envelope,
                tenant=state.sender,
                sender=state.sender,
                recipients=recipients(state, event, hop),
                payer=state.payer,
                status=str(state.status),
                data=data,
                sealed=fact.sealed,
            )
        )

    def _record(self, arrival: Arrival, command: c.RecordFact) -> None:
        key, envelope = (command.kind, command.stream_id), arrival.envelope
        before = self.streams.get(key)
        if command.kind == SPELL:
            command = keyed(command, self.loaded.members.get((envelope.organization, envelope.event_id)))
        said = as_said(self.keys, *key, before)
        fact = recorded(said, command, envelope, self.world.organizations)
        if isinstance(fact, c.RecordFact) and command.kind == erasing.KIND:
            fact = self._erase(before, fact)
        if isinstance(fact, c.Rejection):
            self._reject(arrival, fact)
            return
        version = before.version if before else 0
        if fact is None:
            self.inbox.append(InboxRow(arrival, "no-effect", version=version))
            return
        owner = owner_of(command, envelope)
        fact = sealed_record(self.keys, fact, owner)
        after = Stream(owner, version + 1, fact.type, fact.data, fact.sealed)
        self.streams[key] = after
        self.recorded[key] = envelope
        if command.kind == CAPACITY:
            self.told.capacity(command.stream_id, after.tenant, fact.data, envelope.at)
        data = msgspec.json.encode(fact.data)
        self._other(arrival.lane, key, after.version, fact.type, envelope, data, fact.sealed, owner)
        if command.kind == consenting.KIND:
            self._consented(arrival, owner, before, fact)
        self.inbox.append(InboxRow(arrival, "applied", version=after.version))

    def _consented(self, arrival: Arrival, owner: str, before: Stream | None, fact: c.RecordFact) -> None:
        """A consent changed: later records see it at once, and every open referral it concerns is told."""
        now, was = consenting.recorded(fact.data), consenting.recorded(before.data) if before else None
        assert now is not None
        known = self.consents.get(now.person_key, {})
        self.consents[now.person_key] = {**known, fact.stream_id: now.known}
        for id, data in reaches(self.loaded.held, arrival, was, fact, self.referrals.values()):
            key = (consenting.REACH, id)
            self._other(arrival.lane, key, 1, consenting.REACHED, arrival.envelope, data, b"", owner)

    def _erase(self, before: Stream | None, command: c.RecordFact) -> c.RecordFact | c.Rejection:
        """The person's key goes, and the keys to look for them under: later records begin anew."""
        person = command.stream_id
        open_ones = open_of(person, self.loaded.held.open, self.referrals.values())
        fact = erasing.erased(before.data if before else {}, command, self.keys.id(person), open_ones)
        if isinstance(fact, c.RecordFact):
            self.keys.erase(person)
            self.matched = {pair: sender for pair, sender in self.matched.items() if pair[1] != person}
        return fact

    def _reject(self, arrival: Arrival, rejection: c.Rejection) -> None:
        state = self.referrals.get(arrival.stream_id)
        version = state.version if state else None
        self.inbox.append(InboxRow(arrival, "rejected", rejection.reason, rejection.detail, version))
        key = ("refusal", origin(arrival.raw))
        data = refusal(arrival.raw, rejection.reason, rejection.detail) | {
            "event_id": str(arrival.envelope.event_id),
            "stream_kind": arrival.kind,
            "stream_id": str(arrival.stream_id),
            "command": type(arrival.command).__name__,
        }
        self.rejections.append((arrival.envelope, data))
        self._other(
            arrival.lane, key, 1, "command-rejected", arrival.envelope, msgspec.json.encode(data), b""
        )

    def _bury(self, poison: Poison) -> None:
        self.dead.append(poison)
        envelope, data = buried(poison)
        key = ("refusal", poison.event_id)
        self._other(poison.lane, key, 1, "record-refused", envelope, data, b"")

    def _other(
        self,
        lane: int,
        key: Key,
        version: int,
        type: str,
        envelope: c.Envelope,
        data: bytes,
        sealed: bytes,
        owner: str | None = None,
    ) -> None:
        self.history.append(
            Written(
                lane=lane,
                lane_seq=self._next(lane),
                kind=key[0],
                stream_id=key[1],
                version=version,
                type=type,
                envelope=envelope,
                tenant=owner or envelope.organization,
                sender=None,
                recipients=(),
                payer=None,
                status=None,
                data=data,
                sealed=sealed,
            )
        )

    def _next(self, lane: int) -> int:
        self.lanes[lane] += 1
        return self.lanes[lane]
