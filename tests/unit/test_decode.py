"""What the exchange believes of a record: the topic says who sent it, ids are recomputed, the rest is poison."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_schemas import codec, topics
from producers import envelope
from producers.envelope import Said, seal
from referrals import check, ids
from referrals import commands as c
from stream_processors.decode import Arrival, Poison, Raw, read
from tests.support.referrals import NOW, REFERRAL, body

SAID = Said(ids.event_id("clinic", "one"), "clinic", NOW)


def raw(value: bytes | None, topic: str = "intake.clinic") -> Raw:
    return Raw(topic, 3, 17, b"key", value, NOW)


def submitted(said: Said = SAID, **changes: Any) -> bytes:
    return envelope.submitted(said, check.submission(body(**changes), NOW)).value


def fields(**changes: object) -> bytes:
    made = {
        "event_id": str(SAID.event_id),
        "occurred_at": 1,
        "organization": "clinic",
        "referral_id": str(REFERRAL),
        "sender_referral_id": "R-1",
        "sealed": seal(msgspec.json.encode(body())),
    }
    return codec.encode("referral_submitted.v1", made | changes)


def test_a_submission_arrives_with_its_tenant_from_the_topic() -> None:
    arrival = read(raw(submitted()))
    assert isinstance(arrival, Arrival)
    assert (arrival.envelope.organization, arrival.stream_id) == ("clinic", REFERRAL)
    assert arrival.lane == ids.lane(REFERRAL)
    assert isinstance(arrival.command, c.Submit) and arrival.envelope.at == NOW


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "undecodable"),
        (b"", "undecodable"),
        (b"{}not avro at all", "undecodable"),
        (submitted()[:40], "undecodable"),
        (submitted() + b"x", "undecodable"),
        (b"\x00\x00\x00\x03\xe7" + submitted()[5:], "unknown-schema"),
        (b"\x00" * 1_100_000, "too-large"),
        (fields(organization="other-clinic"), "tenant-mismatch"),
        (fields(referral_id=str(ids.referral_id("other-clinic", "R-1"))), "id-mismatch"),
        (fields(sender_referral_id="R-2"), "id-mismatch"),
        (fields(event_id="not a uuid"), "invalid"),
        (fields(sealed=b"\x00not json"), "invalid"),
        (fields(sealed=b"\x09from the future"), "invalid"),
        (fields(sealed=seal(b"{}")), "invalid"),
        (fields(sealed=seal(msgspec.json.encode(body(need={"domain": "gold"})))), "invalid"),
        (fields(occurred_at=2**62), "invalid"),
        (fields(user="nul\x00"), "invalid"),
        (envelope.deadline_due(SAID.event_id, NOW, REFERRAL, "first-response", 1).value, "wrong-topic"),
        (envelope.responded(SAID, REFERRAL, "accept").value, "wrong-topic"),
    ],
)
def test_a_record_that_cannot_be_trusted_is_poison_with_a_reason(value: bytes | None, reason: str) -> None:
    poison = read(raw(value))
    assert isinstance(poison, Poison)
    assert (poison.reason, poison.tenant) == (reason, "clinic")
    assert "Synthetic" not in poison.detail, "nothing of the person"


def test_a_cancel_of_another_senders_referral_is_poison() -> None:
    value = codec.encode(
        "referral_cancelled.v1",
        {
            "event_id": str(SAID.event_id),
            "occurred_at": 1,
            "organization": "other-clinic",
            "referral_id": str(REFERRAL),
            "sender_referral_id": "R-1",
            "reason": "client-withdrew",
        },
    )
    poison = read(raw(value, "intake.other-clinic"))
    assert isinstance(poison, Poison) and poison.reason == "id-mismatch"


def test_on_the_exchanges_own_topics_the_envelope_is_believed() -> None:
    arrival = read(raw(submitted(SAID._replace(organization="clinic", channel="api")), topics.INTAKE_API))
    assert isinstance(arrival, Arrival) and arrival.envelope.organization == "clinic"


def test_the_same_body_said_later_has_the_same_hash_and_another_body_another() -> None:
    def hash_of(make: Callable[[], bytes]) -> bytes:
        arrival = read(raw(make()))
        assert isinstance(arrival, Arrival)
        return arrival.payload_sha256

    later = SAID._replace(occurred_at=NOW + timedelta(hours=1))
    assert hash_of(submitted) == hash_of(lambda: submitted(later))
    assert hash_of(submitted) != hash_of(lambda: submitted(priority="urgent"))


def test_a_nul_in_the_details_of_an_answer_is_poison() -> None:
    value = envelope.responded(SAID, REFERRAL, "hold", details={"waitlist": {"note": "\x00"}}).value
    poison = read(raw(value, topics.RESPONSE))
    assert isinstance(poison, Poison) and poison.reason == "invalid"


@given(st.binary(max_size=300), st.integers(1, 18))
def test_no_bytes_at_all_raise(tail: bytes, schema: int) -> None:
    value = b"\x00" + schema.to_bytes(4, "big") + tail
    for topic in ("intake.clinic", *topics.consumed()):
        assert isinstance(read(raw(value, topic)), Arrival | Poison)
