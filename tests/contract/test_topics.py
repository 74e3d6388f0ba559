"""topics.yaml: schemas that exist, modules that exist, every schema carried, every topic written and read."""

import importlib.util

import pytest

from avro_schemas import codec, topics
from infra import kafka_access
from infra.topics import RELAY, wanted


def modules() -> set[str]:
    return {m for topic in topics.declared().values() for m in (*topic.producers, *topic.consumers)}


@pytest.mark.parametrize("name", list(topics.declared()))
def test_a_topic_is_whole(name: str) -> None:
    topic = topics.declared()[name]
    assert topic.description.endswith(".") and topic.key
    assert topic.producers and topic.consumers
    assert topic.schemas and set(topic.schemas) <= set(codec.ids())
    assert topic.retention_ms == -1 or topic.retention_ms >= 7 * 86_400_000


def test_every_schema_is_carried_by_a_topic() -> None:
    assert {s for topic in topics.declared().values() for s in topic.schemas} == set(codec.ids())


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_producer_or_consumer_is_a_module_of_ours(module: str) -> None:
    assert importlib.util.find_spec(module) is not None


def test_each_of_our_logins_may_write_what_its_modules_produce() -> None:
    """The broker's ACLs follow topics.yaml; an administrator's commands need none."""
    login = {"api": "refex-api", "stream_processors": "refex-worker"}
    grants = kafka_access.internal_grants()
    for name, topic in topics.declared().items():
        for module in topic.producers:
            part = module.partition(".")[0]
            if part in login:
                may = {g.name for g in grants[login[part]] if g.what == "topic" and g.operation == "write"}
                assert name in may, f"{login[part]} cannot write {name}"


def test_each_of_our_logins_may_read_what_its_modules_consume() -> None:
    may = {g.name for g in kafka_access.internal_grants()["refex-worker"] if g.operation == "read"}
    for name, topic in topics.declared().items():
        if any(module.startswith("stream_processors.") for module in topic.consumers):
            assert name in may, f"refex-worker cannot read {name}"


def test_a_participant_may_write_and_read_its_own_two_topics_alone() -> None:
    granted = [g for g in kafka_access.participant_grants("bay-clinic") if g.what == "topic"]
    assert {(g.name, g.operation) for g in granted if g.operation != "describe"} == {
        ("intake.bay-clinic", "write"),
        ("feedback.bay-clinic", "read"),
    }


def test_the_names_in_code_are_declared() -> None:
    said = {value for name, value in vars(topics).items() if name.isupper() and isinstance(value, str)}
    assert said == set(topics.shared())


def test_a_topic_the_relay_writes_takes_what_it_may_have_to_tell() -> None:
    settings = wanted(["clinic"])
    told = [n for n, t in topics.declared().items() if RELAY in t.producers]
    assert topics.DEAD_LETTER in told and topics.REFERRAL_EVENT in told
    for name in told:
        assert int(settings[name.replace("*", "clinic")]["max.message.bytes"]) > 3 * codec.MAX_BYTES
