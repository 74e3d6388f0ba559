"""Small pieces for tests of the engine alone: a broker's administrator as a login, a topic."""

from infra.embedded.kafka import EmbeddedKafka
from infra.kafka import KafkaLogin
from infra.topics import administrator, kafka
from tests.support.logins import administrators


def login_of(broker: EmbeddedKafka) -> KafkaLogin:
    """The administrator's login."""
    return administrators(broker.bootstrap, broker.admin_username, broker.admin_password)


def make_topic(login: KafkaLogin, name: str, partitions: int) -> None:
    """One topic; returns when the broker has it."""
    admin = administrator(login)  # held until it has answered
    for made in admin.create_topics([kafka.NewTopic(name, partitions, 1)]).values():
        made.result(30)
