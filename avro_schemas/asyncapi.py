"""The AsyncAPI 3.0 document of every topic, generated from topics.yaml, the .avsc files and referrals.events.

Comes in: nothing. Goes out: YAML as text. Must never name a server or an organization of an installation.
"""

import json
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import msgspec
import yaml

from avro_schemas import codec
from avro_schemas.topics import Topic, declared
from referrals import events

Json = dict[str, Any]
FACT = "ReferralFactData"
# Schemas whose `data` holds an event of referrals.events as JSON, or what became of it.
CARRIES_FACTS = ("referral_fact.v1", "feedback_given.v1")
INFO = """\
Topics of the Referral Exchange. Values are Avro with Confluent framing: one zero byte, the schema's id as four bytes,
big-endian (avro_schemas/ids.json), then the record. Keys are UTF-8 text. A participant writes `intake.{organization}`
and reads `feedback.{organization}`, and no other topic. `send` and `receive` are said from the exchange's side."""
HEADERS: Json = {
    "type": "object",
    "properties": {
        "event-id": {"type": "string", "format": "uuid", "description": "The record's event id."},
        "traceparent": {"type": "string", "description": "W3C trace context, optional."},
    },
}


def document() -> str:
    """The whole document."""
    topics = declared()
    whole: Json = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Referral Exchange",
            "version": metadata.version("referral-exchange"),
            "description": INFO,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/vnd.apache.avro",
        "servers": {"kafka": _server()},
        "channels": {_id(name): _channel(name, topic) for name, topic in topics.items()},
        "operations": dict(_operations(topics)),
        "components": {
            "messages": {name: _message(name) for name in codec.ids()},
            "schemas": _facts(),
            "securitySchemes": {"scram": {"type": "scramSha256", "description": "Each participant's own."}},
        },
    }
    return str(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=110))


def _server() -> Json:
    return {
        "host": "{host}:{port}",
        "protocol": "kafka-secure",
        "description": "The installation's broker.",
        "variables": {
            "host": {"default": "localhost", "description": "As the operator told you."},
            "port": {"default": "9094"},
        },
        "security": [{"$ref": "#/components/securitySchemes/scram"}],
    }


def _id(topic: str) -> str:
    return topic.replace(".*", "").replace(".", "-")


def _channel(name: str, topic: Topic) -> Json:
    channel: Json = {
        "address": name.replace("*", "{organization}"),
        "title": name,
        "description": f"{topic.description} Key: {topic.key}.",
        "messages": {schema: {"$ref": f"#/components/messages/{schema}"} for schema in topic.schemas},
        "bindings": {
            "kafka": {
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms},
            }
        },
        "x-producers": topic.producers,
        "x-consumers": topic.consumers,
    }
    if "*" in name:
        channel["parameters"] = {"organization": {"description": "The participant's id."}}
    return channel


def _operations(topics: dict[str, Topic]) -> Iterator[tuple[str, Json]]:
    for name, topic in topics.items():
        inside = [m for m in topic.producers if not m.startswith("producers.")]
        for action, modules in (("send", inside), ("receive", topic.consumers)):
            ours = [m for m in modules if not m.startswith("producers.")]
            if ours:
                what = "written" if action == "send" else "read"
                yield (
                    f"{action}-{_id(name)}",
                    {
                        "action": action,
                        "channel": {"$ref": f"#/channels/{_id(name)}"},
                        "summary": f"{name} is {what} by {', '.join(ours)}.",
                    },
                )


def _message(name: str) -> Json:
    schema = json.loads(codec.read_text(f"{name}.avsc"))
    message: Json = {
        "name": f"{schema['namespace']}.{schema['name']}",
        "title": name,
        "summary": schema["doc"],
        "contentType": "application/vnd.apache.avro",
        "headers": HEADERS,
        "payload": {"schemaFormat": "application/vnd.apache.avro+json;version=1.9.0", "schema": schema},
        "bindings": {
            "kafka": {
                "key": {"type": "string"},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
            }
        },
        "x-schema-id": codec.ids()[name],
    }
    if name in CARRIES_FACTS:
        message["x-data"] = {"$ref": f"#/components/schemas/{FACT}"}
    return message


def _facts() -> Json:
    """The JSON Schemas of what `data` holds in referral_fact.v1."""
    (whole,), parts = msgspec.json.schema_components(
        [events.Event], ref_template="#/components/schemas/{name}"
    )
    described = {FACT: {"description": "One fact, told apart by `type`."} | dict(whole), **parts}
    plain: Json = json.loads(msgspec.json.encode(described))
    return plain
