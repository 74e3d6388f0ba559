"""Of whatever is refused, for every reason, its sender hears: which event, why, what to do next; never a body."""

from typing import Any

import msgspec
import pytest

from avro_schemas import codec, topics
from producers import envelope
from referrals import check, ids
from referrals import commands as c
from referrals.errors import DEAD_LETTER_MEANS, NEXT_STEP, DeadLetterReason, RejectionReason
from stream_processors.decode import Arrival, Poison, Raw, poison, read
from stream_processors.outbox import outputs
from stream_processors.rows import dead_row, history_row
from stream_processors.work import Work
from stream_processors.written import Written
from tests.support.referrals import NOW, body
from tests.unit.test_work import done, records, said, submission

CANARY = "Canaria-Quetzalcoatl"
PLACE = ("intake.clinic", 0, 41)
HISTORY = (
    *("lane", "lane_seq", "kind", "stream_id", "version", "type", "event_id", "occurred_at", "at"),
    *(
        "actor_organization",
        "actor_user",
        "on_behalf_of",
        "channel",
        "tenant",
        "sender",
        "recipients",
        "payer",
    ),
    *("status", "data", "sealed"),
)
LETTER = ("id", "tenant", "topic", "partition", "offset", "reason", "detail", "key", "value", "at")


def heard(written: Written, dead: Poison | None = None) -> dict[str, Any]:
    """The sender's feedback about a row of history, as it decodes it; nothing of the body is in it."""
    row = dict(zip(HISTORY, history_row(written), strict=True))
    letter = dict(zip(LETTER, dead_row(dead), strict=True)) if dead else None
    found = {o.topic: o.value for o in outputs(row, frozenset({"clinic"}), letter)}
    assert (topics.DEAD_LETTER in found) == (dead is not None)
    assert CANARY.encode() not in found[topics.feedback("clinic")]
    return dict(codec.decode(found[topics.feedback("clinic")])[1])


def personal(offset: int = 41) -> Raw:
    person = body()["person"] | {"given_name": CANARY}
    record = envelope.submitted(said("clinic", "p"), check.submission(body(person=person), NOW))
    return Raw("intake.clinic", 0, offset, record.key, record.value, NOW)


@pytest.mark.parametrize("reason", DeadLetterReason)
def test_of_every_dead_letter_its_sender_hears(reason: DeadLetterReason) -> None:
    letter = poison(personal(), reason, NEXT_STEP[reason])
    work = done([letter])
    fact = heard(work.history[0], work.dead[0])
    assert (fact["type"], fact["reason"]) == ("record-refused", reason)
    assert (fact["topic"], fact["partition"], fact["offset"]) == PLACE
    assert fact["detail"] and msgspec.json.decode(fact["data"])["next"] == NEXT_STEP[reason]
    assert fact["event_id"] == str(ids.origin_id(*PLACE)), (
        "a record that cannot be read is named by its place"
    )
    assert DEAD_LETTER_MEANS[reason]


@pytest.mark.parametrize("reason", RejectionReason)
def test_of_every_command_without_effect_its_sender_hears(reason: RejectionReason) -> None:
    arrival = read(personal())
    assert isinstance(arrival, Arrival)
    work: Work = done([])
    work.lanes[arrival.lane] = 0
    work._reject(arrival, c.Rejection(reason, NEXT_STEP[reason]))
    fact = heard(work.history[0])
    assert (fact["type"], fact["reason"]) == ("command-rejected", reason)
    assert (fact["event_id"], fact["referral_id"]) == (str(arrival.envelope.event_id), str(arrival.stream_id))
    assert (fact["topic"], fact["partition"], fact["offset"]) == PLACE
    assert fact["detail"] and msgspec.json.decode(fact["data"])["next"] == NEXT_STEP[reason]
    assert [i.outcome for i in work.inbox] == ["rejected"]


def test_a_record_that_could_be_read_is_named_by_its_own_event_id() -> None:
    first, other = records(submission(), submission(priority="urgent"))
    assert isinstance(other, Arrival)
    work = done([first, other])
    refused = [h for h in work.history if h.kind == "refusal"]
    fact = heard(refused[0], work.dead[0])
    assert (fact["reason"], fact["event_id"]) == ("id-conflict", str(other.envelope.event_id))


def test_an_event_id_that_is_none_is_not_passed_on() -> None:
    fields = {
        "event_id": f"<{CANARY}>",
        "occurred_at": 1,
        "organization": "lakeview",
        "referral_id": str(ids.referral_id("clinic", "R-1")),
        "sender_referral_id": "R-1",
        "sealed": b"",
    }
    found = read(Raw(*PLACE, b"k", codec.encode("referral_submitted.v1", fields), NOW))
    assert isinstance(found, Poison) and (found.reason, found.said) == ("tenant-mismatch", "")
