"""One place in the group, one process: two of the same host and slot would take it from each other without end.

Comes in: the member ids a consumer was given, and errors of its group. Goes out: SlotTaken, which ends the process. The
client (aiokafka) does not know Kafka's fencing error, so it joins again whenever it is thrown out: seen, with both
members reading all partitions in turn every 1.5 s, for as long as it was watched.
"""

import socket
from collections import deque

from aiokafka.errors import KafkaError, UnknownError

WITHIN_S = 9.0
"""Less than a session (10 s): a member that was merely away too long is thrown out at most once in this time."""
YOUNG_S = 60.0
"""The newcomer goes first, so that the process that works is left alone."""
FEW, SOME = 2, 4


class SlotTaken(RuntimeError):
    """Another process uses this worker's place in the group."""


def member(group: str, slot: int) -> str:
    """The static member id of a worker: the same after every start on this host."""
    return f"{group}-{socket.gethostname()}-{slot}"


class Membership:
    """Counts how often one consumer lost its place lately."""

    def __init__(self, name: str, slot: int) -> None:
        self.name = name
        self._slot = slot
        self._id = ""
        self._since = 0.0
        self._lost: deque[float] = deque(maxlen=SOME)

    def assigned(self, id: str, now: float) -> None:
        """After every assignment, with the id the broker knows us by; raises SlotTaken."""
        if not id:  # thrown out, or not joined yet
            return
        if not self._id:
            self._since = now
        elif id != self._id:
            self._lost.append(now)
        self._id = id
        lately = sum(now - lost <= WITHIN_S for lost in self._lost)
        if lately >= (FEW if now - self._since < YOUNG_S else SOME):
            raise self._taken()

    def explained(self, error: KafkaError) -> Exception:
        """The group's error as it is, or what it means when the client does not know it."""
        fenced = isinstance(error, UnknownError) or "UnknownError" in str(error)
        return self._taken() if fenced else error

    def _taken(self) -> SlotTaken:
        return SlotTaken(
            f"another worker runs as {self.name}: stop it, or give this one a REFEX_WORKER_SLOT of its own"
            f" (it is {self._slot} now)"
        )
