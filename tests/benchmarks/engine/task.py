"""What a contestant is told, by its environment: where Kafka and Postgres are, which topic, when it is done."""

import json
import os
from importlib import resources
from urllib.parse import urlsplit

from msgspec import Struct, convert

from infra.kafka import KafkaLogin
from tests.benchmarks.engine.workload import FIELDS
from tests.support.logins import administrators


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
        return administrators(self.bootstrap, self.username, self.password)

    def environment(self) -> dict[str, str]:
        """As the contestant reads it; what only Java's libraries want to have said apart comes last."""
        at = urlsplit(self.dsn)
        return {f"BENCH_{f.upper()}": str(getattr(self, f)) for f in self.__struct_fields__} | {
            "BENCH_JDBC": f"jdbc:postgresql://{at.hostname}:{at.port}{at.path}",
            "BENCH_PGUSER": at.username or "",
            "BENCH_PGPASSWORD": at.password or "",
            "BENCH_SQL": str(resources.files("tests.benchmarks.engine") / "write.sql"),
            "BENCH_SCHEMA": json.dumps({"type": "record", "name": "BenchEvent", "fields": FIELDS}),
        }


def task() -> Task:
    """The run this process was started for."""
    fields = {f: os.environ[f"BENCH_{f.upper()}"] for f in Task.__struct_fields__}
    return convert(fields, Task, strict=False)
