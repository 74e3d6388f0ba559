"""Whatever bytes come: the codec raises CodecError and nothing else, and decoding makes an Arrival or Poison."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_schemas import codec, topics
from avro_schemas.codec import CodecError
from producers import envelope
from producers.envelope import PLAIN
from referrals.errors import DeadLetterReason
from stream_processors.decode import Arrival, Poison, Raw, read

AT = datetime(2026, 6, 1, tzinfo=UTC)
AT_ID = UUID(int=1)
# The topics worth trying for a schema's id: its own, and for an unknown id any.
TOPICS = {b"": ["intake.bay-clinic"]} | {
    number.to_bytes(4, "big"): [
        name.replace("*", "bay-clinic")
        for name, topic in topics.declared().items()
        if schema in topic.schemas
    ]
    for schema, number in codec.ids().items()
}
LONGS = st.integers(-(2**63), 2**63 - 1)
INTS = st.integers(-(2**31), 2**31 - 1)
TEXTS = st.one_of(
    st.text(max_size=40), st.uuids().map(str), st.sampled_from(["bay-clinic", "EX-1", "kafka", "accept"])
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
).map(lambda value: msgspec.json.encode(value))
BYTES = st.one_of(st.binary(max_size=60), JSON, JSON.map(lambda content: PLAIN + content))
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "bytes": BYTES,
    "int": INTS,
    "long": LONGS,
    "double": st.floats(),
}


def records(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any record that fits the schema."""
    fields = msgspec.json.decode(codec.read_text(f"{name}.avsc"))["fields"]
    return st.fixed_dictionaries(
        {
            f["name"]: BY_TYPE[f["type"]] if isinstance(f["type"], str) else st.lists(TEXTS, max_size=3)
            for f in fields
        }
    )


ENCODED = st.sampled_from(sorted(codec.ids())).flatmap(lambda n: records(n).map(lambda r: codec.encode(n, r)))


def survives(value: bytes | None) -> None:
    """Decoding ends well or in a CodecError with a known reason; the step always ends."""
    try:
        codec.decode(value)
    except CodecError as error:
        DeadLetterReason(error.reason)
    for topic in (
        "intake.bay-clinic",
        "intake.api",
        "referral.response",
        "consent.change",
        "directory.change",
    ):
        assert isinstance(read(Raw(topic, 0, 0, None, value, AT)), Arrival | Poison)


@given(ENCODED)
def test_any_fitting_record_is_decoded(value: bytes) -> None:
    name, record = codec.decode(value)
    assert codec.decode(codec.encode(name, record))[0] == name
    survives(value)


@given(ENCODED, st.data())
def test_truncated(value: bytes, data: st.DataObject) -> None:
    survives(value[: data.draw(st.integers(0, len(value) - 1))])


@given(ENCODED, st.data())
def test_flipped(value: bytes, data: st.DataObject) -> None:
    flipped = bytearray(value)
    for place in data.draw(st.lists(st.integers(0, len(value) - 1), min_size=1, max_size=4)):
        flipped[place] ^= data.draw(st.integers(1, 255))
    survives(bytes(flipped))


@given(ENCODED, st.binary(min_size=1, max_size=8))
def test_with_something_behind_it(value: bytes, more: bytes) -> None:
    with pytest.raises(CodecError, match="left over"):
        codec.decode(value + more)


@given(st.none() | st.binary(max_size=200) | st.binary(max_size=80).map(lambda b: b"\0\0\0\0\x0e" + b))
def test_anything_at_all(value: bytes | None) -> None:
    survives(value)


def test_oversized() -> None:
    said = envelope.Said(AT_ID, "bay-clinic", AT)
    big = envelope.cancelled(said, "EX-1", "need-met", "x" * codec.MAX_BYTES).value
    with pytest.raises(CodecError) as caught:
        codec.decode(big)
    assert caught.value.reason == "too-large"
    survives(big)


@pytest.mark.parametrize("count", [2**40, 2**62])
def test_a_list_that_claims_to_be_endless_is_refused_at_once(count: int) -> None:
    """A block count costs the sender nothing; it must cost us nothing either."""
    fact = codec.encode("referral_fact.v1", {**_FACT, "recipients": ["a"]})
    head, _, tail = fact.partition(b"\x02\x02a\x00")
    zigzag, out = count << 1, bytearray()
    while zigzag > 127:
        out.append(zigzag & 127 | 128)
        zigzag >>= 7
    out.append(zigzag)
    survives(head + bytes(out) + b"\x02a" + tail)


_FACT = {
    "event_id": "e", "occurred_at": 0, "at": 0, "referral_id": "r", "version": 1, "lane": 0, "lane_seq": 1, "type": "t",
    "status": "s", "sender": "x", "recipients": [], "actor_organization": "o", "channel": "c", "data": b"{}",
}  # fmt: skip


def nested(schema: str, field: str, depth: int) -> bytes:
    """A record whose field holds JSON of that depth."""
    base = {
        "event_id": str(AT_ID),
        "occurred_at": 0,
        "organization": "bay-clinic",
        "referral_id": str(AT_ID),
        "sender_referral_id": "EX-1",
        "action": "accept",
    }
    known = {f["name"] for f in msgspec.json.decode(codec.read_text(f"{schema}.avsc"))["fields"]}
    content = (PLAIN if field == "sealed" else b"") + b'{"a":' * depth
    return codec.encode(schema, {k: v for k, v in base.items() if k in known} | {field: content})


@pytest.mark.parametrize("depth", [1_500, 200_000])
@pytest.mark.parametrize(
    ("schema", "field"), [("referral_submitted.v1", "sealed"), ("response_given.v1", "details")]
)
def test_deeply_nested_json_inside_a_record(schema: str, field: str, depth: int) -> None:
    """A megabyte of braces fits into a field; it is the sender's fault, not ours."""
    survives(nested(schema, field, depth))


def test_the_package_has_no_other_files() -> None:
    folder = Path(codec.__file__).parent
    found = {p.suffix for p in folder.iterdir() if p.is_file()}
    assert found == {".py", ".avsc", ".json", ".yaml"}
