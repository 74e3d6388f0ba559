"""The ledger of a load generator: what it means to send, on disk before it is sent, and what became of it.

Comes in: intents and results. Goes out: a file of JSON lines that is on disk when a call returns, for `refex ledger
check`. Must never hold more of a referral than its id.

    {"ledger": 1, "began": "2026-11-22T09:00:00Z"}
    {"seq": 1, "state": "intended", "organization": "bay-clinic", "topic": "intake.bay-clinic", "key": "<referral id>"}
    {"seq": 1, "state": "acked", "event_id": "...", "partition": 3, "offset": 17}

`state` is intended, then acked (the exchange has it; event id and place if the sender was told), unknown (it may or may
not have it) or failed (it was refused). A last line cut short by a crash is no line.
"""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

VERSION = 1


class Head(Struct, frozen=True):
    """The first line; events before `began` are none of this ledger's."""

    ledger: int
    began: datetime


class Line(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One intent, or what became of it."""

    seq: int
    state: Literal["intended", "acked", "unknown", "failed"]
    organization: str | None = None
    topic: str | None = None
    key: UUID | None = None
    event_id: UUID | None = None
    partition: int | None = None
    offset: int | None = None


class LedgerError(ValueError):
    """The file is no ledger; the message says what to do."""


class Ledger:
    """`async with Ledger(path) as ledger`; a file that is there is continued."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[bytes] = []
        self._lock = asyncio.Lock()
        self._seq = 0

    async def __aenter__(self) -> "Ledger":
        self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "ab")
        if whole := _whole(self._path):
            self._file.truncate(whole)
            _, lines = read(self._path)
            self._seq = max((line.seq for line in lines), default=0)
        else:
            await self._write(Head(VERSION, datetime.now(UTC)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    async def intend(self, organization: str, topic: str, key: UUID) -> int:
        """The sequence number of one thing that will be sent; on disk when this returns."""
        self._seq += 1
        seq = self._seq
        await self._write(Line(seq=seq, state="intended", organization=organization, topic=topic, key=key))
        return seq

    async def acked(
        self, seq: int, event_id: UUID | None = None, partition: int | None = None, offset: int | None = None
    ) -> None:
        """The exchange has it."""
        await self._write(Line(seq=seq, state="acked", event_id=event_id, partition=partition, offset=offset))

    async def unknown(self, seq: int) -> None:
        """Nobody answered: it may be there once, or not."""
        await self._write(Line(seq=seq, state="unknown"))

    async def failed(self, seq: int) -> None:
        """It was refused."""
        await self._write(Line(seq=seq, state="failed"))

    async def _write(self, line: Head | Line) -> None:
        """Lines that wait together reach the disk together."""
        self._pending.append(msgspec.json.encode(line) + b"\n")
        async with self._lock:
            lines, self._pending = self._pending, []
            if lines:  # else whoever held the lock before has written this line too
                await asyncio.to_thread(self._flush, b"".join(lines))

    def _flush(self, content: bytes) -> None:
        self._file.write(content)
        self._file.flush()
        os.fsync(self._file.fileno())


def _whole(path: Path) -> int:
    """How many bytes of the file are whole lines."""
    with path.open("rb") as file:
        return sum(len(line) for line in file if line.endswith(b"\n"))


def read(path: Path) -> tuple[Head, Iterator[Line]]:
    """The head, and the lines as they come; raises LedgerError."""
    lines = _decoded(path)
    head = next(lines, None)
    if not isinstance(head, Head) or head.ledger != VERSION:
        raise LedgerError(
            f"{path} is no ledger of version {VERSION}; name the file of `refex simulate --ledger`"
        )
    return head, (line for line in lines if isinstance(line, Line))


def _decoded(path: Path) -> Iterator[Any]:
    wanted: Any = Head
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield msgspec.json.decode(line, type=wanted)
            except msgspec.DecodeError as error:
                raise LedgerError(f"{path}:{number} is no line of a ledger: {error}") from None
            wanted = Line
