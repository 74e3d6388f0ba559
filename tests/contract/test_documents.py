"""The generated documents: whole, and the same as those committed."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from avro_schemas import asyncapi, codec, topics
from docs import generate
from referrals import events

DOCUMENT: dict[str, Any] = yaml.safe_load(asyncapi.document())
FLOW = generate.flow()


@pytest.mark.parametrize("name", sorted(generate.DOCUMENTS))
def test_the_committed_file_is_up_to_date(name: str) -> None:
    committed = Path(generate.__file__).with_name(name).read_text(encoding="utf-8")
    assert committed == generate.DOCUMENTS[name](), "run `make docs`"


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [r for part in value.values() for r in references(part)]
    return [r for part in value for r in references(part)] if isinstance(value, list) else []


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert len(found) > 50
    for reference in found:
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_the_asyncapi_document_names_every_topic_and_schema() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    channels = DOCUMENT["channels"].values()
    assert {c["title"] for c in channels} == set(topics.declared())
    assert all("{organization}" in c["address"] for c in channels if "*" in c["title"])
    assert DOCUMENT["components"]["messages"].keys() == codec.ids().keys()
    for name, message in DOCUMENT["components"]["messages"].items():
        assert message["payload"]["schema"] == json.loads(codec.read_text(f"{name}.avsc"))
        assert message["x-schema-id"] == codec.ids()[name]


def test_every_topic_is_sent_or_received_by_the_exchange() -> None:
    used = {operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values()}
    assert used == {f"#/channels/{channel}" for channel in DOCUMENT["channels"]}
    assert {o["action"] for o in DOCUMENT["operations"].values()} == {"send", "receive"}


def test_every_event_type_has_its_json_schema() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    told_apart = schemas[asyncapi.FACT]["discriminator"]["mapping"]
    assert told_apart.keys() == {kind.__struct_config__.tag for kind in events.Event.__args__}
    for reference in told_apart.values():
        assert reference.rpartition("/")[2] in schemas
    msgspec.json.encode(schemas)


def test_the_flow_shows_every_topic_and_module() -> None:
    for name, topic in topics.declared().items():
        assert f'[["{name}"]]' in FLOW
        for module in (*topic.producers, *topic.consumers):
            assert f'("{module}")' in FLOW
