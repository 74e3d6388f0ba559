"""What a batch records of a person is sealed before it is a fact, and erasing the person closes all of it."""

from typing import Any

import msgspec

from infra.vault.cipher import NOTE, SUBMISSION, named
from producers import envelope
from referrals import check, erasing, ids
from referrals.submission import Submission
from stream_processors.decode import Arrival, Poison
from stream_processors.fold import LogRow, fold
from stream_processors.projections import PROJECTIONS
from stream_processors.work import Work
from tests.support.referrals import NOW, REFERRAL, body
from tests.support.vault import ring
from tests.unit.test_work import accept, done, records, said, submission

PERSON = ids.person_key("clinic", "P-1")
SAID = (b"Synthetic", b"1980-02-01", b"555 0100", b"1 Test St", b"canary")


def complete() -> envelope.Record:
    return envelope.responded(
        said("pantry", "c"), REFERRAL, "complete", outcome_code="service-provided", note="canary"
    )


def erase(name: str = "e", organization: str = "clinic") -> envelope.Record:
    return envelope.erasure_asked(said(organization, name), PERSON, "asked for it")


def played(*made: envelope.Record, **loaded: Any) -> Work:
    found: list[Arrival | Poison] = records(*made)
    return done(found, **loaded)


def test_nothing_of_a_person_is_recorded_in_the_clear() -> None:
    consent = ids.consent_id("clinic", "C-1")
    content = {"status": "active", "id": "C-1", "granted_by": {"name": "canary"}}
    granted = envelope.consent_changed(
        said("clinic", "g"), consent, PERSON, "grant", msgspec.json.encode(content)
    )
    work = played(submission(), accept(), complete(), granted)
    state = work.referrals[REFERRAL]
    held = [w.data + w.sealed for w in work.history] + [state.sealed, state.outcome_sealed]
    held += [work.streams["consent", consent].sealed]
    assert not [value for value in SAID for content in held if value in content]
    opened = msgspec.json.decode(work.keys.open(state.sealed, SUBMISSION, REFERRAL), type=Submission)
    assert opened == check.submission(body(), NOW)
    assert work.keys.open(state.outcome_sealed, NOTE, REFERRAL) == b"canary"
    assert b"canary" in work.keys.open(work.streams["consent", consent].sealed, "consent", consent)


def test_a_fact_is_sealed_once_and_copied_from_there() -> None:
    work = played(submission(), accept(), complete())
    sealed = {w.type: w.sealed for w in work.history}
    state = work.referrals[REFERRAL]
    assert state.sealed == sealed["referral-received"] and state.outcome_sealed == sealed["hop-completed"]
    facts = [
        LogRow(w.kind, w.stream_id, w.version, w.type, w.envelope.event_id, NOW, w.tenant, w.data, w.sealed)
        for w in work.history
    ]
    folded = fold(facts).referral
    assert folded is not None
    assert (folded.sealed, folded.outcome_sealed) == (state.sealed, state.outcome_sealed)


def test_who_is_being_helped_is_not_erased() -> None:
    work = played(submission(), accept(), erase())
    assert (work.inbox[-1].outcome, work.inbox[-1].reason) == ("rejected", "illegal")
    assert str(REFERRAL) in (work.inbox[-1].detail or "")
    assert not work.keys.erased


def test_of_whom_nothing_is_kept_nothing_is_erased() -> None:
    work = played(erase())
    assert (work.inbox[-1].outcome, work.inbox[-1].reason) == ("rejected", "unknown-person")


def test_an_erased_person_is_closed_and_the_fact_says_which_key_it_was() -> None:
    work = played(submission(), accept(), complete(), erase())
    state = work.referrals[REFERRAL]
    whose = named(state.sealed)
    assert whose is not None
    assert work.streams[erasing.KIND, PERSON].data == {
        "person_key": str(PERSON),
        "reason": "asked for it",
        "keys": [whose[1].hex()],
    }
    assert list(work.keys.erased) == [PERSON] and not work.keys.made and not work.matched


def test_what_comes_after_an_erasure_begins_anew_in_the_same_batch() -> None:
    again = check.submission(body("R-2"), NOW)
    work = played(submission(), accept(), complete(), erase(), envelope.submitted(said("clinic", "n"), again))
    new, old = work.referrals[ids.referral_id("clinic", "R-2")], work.referrals[REFERRAL]
    assert work.keys.open(new.sealed, SUBMISSION, new.id)
    assert list(work.keys.made) == [PERSON] == list(work.keys.erased)
    assert named(new.sealed) != named(old.sealed)
    assert {person for _, person in work.matched} <= {PERSON}


def test_a_second_erasure_names_both_keys() -> None:
    again = check.submission(body("R-2", consent={"status": "refused"}), NOW)
    work = played(
        *(submission(), accept(), complete(), erase()),
        *(envelope.submitted(said("clinic", "n"), again), erase("e2")),
    )
    stream = work.streams[erasing.KIND, PERSON]
    assert (stream.version, len(set(stream.data["keys"]))) == (2, 2)


def test_match_keys_of_before_an_erasure_are_not_made_again() -> None:
    match = next(p for p in PROJECTIONS if p.table == "person_match")
    work = played(submission())
    first = work.history[0]
    data = msgspec.json.decode(first.data) | {"match_keys": [str(REFERRAL)]}
    row = LogRow(
        *(first.kind, first.stream_id, 1, first.type, first.envelope.event_id, NOW, first.tenant),
        *(msgspec.json.encode(data), first.sealed),
    )
    whose = named(first.sealed)
    assert whose is not None
    folded = fold([row])
    assert match.rows(folded) == [(REFERRAL, PERSON, "clinic")]
    assert match.rows(folded._replace(erased=frozenset({b"another!"}))) == match.rows(folded)
    assert match.rows(folded._replace(erased=frozenset({whose[1]}))) == []


def test_routing_and_duplicates_do_without_a_person_who_was_erased() -> None:
    old = played(submission(), accept(), complete()).referrals[REFERRAL]
    reopen = envelope.responded(said("hub", "r"), REFERRAL, "reopen", reason="still-needed")
    work = played(reopen, referrals={REFERRAL: old}, keys=ring())
    assert work.inbox[0].outcome in ("applied", "rejected") and not work.dead
    assert work.world.open(REFERRAL, old.sealed) is None, "another keyring does not have the key"
