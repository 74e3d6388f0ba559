"""Named points where a process can be told to end itself, so that tests prove that dying there loses nothing.

Comes in: REFEX_CRASH_AT=name:count[:stop][,...], honoured in development alone. Goes out: SIGKILL (or SIGSTOP) to this
very process the count-th time it passes that point, and a line in crash-points.log. Must cost nothing when not set.
"""

import os
import signal
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import structlog

from infra.settings import SettingsError, settings

POINTS: Mapping[str, str] = {
    "inbox.assigned": "partitions are assigned, their rows are read, nothing is sought yet",
    "inbox.read": "a batch is read, its transaction is about to begin",
    "inbox.applied": "a batch is committed, the consumer does not know yet",
    "inbox.hinting": "the advisory commit to Kafka is about to be sent",
    "inbox.hinted": "the advisory commit to Kafka is done",
    "careful.marked": "the mark of a batch is on disk, nothing is decoded yet",
    "careful.tried": "what the run before died reading was tried elsewhere, the new mark is not written yet",
    "careful.read": "a batch is decoded, its mark still stands",
    "batch.begun": "a batch's transaction is open, nothing is locked",
    "batch.placed": "the progress rows are locked and what was applied before is dropped",
    "batch.lanes-locked": "the lanes are locked, nothing is loaded",
    "batch.loaded": "everything is locked and loaded, nothing is decided",
    "batch.decided": "everything is decided in memory, nothing is written",
    "batch.half-saved": "states and history are written, the inbox is not",
    "batch.buried": "dead letters are written, the offsets have not moved",
    "batch.saved": "all effects are written, the offsets have not moved",
    "batch.moved": "the offsets have moved, nothing is committed",
    "batch.committed": "the batch is committed, nobody is notified",
    "batch.notified": "the batch is committed and everybody notified",
    "relay.held": "a lane group's lock is held, nothing is scanned",
    "relay.scanning": "the tail of what was published is being read",
    "relay.scanned": "the tail is read, nothing is published",
    "relay.selected": "facts are selected, none is sent",
    "relay.enqueued": "facts are on their way, the broker has not acknowledged all",
    "relay.published": "the broker has the facts, no position has moved",
    "relay.half-moved": "lane positions have moved, the saved ends have not, nothing is committed",
    "relay.moved": "positions and ends are committed",
    "timers.due": "deadlines came due, their barrier is not written",
    "timers.barred": "the barrier of due deadlines is written",
    "timers.ready": "due deadlines may be sent, none is",
    "timers.published": "due deadlines are published, none is marked",
    "timers.marked": "deadlines that were published are marked",
    "coverage.due": "members are due, nobody is told",
    "coverage.published": "their referrals are told, the members are still due",
    "coverage.marked": "the members are marked as told",
    "linker.waiting": "persons wait to be compared",
    "linker.proposed": "proposals are published, the persons still wait",
    "linker.compared": "the persons compared are off the queue",
    "notify.claimed": "deliveries are claimed, none is sent",
    "notify.sent": "the receiver has a delivery, it is not marked",
    "notify.marked": "a delivery is marked as received",
    "api.asked": "a request's idempotency key is committed, nothing is published",
    "api.published": "the broker has a request, it is not answered",
    "api.settled": "what came of a request is known, it is not answered",
    "dead-letters.taken": "a dead letter is marked as replayed in an open transaction, and not sent",
    "dead-letters.sent": "a dead letter is sent again, its mark is not committed",
    "import.planned": "an import knows what to send, and has sent nothing",
    "import.sent": "a part of an import is sent",
    "rebuild.begun": "a rebuild has made its empty tables",
    "rebuild.folded": "a rebuild has folded everything, nothing is compared or committed",
}
LOG = "crash-points.log"
log = structlog.get_logger()


class Order(NamedTuple):
    """At which passing, and by what signal."""

    passing: int
    signal: signal.Signals


class Armed:
    """The orders of this process; every point passed is counted."""

    def __init__(self, orders: Mapping[str, Order], record: Path) -> None:
        self._orders = orders
        self._record = record
        self._passed = dict.fromkeys(orders, 0)

    def passed(self, name: str) -> None:
        """Count it; at the ordered time write a line to the record, then end or stop this process."""
        if name not in self._orders:
            return
        self._passed[name] += 1
        order = self._orders[name]
        if self._passed[name] != order.passing:
            return
        line = f"{name} {order.signal.name} {os.getpid()} {time.time():.3f}\n".encode()
        record = os.open(self._record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(record, line)
        os.close(record)
        os.kill(os.getpid(), order.signal)


def here(name: str) -> None:
    """This is the point `name`: nothing, unless the settings say otherwise."""
    if (orders := armed()) is not None:
        orders.passed(name)


@cache
def armed() -> Armed | None:
    """The orders of the settings, decided once and said in the log; raises SettingsError."""
    configured = settings()
    if not configured.crash_at:
        return None
    orders = parse(configured.crash_at)
    log.warning("crash points are set: this process will end itself on purpose", at=configured.crash_at)
    return Armed(orders, configured.data_path / LOG)


def parse(text: str) -> dict[str, Order]:
    """The orders of `name:count[:stop],...`; raises SettingsError for an unknown name or a malformed count."""
    found: dict[str, Order] = {}
    for part in text.replace("\n", ",").split(","):
        if not part.strip():
            continue
        name, _, rest = part.strip().partition(":")
        count, _, how = rest.partition(":")
        if name not in POINTS:
            raise SettingsError(f"REFEX_CRASH_AT names no crash point: {name!r}; see infra/crash_points.py")
        if not count.isdigit() or int(count) < 1 or how not in ("", "stop"):
            raise SettingsError(
                f"REFEX_CRASH_AT is name:count or name:count:stop, count from 1; not {part!r}"
            )
        found[name] = Order(int(count), signal.SIGSTOP if how else signal.SIGKILL)
    return found
