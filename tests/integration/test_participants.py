"""A participant's Kafka login reaches its own two topics and nothing else; keys can be changed."""

import asyncio
import json
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from confluent_kafka import Consumer

from avro_schemas import topics
from infra import participants
from infra import topics as declared
from infra.kafka import KafkaLogin
from infra.participants import ParticipantError
from producers.envelope import Record
from producers.producer import NotPermitted, RecordProducer
from referrals import ids
from referrals.words import OrganizationType
from tests.support.command import refex
from tests.support.running import RunningExchange

pytestmark = pytest.mark.real
ME, OTHER = "riverside-clinic", "lakeview-health"


def record(topic: str) -> Record:
    event = ids.event_id(ME, "test")
    return Record(topic, str(event).encode(), ids.lane(event), b"not avro", event)


def read(login: KafkaLogin, topic: str, group: str) -> str | None:
    """Try to read a topic in a group; the name of the broker's refusal, None when it let us."""
    consumer = Consumer({**login.confluent(), "group.id": group, "log_level": 0, "enable.auto.commit": False})
    try:
        consumer.subscribe([topic])
        polls = 50
        while polls:
            polls -= 1
            message = consumer.poll(0.2)
            error = message.error() if message is not None else None
            if error is not None:
                return str(error.name())
            if message is not None:
                return None
            if consumer.assignment():
                polls = min(polls, 10)  # let in: a refusal to read would come now
        return None if consumer.assignment() else "SILENCE"
    finally:
        consumer.close()


@pytest.mark.parametrize(
    "topic",
    [topics.intake(OTHER), topics.feedback(ME), topics.INTAKE_API, topics.DIRECTORY, topics.REFERRAL_EVENT],
)
async def test_a_clinic_writes_no_topic_but_its_own(exchange: RunningExchange, topic: str) -> None:
    async with RecordProducer(exchange.kafka_login(ME)) as producer:
        with pytest.raises(NotPermitted):
            await producer.send([record(topic)])


@pytest.mark.parametrize(
    "topic",
    [
        topics.feedback(OTHER),
        topics.REFERRAL_EVENT,
        topics.DEAD_LETTER,
        topics.intake(OTHER),
        topics.intake(ME),
    ],
)
async def test_a_clinic_reads_no_topic_but_its_feedback(exchange: RunningExchange, topic: str) -> None:
    refusal = await asyncio.to_thread(read, exchange.kafka_login(ME), topic, f"feedback.{ME}.test")
    assert refusal == "TOPIC_AUTHORIZATION_FAILED"


async def test_a_clinic_reads_its_feedback_in_its_own_group(exchange: RunningExchange) -> None:
    group = f"feedback.{ME}.test"
    assert await asyncio.to_thread(read, exchange.kafka_login(ME), topics.feedback(ME), group) is None


@pytest.mark.parametrize("group", [f"feedback.{OTHER}.x", "refex-exchange", f"feedback.{ME}x", "anything"])
async def test_a_clinic_joins_no_foreign_group(exchange: RunningExchange, group: str) -> None:
    refusal = await asyncio.to_thread(read, exchange.kafka_login(ME), topics.feedback(ME), group)
    assert refusal == "GROUP_AUTHORIZATION_FAILED"


async def test_a_clinic_makes_no_topic(exchange: RunningExchange) -> None:
    admin = AIOKafkaAdminClient(**exchange.kafka_login(ME).aiokafka())
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(f"intake.{ME}-2", 1, 1)])
        assert all(row[1] != 0 for row in answer.topic_errors)
    finally:
        await admin.close()


async def test_a_wrong_password_gets_in_nowhere(exchange: RunningExchange) -> None:
    login = exchange.kafka_login(ME)
    wrong = KafkaLogin(
        bootstrap=login.bootstrap,
        security_protocol=login.security_protocol,
        username=login.username,
        password="wrong",
    )
    refusal = await asyncio.to_thread(read, wrong, topics.feedback(ME), f"feedback.{ME}.test")
    assert refusal in ("_AUTHENTICATION", "_ALL_BROKERS_DOWN", "SILENCE")


def demo(exchange: RunningExchange) -> list[dict[str, Any]]:
    """The organizations of the demo, without those that other tests have added."""
    return [o for o in exchange.organizations if o["id"] not in exchange.joined]


def test_who_is_there_is_what_the_interfaces_promise(exchange: RunningExchange) -> None:
    kinds = {o["id"]: o["type"] for o in exchange.organizations}
    for id, kind in {
        ME: "clinic",
        OTHER: "clinic",
        "golden-health-plan": "mco",
        "valley-care-plan": "mco",
        "county-hub": "hub",
        "state-health-office": "state",
        "exchange-operator": "operator",
        "harvest-food-bank": "cbo",
    }.items():
        assert kinds[id] == kind
    for organization in demo(exchange):
        assert (organization["kafka"] is not None) == (organization["type"] in ("clinic", "mco", "platform"))
        assert organization["clients"][0]["client_secret"] and organization["clients"][0]["scope"]
        assert organization["users"][0]["password"]


async def test_secrets_are_stored_as_hashes(exchange: RunningExchange) -> None:
    async with exchange.database() as connection:
        stored = await connection.fetch(
            "select secret_hash from client union all select password_hash from app_user"
        )
    text = json.dumps([r[0] for r in stored])
    for organization in demo(exchange):
        assert organization["clients"][0]["client_secret"] not in text
        assert organization["users"][0]["password"] not in text


async def test_an_organization_is_added_and_rotated(exchange: RunningExchange) -> None:
    added = await refex(
        exchange, "participant", "add", "bay-clinic", "--type", "clinic", "--name", "Bay", "--json"
    )
    first = json.loads(added.stdout)
    assert added.code == 0
    listed = await refex(exchange, "participant", "list", "--json")
    assert "bay-clinic" in [row["id"] for row in json.loads(listed.stdout)["items"]]
    again = await refex(exchange, "participant", "add", "bay-clinic", "--type", "clinic", "--name", "Bay")
    assert again.code == 1 and "rotate-key" in again.stderr

    rotated = json.loads((await refex(exchange, "participant", "rotate-key", "bay-clinic", "--json")).stdout)
    assert rotated["kafka"]["password"] != first["kafka"]["password"]
    assert rotated["clients"][0]["client_secret"] != first["clients"][0]["client_secret"]
    published = await refex(exchange, "publish", "producers/examples/referral.json", "--as", "bay-clinic")
    assert published.code == 0, published.stderr


async def test_topics_are_declared_once(exchange: RunningExchange) -> None:
    admin = exchange.kafka_login()
    assert await declared.apply(admin, 8, [ME, OTHER]) == []
    with pytest.raises(declared.TopicsError, match="REFEX_PARTITIONS=8"):
        await declared.apply(admin, 16)
    there = {t.name: t for t in await declared.listing(admin)}
    assert set(topics.shared()) <= set(there)
    assert sum(there[topics.DIRECTORY].end_offsets) > 0


@pytest.mark.parametrize("id", ["api", "refex-x", "UPPER", "a", "with.dot", "-x-", "admin"])
def test_ids_that_would_reach_other_topics_are_refused(id: str) -> None:
    with pytest.raises(ParticipantError):
        participants.draft(id, "X", OrganizationType.CLINIC)
