"""The ledger of a load generator: intents before results, nothing lost at a crash, a torn last line no line."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from producers.exchange_client import Refused
from producers.ledger import Ledger, LedgerError, read
from producers.publisher import Published
from producers.simulator.senders import Json, send
from referrals.ids import referral_id


class Door:
    """A sender whose exchange answers as it is told; it looks at the ledger while it sends."""

    organization = "clinic"
    topic = "intake.clinic"

    def __init__(self, path: Path, answer: Published | Exception | None) -> None:
        self._path = path
        self._answer = answer
        self.seen: list[str] = []

    async def send(self, submission: Json) -> Published | None:
        self.seen = [line.state for line in read(self._path)[1]]
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_an_intent_is_on_disk_before_it_is_sent_and_its_result_after(tmp_path: Path) -> None:
    path, event = tmp_path / "ledger", uuid4()
    door = Door(path, Published(uuid4(), event, "intake.clinic", 3, 17))
    async with Ledger(path) as ledger:
        await send(door, {"sender_referral_id": "R-1"}, ledger)
    assert door.seen == ["intended"]
    head, lines = read(path)
    assert abs((datetime.now(UTC) - head.began).total_seconds()) < 60
    first, second = lines
    key = referral_id("clinic", "R-1")
    assert (first.seq, first.organization, first.topic, first.key) == (1, "clinic", "intake.clinic", key)
    assert (second.seq, second.state, second.event_id) == (1, "acked", event)
    assert (second.partition, second.offset) == (3, 17)
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("answer", "state"),
    [(None, "acked"), (Refused(422, "no"), "failed"), (TimeoutError(), "unknown")],
    ids=["acked", "refused", "unanswered"],
)
async def test_what_became_of_it_is_kept(tmp_path: Path, answer: Exception | None, state: str) -> None:
    path = tmp_path / "ledger"
    async with Ledger(path) as ledger:
        sending = send(Door(path, answer), {"sender_referral_id": "R-1"}, ledger)
        await asyncio.gather(sending, return_exceptions=True)
    assert [line.state for line in read(path)[1]] == ["intended", state]


async def test_a_ledger_cut_short_by_a_crash_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    async with Ledger(path) as ledger:
        await asyncio.gather(*(ledger.intend("clinic", "intake.clinic", uuid4()) for _ in range(50)))
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    assert [line.seq for line in read(path)[1]] == list(range(1, 50))
    async with Ledger(path) as ledger:
        assert await ledger.intend("clinic", "intake.clinic", uuid4()) == 50
    assert [line.seq for line in read(path)[1]] == list(range(1, 51))


def test_another_file_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("hello\n")
    with pytest.raises(LedgerError, match="no line of a ledger"):
        read(path)
    path.write_text("")
    with pytest.raises(LedgerError, match="no ledger"):
        read(path)
