"""How every part connects to Kafka: one set of options from the settings, for aiokafka and for confluent-kafka.

Must never be given a participant's body; only addresses and credentials live here.
"""

import ssl
from typing import Any

from aiokafka.helpers import create_ssl_context
from msgspec import Struct

from infra.settings import Settings


class KafkaLogin(Struct, frozen=True, kw_only=True):
    """Where a broker is and who we are to it."""

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-256"
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None

    def aiokafka(self) -> dict[str, Any]:
        """Keyword arguments of an aiokafka client."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = self._ssl()
        return options

    def confluent(self) -> dict[str, Any]:
        """The configuration of a confluent-kafka client (used for administration alone)."""
        options: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security_protocol.lower(),
        }
        if self.security_protocol.startswith("SASL"):
            options |= {
                "sasl.mechanisms": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        if self.ca_file:
            options["ssl.ca.location"] = self.ca_file
        return options

    def _ssl(self) -> ssl.SSLContext:
        context: ssl.SSLContext = create_ssl_context(cafile=self.ca_file)
        return context


def login(settings: Settings) -> KafkaLogin:
    """The login of this process; raises ValueError with what to set when there is none."""
    if not settings.kafka_bootstrap:
        raise ValueError("no Kafka is configured; set REFEX_KAFKA_BOOTSTRAP, or run `refex up`")
    return KafkaLogin(
        bootstrap=settings.kafka_bootstrap,
        security_protocol=settings.kafka_security_protocol,
        mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=settings.kafka_password,
        ca_file=settings.kafka_ca_file,
    )
