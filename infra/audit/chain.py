"""A chain of records: each hash holds the one before it, so that nothing can be changed, left out or put in between.

Comes in: the head so far and the next bodies. Goes out: their numbers and hashes. Pure; must never skip a number.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from msgspec import Struct

EMPTY = bytes(32)


class Head(Struct, frozen=True):
    """Where a chain ends: how many records it has and the hash of the last."""

    chain: str
    length: int = 0
    hash: bytes = EMPTY


class Link(Struct, frozen=True):
    """One record's place in its chain."""

    number: int
    kind: str
    body: bytes
    hash: bytes


def link(head: Head, kind: str, body: bytes) -> Link:
    """The next record's place."""
    number = head.length + 1
    place = f"{head.chain}\n{number}\n{kind}\n".encode()
    return Link(number, kind, body, sha256(head.hash + sha256(place + body).digest()).digest())


def extend(head: Head, records: Iterable[tuple[str, bytes]]) -> tuple[list[Link], Head]:
    """The places of several records (kind, body), and the head after them."""
    links = []
    for kind, body in records:
        links.append(link(head, kind, body))
        head = Head(head.chain, links[-1].number, links[-1].hash)
    return links, head


def follow(head: Head, kept: Link) -> tuple[Head, list[str]]:
    """The head behind a kept record, and why that record is not the one that was written there."""
    wrong = []
    if kept.number != head.length + 1:
        wrong.append(f"number {head.length + 1} is missing before it")
        head = Head(head.chain, kept.number - 1, head.hash)
    if link(head, kept.kind, kept.body).hash != kept.hash:
        wrong.append("its hash does not follow from the record before it and its own body")
    return Head(head.chain, kept.number, kept.hash), wrong


def broken(chain: str, links: Iterable[Link]) -> Iterator[tuple[int, str]]:
    """The numbers at which a kept chain is not what was written, and why; it goes on behind each."""
    head = Head(chain)
    for kept in links:
        head, wrong = follow(head, kept)
        yield from ((kept.number, what) for what in wrong)
