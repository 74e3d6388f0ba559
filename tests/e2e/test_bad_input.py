"""Bad input: every kind gets a clear reason, at the door it came through, and disturbs nothing else."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from avro_schemas import codec, topics
from producers.envelope import Said, seal, submission_bytes, submitted
from producers.feedback import Feedback
from referrals import check, ids
from tests.e2e.test_journey import routed, submission
from tests.support.running import RunningExchange

pytestmark = pytest.mark.real
CLINIC, PLAN = "riverside-clinic", "golden-health-plan"


def body(**changes: Any) -> dict[str, Any]:
    return submission(f"BAD-{datetime.now(UTC):%H%M%S%f}") | changes


@pytest.mark.parametrize(
    ("path", "content", "status", "pointer"),
    [
        ("/v1/referrals", b"this is not json", 400, None),
        ("/v1/referrals", b"[1, 2]", 422, ""),
        ("/v1/referrals", {"sender_referral_id": "x"}, 422, "/person"),
        ("/v1/referrals", body(need={"domain": "gold"}), 422, "/need/domain"),
        ("/v1/referrals", body(priority="whenever"), 422, "/priority"),
        ("/v1/referrals", body(sender_referral_id="x" * 201), 422, "/sender_referral_id"),
        ("/v1/referrals", body(sender_referral_id="nul\x00"), 422, "/sender_referral_id"),
        ("/v1/referrals", b'{"a":"' + b"x" * 1_100_000 + b'"}', 413, None),
        ("/fhir", b"this is not json", 400, None),
        ("/fhir", {"resourceType": "Patient"}, 422, None),
        ("/fhir", {"resourceType": "Bundle", "type": "transaction", "entry": []}, 422, None),
        (
            "/fhir",
            {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [
                    {
                        "resource": {
                            "resourceType": "ServiceRequest",
                            "id": "s",
                            "subject": {"reference": "Patient/no"},
                        }
                    }
                ],
            },
            422,
            None,
        ),
    ],
)
async def test_http_says_what_is_wrong_and_where(
    exchange: RunningExchange, path: str, content: bytes | dict[str, Any], status: int, pointer: str | None
) -> None:
    kind = "application/fhir+json" if path == "/fhir" else "application/json"
    async with exchange.http(CLINIC) as http:
        sent = {"content": content} if isinstance(content, bytes) else {"json": content}
        answer = await http.post(path, headers={"content-type": kind}, **sent)
    assert answer.status_code in ({status} if path != "/fhir" else {400, 422}), answer.text
    problem = answer.json()
    if path == "/fhir":
        assert problem["resourceType"] == "OperationOutcome" and problem["issue"][0]["diagnostics"]
    else:
        assert problem["title"] and problem["detail"]
        if pointer is not None:
            assert pointer in [e["pointer"] for e in problem["errors"]]


def poisons(name: str) -> dict[str, bytes]:
    """Reason -> a record of the plan that is wrong in that way."""
    said = Said(ids.event_id(PLAN, "bad", name), PLAN, datetime.now(UTC))
    good = submitted(said, check.submission(submission(name), datetime.now(UTC))).value
    fields = {
        "event_id": str(ids.event_id(PLAN, "bad", name, "2")),
        "occurred_at": 1,
        "organization": PLAN,
        "referral_id": str(ids.referral_id(PLAN, name)),
        "sender_referral_id": name,
        "sealed": seal(b"{}"),
    }
    whole = seal(submission_bytes(check.submission(submission(name), datetime.now(UTC))))
    foreign = fields | {"sealed": whole, "referral_id": str(ids.referral_id(CLINIC, name))}
    return {
        "undecodable": good[: len(good) // 2],
        "unknown-schema": b"\x00\x00\x00\x27\x0f" + good[5:],
        "invalid": codec.encode("referral_submitted.v1", fields),
        "id-mismatch": codec.encode("referral_submitted.v1", foreign),
        "tenant-mismatch": codec.encode("referral_submitted.v1", fields | {"organization": CLINIC}),
    }


async def refusals(exchange: RunningExchange, wanted: set[int], topic: str) -> list[Feedback]:
    reader = exchange.feedback(PLAN, f"bad-{min(wanted)}")
    found: list[Feedback] = []
    async with asyncio.timeout(30), reader:
        async for fact in reader:
            if fact.is_refusal and fact.topic == topic and fact.offset in wanted:
                found.append(fact)
                if len(found) == len(wanted):
                    break
    return found


async def test_a_kafka_sender_hears_of_every_refusal_and_the_next_record_is_taken(
    exchange: RunningExchange,
) -> None:
    name = f"POISON-{datetime.now(UTC):%H%M%S%f}"
    topic, bad = topics.intake(PLAN), poisons(name)
    producer = AIOKafkaProducer(**exchange.kafka_login(PLAN).aiokafka(), acks="all")
    await producer.start()
    try:
        placed = {r: await producer.send_and_wait(topic, v, partition=0) for r, v in bad.items()}
    finally:
        await producer.stop()
    async with exchange.publisher(PLAN) as publisher:
        sent = await publisher.submit(submission(name))
    await routed(exchange, PLAN, sent.id)
    heard = await refusals(exchange, {p.offset for p in placed.values()}, topic)
    reasons = {f.offset: f.reason for f in heard}
    assert {r: reasons[p.offset] for r, p in placed.items()} == {r: r for r in bad}
    assert all(f.detail for f in heard)
    async with exchange.database() as database:
        rows = await database.fetch("select reason, value from dead_letter where topic = $1", topic)
    assert {r["reason"] for r in rows} >= set(bad)


async def test_an_unknown_need_code_is_kept_with_a_flag(exchange: RunningExchange) -> None:
    code = {"system": "urn:example:codes", "code": "XYZ-1", "display": "as the sender said"}
    sent = body(need={"domain": "food-insecurity", "code": code})
    async with exchange.http(CLINIC) as http:
        answer = await http.post("/v1/referrals", json=sent)
    assert answer.status_code == 202
    seen = await routed(exchange, CLINIC, answer.json()["id"])
    assert seen["need"]["code"] == code
    assert "unknown-need-code" in seen["flags"]
