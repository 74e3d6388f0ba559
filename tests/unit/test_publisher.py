"""The SDK before the broker: what is invalid is never sent, ids are the same every time, retries end."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from aiokafka.structs import RecordMetadata, TopicPartition

from avro_schemas import codec
from producers import feedback, publisher
from producers.envelope import Record
from producers.publisher import BrokerAway, Invalid, ReferralPublisher, protocol_for
from referrals import ids
from referrals.submission import Submission

BODY: dict[str, Any] = {
    "sender_referral_id": "R-1",
    "person": {"person_id": "P", "given_name": "Ana", "family_name": "Ruiz-Test", "birth_date": "1980-02-01"},
    "need": {"domain": "food-insecurity"},
    "consent": {"status": "active"},
}


class Broker:
    """Stands in for RecordProducer: takes records, or is away so many times."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.calls = 0
        self.records: list[Record] = []

    async def send(self, records: Sequence[Record]) -> list[RecordMetadata]:
        self.calls += 1
        if self.calls <= self.away:
            raise BrokerAway("away")
        start = len(self.records)
        self.records += records
        return [
            RecordMetadata(r.topic, r.lane % 8, TopicPartition(r.topic, r.lane % 8), start + i, 0, 1, 0)
            for i, r in enumerate(records)
        ]

    async def close(self) -> None:
        pass


def a_publisher(monkeypatch: pytest.MonkeyPatch, broker: Broker, deadline_s: float = 60) -> ReferralPublisher:
    monkeypatch.setattr(publisher, "FIRST_BACKOFF_S", 0.001)
    monkeypatch.setattr(publisher, "RecordProducer", lambda *_, **__: broker)
    return ReferralPublisher(
        bootstrap="kafka.example.org:9093", organization="bay-clinic", deadline_s=deadline_s
    )


async def test_the_same_body_is_the_same_event_and_another_is_an_amendment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = Broker()
    async with a_publisher(monkeypatch, broker) as p:
        first = await p.submit(BODY)
        again = await p.submit(msgspec.convert(BODY, Submission))
        amended = await p.amend(BODY | {"priority": "urgent"})
        back = await p.amend(BODY, revision="2")
    assert first.event_id == again.event_id
    assert len({first.event_id, amended.event_id, back.event_id}) == 3
    assert {s.id for s in (first, again, amended, back)} == {ids.referral_id("bay-clinic", "R-1")}
    assert {r.topic for r in broker.records} == {"intake.bay-clinic"}
    assert broker.records[0].key == str(first.id).encode()
    assert broker.records[0].lane == ids.lane(first.id)
    schema, fields = codec.decode(broker.records[0].value)
    assert schema == "referral_submitted.v1" and fields["referral_id"] == str(first.id)


async def test_one_invalid_submission_sends_none(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    bad = BODY | {"need": {"domain": "no-such-domain"}}
    async with a_publisher(monkeypatch, broker) as p:
        with pytest.raises(Invalid) as raised:
            await p.submit_many([BODY, bad])
    assert [problem.pointer for problem in raised.value.problems] == ["/need/domain"]
    assert broker.records == []


async def test_several_needs_are_several_referrals(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    body = {k: v for k, v in BODY.items() if k != "need"}
    body["needs"] = [{"domain": "food-insecurity"}, {"domain": "homelessness"}]
    async with a_publisher(monkeypatch, broker) as p:
        sent = await p.submit_many([body])
    assert [s.id for s in sent] == [
        ids.referral_id("bay-clinic", "R-1#food-insecurity"),
        ids.referral_id("bay-clinic", "R-1#homelessness"),
    ]


async def test_a_broker_that_comes_back_gets_the_same_records(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(away=3)
    async with a_publisher(monkeypatch, broker) as p:
        await p.submit(BODY)
    assert broker.calls == 4 and len(broker.records) == 1


async def test_retries_end_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_publisher(monkeypatch, Broker(away=10**6), deadline_s=0.05) as p:
        with pytest.raises(BrokerAway, match="send them again"):
            await p.submit(BODY)


async def test_cancel_knows_its_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    async with a_publisher(monkeypatch, broker) as p:
        with pytest.raises(Invalid, match="client-withdrew"):
            await p.cancel("R-1", "bored")
        first = await p.cancel("R-1", "client-withdrew", "by telephone")
        assert (await p.cancel("R-1", "client-withdrew", "by telephone")).event_id == first.event_id
    schema, fields = codec.decode(broker.records[0].value)
    assert schema == "referral_cancelled.v1" and fields["reason"] == "client-withdrew"


@pytest.mark.parametrize(
    ("bootstrap", "user", "protocol"),
    [
        ("127.0.0.1:9092", "x", "SASL_PLAINTEXT"),
        ("[::1]:9092,localhost:1", None, "PLAINTEXT"),
        ("kafka.example.org:9093", "x", "SASL_SSL"),
        ("127.0.0.1:9092,kafka.example.org:9093", "x", "SASL_SSL"),
    ],
)
def test_passwords_travel_in_clear_on_this_machine_alone(
    bootstrap: str, user: str | None, protocol: str
) -> None:
    assert protocol_for(bootstrap, user) == protocol


def test_feedback_is_read_typed_and_anything_else_is_an_error() -> None:
    fields = {"event_id": "e", "occurred_at": 1000, "at": 2000, "type": "record-refused", "data": b'{"a": 1}'}
    found = feedback.read(codec.encode("feedback_given.v1", fields))
    assert found.is_refusal and found.data == {"a": 1} and found.at.timestamp() == 2
    for value in (None, b"", b"\x00\x00\x00\x00\x01x"):
        with pytest.raises(codec.CodecError):
            feedback.read(value)
