"""A clinic's Kafka log-in reaches its own topics alone, and its token its own referrals alone."""

import asyncio
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from avro_schemas import topics
from tests.e2e.test_journey import submission
from tests.support.running import RunningExchange

pytestmark = pytest.mark.real
CLINIC, OTHER = "riverside-clinic", "lakeview-health"


@pytest.mark.parametrize(
    "topic",
    [
        topics.intake(OTHER),
        topics.INTAKE_API,
        topics.RESPONSE,
        topics.REFERRAL_EVENT,
        topics.feedback(CLINIC),
    ],
)
async def test_a_clinic_cannot_write_what_is_not_its_intake(exchange: RunningExchange, topic: str) -> None:
    producer = AIOKafkaProducer(
        **exchange.kafka_login(CLINIC).aiokafka(), acks="all", request_timeout_ms=5000
    )
    await producer.start()
    try:
        with pytest.raises(TopicAuthorizationFailedError):
            async with asyncio.timeout(10):
                await producer.send_and_wait(topic, b"forged", partition=0)
    finally:
        await producer.stop()


@pytest.mark.parametrize(
    "topic", [topics.feedback(OTHER), topics.intake(OTHER), topics.intake(CLINIC), topics.REFERRAL_EVENT]
)
def test_a_clinic_cannot_read_what_is_not_its_feedback(exchange: RunningExchange, topic: str) -> None:
    options = exchange.kafka_login(CLINIC).confluent() | {"group.id": f"feedback.{CLINIC}.t"}
    consumer = Consumer(options)
    try:
        error = consumer.list_topics(topic, timeout=10).topics[topic].error
        if error is None:  # it may be described, so it must be the read that is refused
            consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
            message = consumer.poll(10)
            assert message is not None, "nothing came, not even a refusal"
            error = message.error()
        assert error is not None and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    finally:
        consumer.close()


async def test_another_clinics_referral_is_the_same_404_as_none(exchange: RunningExchange) -> None:
    async with exchange.http(CLINIC) as http:
        made = await http.post("/v1/referrals", json=submission(f"MINE-{datetime.now(UTC):%H%M%S%f}"))
    path = made.headers["location"]
    nothing = "/v1/referrals/00000000-0000-4000-8000-000000000000"
    async with exchange.http(OTHER) as http:
        for suffix in ("", "/events", "/routing"):
            foreign, missing = await http.get(path + suffix), await http.get(nothing + suffix)
            assert foreign.status_code == missing.status_code == 404
            ours, theirs = foreign.json(), missing.json()
            for problem in (ours, theirs):
                problem.pop("instance", None)
                problem.pop("request_id", None)
            assert ours == theirs
        answer = await http.post(f"{path}/cancel", json={"reason": "client-withdrew"})
        assert answer.status_code == 404
    async with exchange.http() as http:
        assert (await http.get(path)).status_code == 401
