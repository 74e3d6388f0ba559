"""What a contestant is told, by its environment: where Kafka and Postgres are, which topic, when it is done."""

import os

from msgspec import Struct, convert

from infra.kafka import KafkaLogin


class Task(Struct, frozen=True):
    """One run; `records` in all partitions together, after which the contestant ends."""

    bootstrap: str
    username: str
    password: str
    dsn: str
    topic: str
    group: str
    records: int

    @property
    def login(self) -> KafkaLogin:
        """The broker's administrator."""
        return KafkaLogin(
            bootstrap=self.bootstrap,
            security_protocol="SASL_PLAINTEXT",
            username=self.username,
            password=self.password,
        )

    def environment(self) -> dict[str, str]:
        """As the contestant reads it."""
        return {f"BENCH_{f.upper()}": str(getattr(self, f)) for f in self.__struct_fields__}


def task() -> Task:
    """The run this process was started for."""
    fields = {f: os.environ[f"BENCH_{f.upper()}"] for f in Task.__struct_fields__}
    return convert(fields, Task, strict=False)
