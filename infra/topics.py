"""Declares the topics of topics.yaml, and each organization's own, on a broker; says what is there.

Comes in: an administrator's login. Goes out: what was created. Adds nothing twice; must never delete a topic or
change a partition count (lanes and offsets depend on it).
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaException, TopicPartition, admin
from msgspec import Struct

from avro_schemas import topics
from infra.kafka import KafkaLogin

kafka: Any = admin  # its type hints are incomplete
RELAY = "stream_processors.relay"
TIMEOUT_S = 20.0
PROBE_S = 3.0


class TopicsError(RuntimeError):
    """The broker's topics are not what they must be, or it does not answer; the message says what to do."""


class TopicState(Struct, frozen=True):
    """One topic as it is: its first and next offsets by partition."""

    name: str
    partitions: int
    start_offsets: list[int]
    end_offsets: list[int]


async def apply(login: KafkaLogin, partitions: int, organizations: Iterable[str] = ()) -> list[str]:
    """Create what is missing, mend what differs; returns the names created. Raises TopicsError."""
    return await asyncio.to_thread(_apply, login, partitions, wanted(organizations))


async def listing(login: KafkaLogin) -> list[TopicState]:
    """Every topic of ours on the broker with its offsets. Raises TopicsError."""
    return await asyncio.to_thread(_listing, login)


def administrator(login: KafkaLogin) -> Any:
    """An administration client that says what is wrong by exceptions alone, not on stderr too."""
    return kafka.AdminClient({**login.confluent(), "log_level": 2, "client.id": "refex-admin"})


async def consuming(login: KafkaLogin, group: str) -> int:
    """How many members of a consumer group have partitions; 0 while it is still forming."""
    return await asyncio.to_thread(_consuming, login, group)


def _consuming(login: KafkaLogin, group: str) -> int:
    broker = administrator(login)  # its futures never come once it is collected
    try:
        found = broker.describe_consumer_groups([group], request_timeout=PROBE_S)[group].result(PROBE_S)
    except (KafkaException, TimeoutError):  # the broker looks for a coordinator first
        return 0
    if found.state.name != "STABLE":
        return 0
    return sum(1 for m in found.members if m.assignment and m.assignment.topic_partitions)


def wanted(organizations: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """Topic name -> its settings: the shared topics, then intake and feedback of each organization."""
    declared = topics.declared()
    names = {name: declared[name] for name in topics.shared()}
    for organization in organizations:
        names[topics.intake(organization)] = declared["intake.*"]
        names[topics.feedback(organization)] = declared["feedback.*"]
    return {
        name: {
            "cleanup.policy": "delete",
            "message.timestamp.type": "LogAppendTime",
            "retention.ms": str(topic.retention_ms),
        }
        | ({"max.message.bytes": str(topics.LARGEST_TOLD)} if RELAY in topic.producers else {})
        for name, topic in names.items()
    }


def is_ours(name: str) -> bool:
    """Whether a topic belongs to the exchange."""
    return name in topics.shared() or name.startswith(("intake.", "feedback."))


def _apply(login: KafkaLogin, partitions: int, settings: Mapping[str, Mapping[str, str]]) -> list[str]:
    broker = administrator(login)
    there = partition_counts(broker)
    for name in settings:
        if there.get(name, partitions) != partitions:
            raise TopicsError(
                f"topic {name} has {there[name]} partitions, not {partitions}; every topic needs the same count: "
                f"set REFEX_PARTITIONS={there[name]}, or start on an empty broker"
            )
    missing = [name for name in settings if name not in there]
    _create(broker, partitions, {name: settings[name] for name in missing})
    _mend(broker, {name: settings[name] for name in settings if name in there})
    return missing


def _create(broker: Any, partitions: int, settings: Mapping[str, Mapping[str, str]]) -> None:
    if not settings:
        return
    new = [kafka.NewTopic(name, partitions, -1, config=dict(config)) for name, config in settings.items()]
    for name, future in broker.create_topics(new, operation_timeout=TIMEOUT_S).items():
        try:
            future.result(TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":  # another process was faster
                raise TopicsError(f"topic {name} could not be created: {error.args[0].str()}") from error


def _mend(broker: Any, settings: Mapping[str, Mapping[str, str]]) -> None:
    """Set again what somebody changed by hand; reads first, so that nothing is written when all is well."""
    if not settings:
        return
    asked = [kafka.ConfigResource(kafka.ResourceType.TOPIC, name) for name in settings]
    changes = []
    for resource, future in broker.describe_configs(asked, request_timeout=TIMEOUT_S).items():
        now = future.result(TIMEOUT_S)
        differing = [
            kafka.ConfigEntry(key, value, incremental_operation=kafka.AlterConfigOpType.SET)
            for key, value in settings[resource.name].items()
            if now[key].value != value
        ]
        if differing:
            changes.append(
                kafka.ConfigResource(kafka.ResourceType.TOPIC, resource.name, incremental_configs=differing)
            )
    if changes:
        for future in broker.incremental_alter_configs(changes, request_timeout=TIMEOUT_S).values():
            future.result(TIMEOUT_S)


def partition_counts(broker: Any, timeout_s: float = TIMEOUT_S) -> dict[str, int]:
    """Every topic the administrator may see, with its number of partitions; blocking. Raises TopicsError."""
    try:
        metadata = broker.list_topics(timeout=timeout_s)
    except KafkaException as error:
        raise TopicsError(f"Kafka does not answer: {error.args[0].str()}; is it running?") from error
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def _listing(login: KafkaLogin) -> list[TopicState]:
    broker = administrator(login)
    counts = {name: count for name, count in partition_counts(broker).items() if is_ours(name)}
    places = [TopicPartition(name, p) for name, count in sorted(counts.items()) for p in range(count)]
    first = _offsets(broker, places, kafka.OffsetSpec.earliest())
    last = _offsets(broker, places, kafka.OffsetSpec.latest())
    return [
        TopicState(name, n, [first[name, p] for p in range(n)], [last[name, p] for p in range(n)])
        for name, n in sorted(counts.items())
    ]


def _offsets(
    broker: Any, places: list[TopicPartition], which: kafka.OffsetSpec
) -> dict[tuple[str, int], int]:
    if not places:
        return {}
    futures = broker.list_offsets(dict.fromkeys(places, which), request_timeout=TIMEOUT_S)
    return {(at.topic, at.partition): future.result(TIMEOUT_S).offset for at, future in futures.items()}
