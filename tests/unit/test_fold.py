"""The fold of a rebuild makes the rows a batch made, from the facts alone; what cannot be folded is said."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from producers import envelope
from producers.envelope import Said
from referrals import check, ids
from stream_processors import rows
from stream_processors.decode import Arrival, Raw, read
from stream_processors.fold import LogRow, fold
from stream_processors.projections import PROJECTIONS
from stream_processors.work import Loaded, Work, Written
from tests.support.referrals import NOW, REFERRAL, body, service, world
from tests.support.vault import ring

BY_TABLE = {p.table: p for p in PROJECTIONS}


def batch() -> Work:
    """A referral submitted, accepted, completed; a service; a command that came too late."""

    def said(organization: str, name: str) -> Said:
        return Said(ids.event_id(organization, name), organization, NOW)

    pantry = service("pantry")
    submission = check.submission(body(), NOW)
    made = [
        envelope.submitted(said("clinic", "s"), submission),
        envelope.responded(said("pantry", "a"), REFERRAL, "accept"),
        envelope.responded(said("pantry", "c"), REFERRAL, "complete", outcome_code="service-provided"),
        envelope.responded(said("pantry", "late"), REFERRAL, "start"),
        envelope.service_changed(said("pantry", "service"), pantry, {"id": pantry.id}),
    ]
    at = datetime(2026, 11, 2, 18, tzinfo=UTC)
    found = [read(Raw(r.topic, 0, n, r.key, r.value, at)) for n, r in enumerate(made)]
    work = Work(Loaded({}, {}, {}, dict.fromkeys((r.lane for r in found), 0), ring()), world(pantry))
    assert all(isinstance(r, Arrival) for r in found)
    work.apply(found)
    return work


def facts(work: Work, kind: str) -> list[LogRow]:
    return [_row(w) for w in work.history if w.kind == kind]


def _row(w: Written) -> LogRow:
    e = w.envelope
    return LogRow(w.kind, w.stream_id, w.version, w.type, e.event_id, e.at, w.tenant, w.data, w.sealed)


def test_a_referral_folds_to_the_rows_its_batch_wrote() -> None:
    work = batch()
    folded = fold(facts(work, "referral"))
    state = work.referrals[REFERRAL]
    decision = work.decisions[REFERRAL]
    assert BY_TABLE["referral"].rows(folded) == [rows.referral_row(state, decision, False)]
    assert BY_TABLE["hop"].rows(folded) == rows.hop_rows(state, None)
    assert BY_TABLE["deadline"].rows(folded) == [], "a completed referral waits for nothing"
    waiting = fold(facts(work, "referral")[:3])
    kinds = {row[1] for row in BY_TABLE["deadline"].rows(waiting)}
    assert {"first-response", "acceptance", "closure"} <= kinds, "the recipient's clock and the whole's"


def test_other_streams_fold_to_the_rows_their_batch_wrote() -> None:
    work = batch()
    key = next(k for k in work.recorded if k[0] == "service")
    at = work.recorded[key].at
    folded = fold(facts(work, "service"))
    assert BY_TABLE["service"].rows(folded) == [rows.service_row(key[1], work.streams[key], at)]
    assert BY_TABLE["stream"].rows(folded) == [rows.stream_row(key, work.streams[key], at)]
    assert BY_TABLE["directory_version"].rows(folded) == [(1,)]
    refused = fold(facts(work, "refusal"))
    [(e, said)] = work.rejections
    written = rows.rejection_row(e.organization, e.event_id, e.at, said)
    assert BY_TABLE["rejected_command"].rows(refused) == [written]
    assert BY_TABLE["stream"].rows(refused) == []


def test_a_missing_version_is_said() -> None:
    found = facts(batch(), "referral")
    with pytest.raises(ValueError, match=r"its versions are not 1\.\.3"):
        fold([found[0], found[1], found[3]])
    with pytest.raises(ValueError, match="versions"):
        fold(found[1:])


def test_the_payer_of_every_hop_follows_an_amendment() -> None:
    work = batch()
    before = work.referrals[REFERRAL]
    after = fold(facts(work, "referral")).referral
    assert after is not None and rows.hop_rows(after, before) == []
    moved = structs.replace(after, payer="other-plan")
    assert [row[5] for row in rows.hop_rows(moved, before)] == ["other-plan"] * len(moved.hops)
