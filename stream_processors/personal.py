"""Whose key seals and opens what in one batch: facts are sealed when they are made, and never again.

Comes in: the batch's Keyring, states and facts as the rules made them. Goes out: facts as they are recorded, and the
submissions that rules ask for. Must never let content about a person reach a row in the clear.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from msgspec import structs

from infra.vault.cipher import NOTE, PLAIN, SUBMISSION, Erased
from infra.vault.vault import Keyring, persons_in
from producers.envelope import open_submission, unseal
from referrals import commands as c
from referrals import erasing, ids
from referrals.duplicates import Earlier
from referrals.events import Fact, ReferralAmended, ReferralReceived
from referrals.state import Referral
from referrals.streams import Stream
from referrals.submission import Submission
from stream_processors.decode import Arrival, Poison


def people(
    records: Iterable[Arrival | Poison],
    known: Iterable[Referral],
    near: Iterable[Earlier],
    streams: Iterable[Stream],
) -> set[UUID]:
    """Everybody whose key the batch may need."""
    found = {r.person_key for r in known} | {e.person_key for e in near}
    for record in records:
        command = record.command if isinstance(record, Arrival) else None
        if isinstance(record, Arrival) and isinstance(command, c.Submit):
            found.add(ids.person_key(record.envelope.organization, command.submission.person.person_id))
        elif isinstance(command, c.RecordFact) and (command.sealed or command.kind == erasing.KIND):
            found.add(UUID(command.data["person_key"]))
    return found | persons_in(s.sealed for s in streams)


class Opened:
    """The submissions that one batch has opened; several rules look at each, and none is kept longer."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys
        self._found: dict[bytes, Submission | None] = {}

    def __call__(self, referral: UUID, sealed: bytes) -> Submission | None:
        """The submission; None when its person was erased. Raises ValueError when it was altered."""
        if sealed not in self._found:
            self._found[sealed] = self._open(referral, sealed)
        return self._found[sealed]

    def _open(self, referral: UUID, sealed: bytes) -> Submission | None:
        try:
            return open_submission(PLAIN + self._keys.open(sealed, SUBMISSION, referral))
        except Erased:
            return None


def sealed_fact(keys: Keyring, state: Referral | None, referral: UUID, fact: Fact) -> Fact:
    """A referral's fact as it is recorded: a submission under its own person's key, a note under the referral's."""
    if not fact.sealed:
        return fact
    event = fact.event
    if isinstance(event, ReferralReceived | ReferralAmended):
        person, tenant, kind = event.person_key, event.sender, SUBMISSION
    else:
        assert state is not None, "a referral begins with its submission"
        person, tenant, kind = state.person_key, state.sender, NOTE
    return structs.replace(fact, sealed=keys.seal(person, tenant, kind, referral, unseal(fact.sealed)))


def sealed_record(keys: Keyring, fact: c.RecordFact, owner: str) -> c.RecordFact:
    """Another stream's fact as it is recorded, under the key of the person that its data names."""
    if not fact.sealed:
        return fact
    person, content = UUID(str(fact.data["person_key"])), unseal(fact.sealed)
    return structs.replace(fact, sealed=keys.seal(person, owner, fact.kind, fact.stream_id, content))


def as_said(keys: Keyring, kind: str, id: UUID, stream: Stream | None) -> Stream | None:
    """A stream as its rules compare it with what is said now: its sealed part opened, empty when it was erased."""
    if stream is None or not stream.sealed:
        return stream
    try:
        return structs.replace(stream, sealed=PLAIN + keys.open(stream.sealed, kind, id))
    except Erased:
        return structs.replace(stream, sealed=b"")


def open_of(person: UUID, *some: Iterable[Referral]) -> list[Referral]:
    """The person's referrals that are not closed; of one that is there twice, the last counts."""
    found: Mapping[UUID, Referral] = {r.id: r for referrals in some for r in referrals}
    return erasing.still_open(person, found.values())
