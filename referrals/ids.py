"""Deterministic names: referral ids, person keys, event ids, lanes and partitions.

The same input gives the same id everywhere, so that sending twice is harmless. Never random.
"""

from functools import lru_cache
from uuid import NAMESPACE_URL, UUID, uuid5

LANES = 64
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
KEPT = 8192
"""Names kept of each kind: those of the batches in hand. Made again in microseconds, kept they cost 400 bytes."""


@lru_cache(maxsize=KEPT)
def referral_id(organization: str, sender_referral_id: str) -> UUID:
    """The id of a referral: uuid5 of its sender and the sender's own id (interfaces.md, Topics)."""
    return uuid5(NAMESPACE_URL, f"urn:refex:{organization}:{sender_referral_id}")


@lru_cache(maxsize=KEPT)
def person_key(organization: str, person_id: str) -> UUID:
    """The key of a person as one sender knows them; links between senders are facts of their own."""
    return uuid5(NAMESPACE_URL, f"urn:refex:{organization}:person:{person_id}")


def consent_id(organization: str, own_id: str) -> UUID:
    """The id of a consent: of its organization and that organization's own id, as submissions name it."""
    return uuid5(NAMESPACE_URL, f"urn:refex:{organization}:consent:{own_id}")


def event_id(organization: str, *parts: str) -> UUID:
    """The id of an event from what makes it the same event; senders resend with the same parts."""
    return uuid5(NAMESPACE_URL, "urn:refex:" + ":".join((organization, "event", *parts)))


def origin_id(topic: str, partition: int, offset: int) -> UUID:
    """The id of a record that has none of its own (it could not be read): its place in the log."""
    return uuid5(NAMESPACE_URL, f"urn:refex:origin:{topic}:{partition}:{offset}")


def hop_id(referral: UUID, number: int) -> UUID:
    """The id of the n-th hop of a referral, n from 1."""
    return uuid5(referral, f"hop:{number}")


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 with its seed, unsigned (org.apache.kafka.common.utils.Utils.murmur2)."""
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = h * _M & _MASK ^ k
    tail = data[whole:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


@lru_cache(maxsize=KEPT)
def lane(stream_id: UUID) -> int:
    """The lane (0..63) that makes one stream serial: murmur2 of the lower-case id text, sign bit off."""
    return (murmur2(str(stream_id).encode()) & 0x7FFFFFFF) % LANES


def partition(lane_number: int, partition_count: int) -> int:
    """Where a lane's records go; equals Java's default for the id as key, because the count divides 64."""
    return lane_number % partition_count
