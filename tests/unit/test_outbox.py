"""Where a fact goes: the log, the sender's feedback where it concerns the sender, the dead letters."""

from typing import Any

import msgspec

from avro_schemas import codec, topics
from stream_processors.logreading import fact
from stream_processors.outbox import outputs
from tests.support.referrals import NOW, REFERRAL, envelope

TOMBSTONE: dict[str, Any] = {
    "kind": "tombstone",
    "stream_id": REFERRAL,
    "version": 1,
    "lane": 3,
    "lane_seq": 9,
    "type": "referral-tombstoned",
    "actor_organization": "clinic",
    "actor_user": None,
    "channel": "kafka",
    "event_id": envelope("clinic").event_id,
    "occurred_at": NOW,
    "at": NOW,
    "tenant": "clinic",
    "sender": None,
    "status": None,
    "data": msgspec.json.encode({"reason": "need-met", "sender": "clinic"}),
    "sealed": b"",
}


def test_a_sender_hears_that_its_early_cancel_waits_and_it_takes_no_version() -> None:
    log, heard = outputs(TOMBSTONE, frozenset({"clinic"}), None)
    assert (log.topic, heard.topic) == (topics.EXCHANGE_EVENT, topics.feedback("clinic"))
    said = codec.decode(heard.value)[1]
    assert said["referral_id"] == str(REFERRAL) and said["version"] == 0
    assert (said["type"], said["reason"]) == ("referral-tombstoned", "need-met")
    assert [o.topic for o in outputs(TOMBSTONE, frozenset({"other-clinic"}), None)] == [topics.EXCHANGE_EVENT]


def test_a_sender_is_told_of_a_refused_record_and_operators_get_it_whole() -> None:
    said = {
        "reason": "undecodable",
        "detail": "not Avro",
        "topic": "intake.clinic",
        "partition": 2,
        "offset": 7,
    }
    row = TOMBSTONE | {"kind": "refusal", "type": "record-refused", "data": msgspec.json.encode(said)}
    letter = said | {"tenant": "clinic", "key": b"k", "value": b"nonsense"}
    log, heard, dead = outputs(row, frozenset({"clinic"}), letter)
    assert [log.topic, heard.topic, dead.topic] == [
        topics.EXCHANGE_EVENT,
        topics.feedback("clinic"),
        topics.DEAD_LETTER,
    ]
    told = codec.decode(heard.value)[1]
    assert {name: told[name] for name in said} == said
    assert codec.decode(dead.value)[1]["value"] == b"nonsense", "whole, to be replayed"


def test_what_the_exchange_tells_of_a_record_of_the_largest_size_can_be_read_again() -> None:
    said = msgspec.json.encode({"reason": "need-met", "sender": "clinic", "note": "x" * codec.MAX_BYTES})
    log, *_ = outputs(TOMBSTONE | {"data": said}, frozenset(), None)
    assert fact(log.value).row.data == said


def test_a_dead_letter_that_no_topic_would_take_is_told_without_what_is_kept_in_postgres() -> None:
    said = {
        "reason": "too-large",
        "detail": "it is large",
        "topic": "intake.clinic",
        "partition": 2,
        "offset": 7,
    }
    row = TOMBSTONE | {"kind": "refusal", "type": "record-refused", "data": msgspec.json.encode(said)}
    whole, more = bytes(codec.MAX_BYTES), bytes(codec.MAX_BYTES + 1)
    for value, told in ((whole, whole), (more, b"")):
        *_, dead = outputs(row, frozenset(), said | {"tenant": "clinic", "key": value, "value": value})
        assert len(dead.value) >= 2 * len(told) and bool(told) == (len(dead.value) > 2000)
        assert len(dead.key) + len(dead.value) + 1024 < topics.LARGEST_TOLD
