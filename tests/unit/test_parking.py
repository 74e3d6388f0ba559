"""What passes a record that failed us: a cancel, a deadline, whatever is said of consent; everything else waits."""

import pytest

from avro_schemas import codec, topics
from producers import envelope
from producers.envelope import Record
from referrals import check, ids
from stream_processors.decode import Arrival, Raw, read
from stream_processors.parking import passes
from tests.support.referrals import NOW, REFERRAL, body
from tests.unit.test_work import said

PERSON = ids.person_key("clinic", "P-1")
CONSENT = ids.consent_id("clinic", "C-1")
EVENT = ids.event_id("exchange", "x")
REACHED = {
    "event_id": str(EVENT),
    "occurred_at": 1,
    "referral_id": str(REFERRAL),
    "consent_id": str(CONSENT),
    "effect": "ended",
    "on_behalf_of": "clinic",
}
PASS = {
    "cancel": envelope.cancelled(said("clinic", "c"), "R-1", "need-met"),
    "deadline": envelope.deadline_due(EVENT, NOW, REFERRAL, "answer", 1),
    "revocation": envelope.consent_changed(said("clinic", "r"), CONSENT, PERSON, "revoke", b"{}"),
    "grant": envelope.consent_changed(said("clinic", "g"), CONSENT, PERSON, "grant", b"{}"),
    "consent reached": Record(topics.TIMER, b"k", 0, codec.encode("consent_reached.v1", REACHED), EVENT),
}
WAIT = {
    "submission": envelope.submitted(said("clinic", "s"), check.submission(body(), NOW)),
    "answer": envelope.responded(said("pantry", "a"), REFERRAL, "accept"),
    "a CBO's own cancel": envelope.responded(said("pantry", "x"), REFERRAL, "cancel"),
    "coverage": envelope.coverage_reached(EVENT, NOW, REFERRAL),
}


def arrival(record: Record) -> Arrival:
    found = read(Raw(record.topic, 0, 0, record.key, record.value, NOW))
    assert isinstance(found, Arrival), found
    return found


@pytest.mark.parametrize("name", PASS)
def test_what_protects_the_person_does_not_wait_for_us(name: str) -> None:
    assert passes(arrival(PASS[name]))


@pytest.mark.parametrize("name", WAIT)
def test_everything_else_keeps_its_order(name: str) -> None:
    assert not passes(arrival(WAIT[name]))
