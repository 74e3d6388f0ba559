"""Every schema has an example; every example goes through the codec and through the step that reads its topic."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from avro_schemas import codec, topics
from producers import feedback
from producers.envelope import PLAIN
from referrals import events
from stream_processors.decode import Arrival, Poison, Raw, read

FOLDER = Path(__file__).with_name("examples")
NAMES = sorted(path.name.removesuffix(".json") for path in FOLDER.iterdir())
AT = datetime(2026, 6, 1, tzinfo=UTC)
READ_BY_THE_EXCHANGE = {
    schema
    for topic in topics.declared().values()
    if "stream_processors.exchange" in topic.consumers
    for schema in topic.schemas
}


def schema_of(name: str) -> str:
    """`feedback_given.v1.fact` is an example of feedback_given.v1."""
    return ".".join(name.split(".")[:2])


def example(name: str) -> tuple[str, dict[str, Any]]:
    """Topic and record; where the schema wants bytes, text stands for itself and anything else for its JSON."""
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    fields = json.loads(codec.read_text(f"{schema_of(name)}.avsc"))["fields"]
    record: dict[str, Any] = content["record"]
    for field in fields:
        if field["type"] == "bytes" and field["name"] in record:
            value = record[field["name"]]
            plain = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
            record[field["name"]] = PLAIN + plain if field["name"] == "sealed" else plain
    return content["topic"], record


def encoded(name: str) -> bytes:
    return codec.encode(schema_of(name), example(name)[1])


def test_every_schema_has_an_example_and_every_example_a_schema() -> None:
    assert {schema_of(name) for name in NAMES} == set(codec.ids())


@pytest.mark.parametrize("name", NAMES)
def test_an_example_comes_back_as_it_was(name: str) -> None:
    topic, record = example(name)
    schema, found = codec.decode(encoded(name))
    assert schema == schema_of(name)
    assert found == codec.defaults(schema) | record
    pattern = topic if topic in topics.declared() else f"{topic.partition('.')[0]}.*"
    assert schema in topics.declared()[pattern].schemas


@pytest.mark.parametrize("name", [name for name in NAMES if schema_of(name) in READ_BY_THE_EXCHANGE])
def test_an_example_arrives_at_the_exchange(name: str) -> None:
    topic, record = example(name)
    found = read(Raw(topic, 0, 7, b"key", encoded(name), AT))
    assert isinstance(found, Arrival), found
    assert str(found.envelope.event_id) == record["event_id"]
    assert found.envelope.organization == record.get("organization", "exchange")
    assert str(found.stream_id) in record.values()


def test_the_exchange_reads_most_schemas() -> None:
    assert len(READ_BY_THE_EXCHANGE) >= 15


@pytest.mark.parametrize("name", [name for name in NAMES if schema_of(name) == "feedback_given.v1"])
def test_a_sender_reads_its_feedback(name: str) -> None:
    found = feedback.read(encoded(name))
    assert found.referral_id == example(name)[1]["referral_id"]
    assert found.is_refusal == (not name.endswith(".fact"))


def test_the_data_of_a_fact_is_an_event() -> None:
    _, record = codec.decode(encoded("referral_fact.v1"))
    event = msgspec.json.decode(record["data"], type=events.Event)
    assert events.type_of(event) == record["type"]


def test_what_is_synthetic_says_so() -> None:
    for name in NAMES:
        text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
        assert '"family_name":' not in text or "-Test" in text, name


STRANGE: dict[str, list[Any]] = {
    "string": ["", "\0", "é" * 500, "NaN"],
    "bytes": [
        b"",
        b"\1x",
        b"null",
        b"\0[]",
        b"\0\xff",
        b"\xff",
        b"1e999",
        b'\0{"need":1}',
        b'{"units":1e400}',
    ],
    "int": [-1, 2**31 - 1],
    "long": [2**63 - 1, -(2**63), 2**55, 10**16, -62135596800001],
    "double": [float("nan"), float("inf")],
}


@pytest.mark.parametrize("name", [name for name in NAMES if schema_of(name) in READ_BY_THE_EXCHANGE])
def test_one_strange_field_never_breaks_the_step(name: str) -> None:
    topic, record = example(name)
    schema = schema_of(name)
    for field in json.loads(codec.read_text(f"{schema}.avsc"))["fields"]:
        for value in STRANGE[field["type"]]:
            raw = Raw(topic, 0, 7, None, codec.encode(schema, record | {field["name"]: value}), AT)
            assert isinstance(read(raw), Arrival | Poison), (field["name"], value)
