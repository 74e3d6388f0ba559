"""Plays a story in memory: each step is a record as its door writes it, one batch through decode, Work and decide.

Comes in: a Story. Goes out: what was recorded, and what each party would be shown. No socket, no clock: the story's
own times. Must never decide anything itself.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from api import views
from api.principal import Principal
from avro_schemas import topics
from infra.places import places
from infra.vault.cipher import NOTE, PLAIN, SUBMISSION
from producers import envelope
from producers.envelope import Said, open_plain, open_submission, seal
from referrals import ids
from referrals.capacity import with_room
from referrals.commands import Submit
from referrals.covering import MEMBER
from referrals.directory import Directory
from referrals.duplicates import People
from referrals.matching import match_keys
from referrals.placing import World
from referrals.standing import Standings
from referrals.state import Referral
from referrals.submission import Submission
from referrals.words import TERMINAL
from stream_processors import rows
from stream_processors.consents import Held
from stream_processors.decode import Arrival, Poison, Raw, read
from stream_processors.members import member_keys
from stream_processors.outbox import outputs
from stream_processors.work import Loaded, Work, Written
from tests.support.journeys.saying import SAID
from tests.support.journeys.stories import Step, Story
from tests.support.journeys.telling import Fact, dated, duration, named
from tests.support.vault import ring

CLOCK = "clock"
SECRET = b"journeys"
NOBODY = {"actor_user": None, "on_behalf_of": None}
Asked = tuple[str, bytes, bytes]


class InMemory:
    """One story being played; `play` its steps in order."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.now = story.told.begins
        self.facts: list[tuple[int, Written]] = []
        self.refused: list[int] = []
        self._reviewed: set[UUID] = set()
        self._services = story.services()
        self._standings = Standings()
        self._offset = 0
        self._work = self._batch(Loaded({}, {}, {}, dict.fromkeys(range(ids.LANES), 0), ring()), {})

    def play(self, step: Step) -> None:
        """Apply one step."""
        self.now += duration(step.after)
        if step.who == CLOCK:
            self.now = max(self.now, self._due(step))
        records = SAID[step.does](self, step, dated(step.content, self.now))
        asked = [(r.topic, r.key, r.value) for r in records]
        while asked:
            self._apply(step, asked)
            asked = [*self._relayed(), *self._told_of_coverage()]

    def _apply(self, step: Step, records: list[Asked]) -> None:
        """One batch, as the exchange takes it."""
        found = [
            read(Raw(topic, 0, self._offset + n, key, value, self.now))
            for n, (topic, key, value) in enumerate(records)
        ]
        self._offset += len(records)
        self._work = self._next(self._work, found)
        self._work.apply(found)
        self._standings.absorb(self._work.standings)
        assert not self._work.dead, [p.detail for p in self._work.dead]
        self.facts += [(step.step, w) for w in self._work.history]
        self.refused += [step.step for _ in self._work.rejections]
        self._reviewed |= self._work.reviewed

    def _relayed(self) -> list[Asked]:
        """What the relay publishes of the batch to topics that the exchange reads itself."""
        facts = [w._asdict() | {"actor_organization": w.envelope.organization} for w in self._work.history]
        rows = [
            f | {n: getattr(f["envelope"], n) for n in ("event_id", "occurred_at", "at", "channel")}
            for f in facts
        ]
        published = [out for row in rows for out in outputs(row | NOBODY, frozenset(), None)]
        return [(o.topic, o.key, o.value) for o in published if o.topic in topics.consumed()]

    def _told_of_coverage(self) -> list[Asked]:
        """What coverage.py asks of the open referrals of members whose spells this batch has recorded."""
        members = {id for kind, id in self._work.recorded if kind == MEMBER}
        mine = [r for r in self._work.referrals.values() if r.member in members and r.status not in TERMINAL]
        made = [
            envelope.coverage_reached(ids.event_id("coverage", str(r.id), str(self._offset)), self.now, r.id)
            for r in mine
        ]
        return [(r.topic, r.key, r.value) for r in made]

    def told(self, name: str, step: int) -> list[Fact]:
        """What a step made of one referral, in the words of the story."""
        referral, names = self.story.referral(name), self.story.names()
        return [
            (w.type, named(_data(w), names), w.envelope.at)
            for number, w in self.facts
            if number == step and (w.stream_id == referral or _data(w).get("stream_id") == str(referral))
        ]

    def state(self, name: str) -> Referral:
        """The referral as it stands."""
        return self._work.referrals[self.story.referral(name)]

    def submission(self, state: Referral) -> Submission:
        """What was last sent of it."""
        return open_submission(PLAIN + self._work.keys.open(state.sealed, SUBMISSION, state.id))

    def seen(self, who: str, name: str) -> dict[str, Any] | None:
        """The referral as a party sees it, in the words of the story; None when it does not exist for them."""
        state = self._work.referrals.get(self.story.referral(name))
        if state is None:
            return None
        stored = views.Seen(
            state,
            self.submission(state),
            self._work.keys.open(state.outcome_sealed, NOTE, state.id).decode() or None,
            state.id in self._reviewed,
            self._work.consents.get(state.person_key, {}),
            self.now,
        )
        view = views.referral(self._principal(who), stored)
        found: dict[str, Any] | None = named(msgspec.to_builtins(view), self.story.names())
        return found

    def _next(self, before: Work, found: Sequence[Arrival | Poison]) -> Work:
        """A new batch that has loaded what the one before it saved."""
        took = {(a.envelope.organization, a.envelope.event_id): a.payload_sha256 for a, *_ in before.inbox}
        seen = {**before.loaded.seen, **took}
        keys = {
            (a.envelope.organization, a.envelope.event_id): match_keys(a.command.submission.person, SECRET)
            for a in found
            if isinstance(a, Arrival) and isinstance(a.command, Submit)
        }
        loaded = Loaded(
            seen,
            before.referrals,
            before.streams,
            before.lanes,
            before.keys,
            before.tombstones,
            People(keys, before.near, before.earlier),
            member_keys(found, SECRET),
            before.helps,
            held=Held(before.consents, tuple(before.referrals.values())),
        )
        return self._batch(loaded, before.loads)

    def _batch(self, loaded: Loaded, loads: Mapping[str, int]) -> Work:
        said = {str(id): s.data for (kind, id), s in loaded.streams.items() if kind == "capacity"}
        services = [with_room(s, said[s.id]) if s.id in said else s for s in self._services]
        directory = Directory(self._offset, services, places())
        organizations = self.story.stage.organizations
        hub = next(id for id, kind in organizations.items() if kind == "hub")
        return Work(loaded, World(directory, loads, organizations, hub, seal, open_plain, self._standings))

    def _principal(self, who: str) -> Principal:
        return Principal(
            organization=who,
            type=self.story.stage.organizations[who],
            name=who,
            user=who,
            scopes=frozenset(),
            expires_at=self.now + timedelta(hours=1),
            credential=b"",
        )

    def _due(self, step: Step) -> datetime:
        """When the deadline that the step waits for comes due."""
        due = {row[1]: row[3] for row in rows.deadline_rows(self.state(step.referral))}
        found: datetime = due[step.content["deadline"]]
        return found

    def said(self, step: Step, occurred_at: datetime | None = None) -> Said:
        """The envelope of a step: through HTTP as the API vouches, else as the sender's own topic says."""
        channel = "kafka" if step.door == "intake topic" else "api"
        event = ids.event_id(step.who, self.story.name, str(step.step))
        return Said(event, step.who, occurred_at or self.now, channel=channel)


def _data(written: Written) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(written.data)
    found.pop("type", None)
    return found
