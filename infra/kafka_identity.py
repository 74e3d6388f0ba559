"""Which cluster and which topics these are: ids that change when a topic is recreated, and partition counts.

Comes in: a login and topic names. Goes out: ids as text, counts. aiokafka does not tell, confluent-kafka does.
"""

from collections.abc import Collection
from typing import NamedTuple

from confluent_kafka import TopicCollection

from infra import topics
from infra.kafka import KafkaLogin
from infra.topics import administrator


class Identity(NamedTuple):
    """The cluster's id and each topic's id."""

    cluster: str
    topics: dict[str, str]


def identity(login: KafkaLogin, names: Collection[str], timeout_s: float = 10.0) -> Identity:
    """Ask the broker; blocking, so call it in a thread. Raises OSError when the broker does not answer."""
    admin = administrator(login)
    try:
        cluster = admin.describe_cluster(request_timeout=timeout_s).result(timeout_s)
        described = admin.describe_topics(TopicCollection(list(names)), request_timeout=timeout_s)
        found = {name: str(future.result(timeout_s).topic_id) for name, future in described.items()}
    except Exception as error:
        raise OSError(f"the broker does not tell its ids: {error}") from error
    return Identity(str(cluster.cluster_id), found)


def partition_counts(login: KafkaLogin) -> dict[str, int]:
    """Every topic this login may see, with its number of partitions; blocking, raises OSError."""
    try:
        return topics.partition_counts(administrator(login), timeout_s=10.0)
    except topics.TopicsError as error:
        raise OSError(str(error)) from error
