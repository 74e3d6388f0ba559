"""Which cluster and which topics these are: ids that change when a topic is recreated.

Comes in: a login and topic names. Goes out: ids as text. aiokafka does not tell them, confluent-kafka does.
"""

from collections.abc import Collection
from typing import NamedTuple

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

from infra.kafka import KafkaLogin


class Identity(NamedTuple):
    """The cluster's id and each topic's id."""

    cluster: str
    topics: dict[str, str]


def identity(login: KafkaLogin, topics: Collection[str], timeout_s: float = 10.0) -> Identity:
    """Ask the broker; blocking, so call it in a thread. Raises OSError when the broker does not answer."""
    admin = AdminClient(login.confluent())
    try:
        cluster = admin.describe_cluster(request_timeout=timeout_s).result(timeout_s)
        described = admin.describe_topics(TopicCollection(list(topics)), request_timeout=timeout_s)
        found = {name: str(future.result(timeout_s).topic_id) for name, future in described.items()}
    except Exception as error:
        raise OSError(f"the broker does not tell its ids: {error}") from error
    return Identity(str(cluster.cluster_id), found)
