"""Small pieces for tests of the engine alone: a broker's administrator as a login, a topic."""

from confluent_kafka import admin as kafka

from infra.embedded.kafka import EmbeddedKafka
from infra.kafka import KafkaLogin


def login_of(kafka: EmbeddedKafka) -> KafkaLogin:
    """The administrator's login."""
    return KafkaLogin(
        bootstrap=kafka.bootstrap,
        security_protocol=kafka.security_protocol,
        mechanism=kafka.sasl_mechanism,
        username=kafka.admin_username,
        password=kafka.admin_password,
    )


def make_topic(admin: kafka.AdminClient, name: str, partitions: int) -> None:
    """One topic; returns when the broker has it."""
    for made in admin.create_topics([kafka.NewTopic(name, partitions, 1)]).values():
        made.result(30)
