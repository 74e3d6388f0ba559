"""Bytes to records and back: Confluent framing, ids pinned in ids.json, our own reader schemas only.

Comes in: a record's value. Goes out: (schema name, dict). Must never fetch or follow a sender's schema.
"""

import json
import struct
from collections.abc import Mapping
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Any, Final

import fastavro

MAX_BYTES: Final = 1_048_576
_HEADER = struct.Struct(">bI")


class CodecError(ValueError):
    """Bytes that are no record of ours; `reason` is a code of referrals.errors, the text says what to do."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_text(name: str) -> str:
    """A file of this package as text."""
    return resources.files("avro_schemas").joinpath(name).read_text(encoding="utf-8")


@cache
def ids() -> dict[str, int]:
    """Schema name (`referral_submitted.v1`) -> the id on the wire; append-only."""
    pinned: dict[str, int] = json.loads(read_text("ids.json"))
    return pinned


_registered: dict[str, int] = {}


def use_ids(registered: Mapping[str, int]) -> None:
    """Write these ids instead of the pinned ones (registry.py); pinned ids they leave free stay readable."""
    _registered.clear()
    _registered.update(registered)
    _by_id.cache_clear()


@cache
def _by_id() -> dict[int, tuple[str, Any]]:
    both = [*ids().items(), *_registered.items()]
    return {number: (name, schema(name)) for name, number in both}


@cache
def schema(name: str) -> Any:
    """The parsed schema of that name."""
    return fastavro.parse_schema(json.loads(read_text(f"{name}.avsc")))


@cache
def defaults(name: str) -> dict[str, Any]:
    """The declared defaults of a schema's fields, bytes as bytes."""
    fields = json.loads(read_text(f"{name}.avsc"))["fields"]
    return {
        f["name"]: f["default"].encode() if f["type"] == "bytes" else f["default"]
        for f in fields
        if "default" in f
    }


def encode(name: str, record: dict[str, Any]) -> bytes:
    """One record as framed Avro bytes; raises ValueError or TypeError when it does not fit its schema."""
    out = BytesIO()
    out.write(_HEADER.pack(0, _registered.get(name) or ids()[name]))
    fastavro.schemaless_writer(out, schema(name), defaults(name) | record, strict=True)
    return out.getvalue()


def decode(value: bytes | None, at_most: int = MAX_BYTES) -> tuple[str, dict[str, Any]]:
    """(schema name, record) of framed bytes; raises CodecError for anything else.

    What the exchange itself tells may be larger than what it takes: read its topics with topics.LARGEST_TOLD.
    """
    if value is None or len(value) < _HEADER.size:
        raise CodecError(
            "undecodable", "the value is empty or shorter than its 5-byte header; send framed Avro"
        )
    if len(value) > at_most:
        raise CodecError("too-large", f"the value has {len(value)} bytes; at most {at_most} are read")
    magic, number = _HEADER.unpack_from(value)
    if magic != 0:
        raise CodecError("undecodable", "the first byte is not 0; send Confluent-framed Avro")
    known = _by_id().get(number)
    if known is None:
        raise CodecError("unknown-schema", f"schema id {number} is not one of avro_schemas/ids.json")
    name, parsed = known
    body = BytesIO(value)
    body.seek(_HEADER.size)
    try:
        record: Any = fastavro.schemaless_reader(body, parsed, None)
    except Exception as error:  # fastavro raises many kinds; all of them mean the sender's bytes are wrong
        raise CodecError(
            "undecodable", f"not a {name} record ({type(error).__name__}); encode it anew"
        ) from None
    if body.tell() != len(value):
        raise CodecError("undecodable", f"bytes are left over after the {name} record; encode it anew")
    return name, record
