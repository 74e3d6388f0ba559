"""topics.yaml as data, and the names of topics that belong to an organization."""

from functools import cache

import msgspec
import yaml
from msgspec import Struct

from avro_schemas.codec import read_text

INTAKE_API = "intake.api"
RESPONSE = "referral.response"
COVERAGE = "coverage.change"
CONSENT = "consent.change"
PERSON = "person.change"
DIRECTORY = "directory.change"
TIMER = "referral.timer"
REFERRAL_EVENT = "referral.event"
EXCHANGE_EVENT = "exchange.event"
DEAD_LETTER = "dead-letter"
LARGEST_TOLD = 4 * 1024 * 1024
"""Bytes of a record that the exchange publishes: what a sender may send (1 MiB), told twice over in our own words."""


class Topic(Struct, frozen=True):
    """One declared topic; a name ending in `.*` stands for one per organization."""

    description: str
    key: str
    schemas: list[str]
    producers: list[str]
    consumers: list[str]
    retention_ms: int


@cache
def declared() -> dict[str, Topic]:
    """Every topic of topics.yaml by name."""
    return msgspec.convert(yaml.safe_load(read_text("topics.yaml")), dict[str, Topic])


def shared() -> list[str]:
    """The topics that exist once."""
    return [name for name in declared() if not name.endswith(".*")]


def intake(organization: str) -> str:
    """The topic that organization alone may write."""
    return f"intake.{organization}"


def feedback(organization: str) -> str:
    """The topic that organization alone may read."""
    return f"feedback.{organization}"


def sender_of(topic: str) -> str | None:
    """The organization whose intake topic this is; None for the exchange's own topics."""
    prefix, _, organization = topic.partition(".")
    return organization if prefix == "intake" and topic != INTAKE_API else None


def consumed() -> tuple[str, ...]:
    """The shared topics the exchange step reads."""
    return tuple(
        n for n, t in declared().items() if "stream_processors.exchange" in t.consumers and "*" not in n
    )
