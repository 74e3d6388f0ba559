"""One place in the group, one process: two of the same host and slot would take it from each other without end.

Comes in: the member ids a consumer was given, and errors of its group. Goes out: SlotTaken, which ends the process. The
client (aiokafka) does not know Kafka's fencing error, so it joins again whenever it is thrown out: seen, with both
members reading all partitions in turn every 1.5 s, for as long as it was watched.
"""

import random
import socket
from collections import deque

from aiokafka.errors import KafkaError, UnknownError

NEW_S = 5.0
"""Who loses its place so soon after getting it came second, and goes: the one that works is left alone."""
SECOND_WITHIN_S, FIRST_WITHIN_S = 9.0, 15.0
SECOND_LOSES, FIRST_LOSES = (2, 3), 5
"""So many losses in so many seconds: more than a session of 10 s allows to one that was merely away too long. One that
goes has just taken the place once more, so the other must bear one more; two that began together draw who goes."""


class SlotTaken(RuntimeError):
    """Another process uses this worker's place in the group."""


def member(group: str, slot: int) -> str:
    """The static member id of a worker: the same after every start on this host."""
    return f"{group}-{socket.gethostname()}-{slot}"


class Membership:
    """Counts how often one consumer lost its place lately."""

    def __init__(self, name: str, slot: int, second_loses: int | None = None) -> None:
        self.name = name
        self._slot = slot
        self._id = ""
        self._since = 0.0
        self._came_second = False
        self._lost: deque[float] = deque(maxlen=FIRST_LOSES)
        self._second_loses = second_loses or random.choice(SECOND_LOSES)

    def assigned(self, id: str, now: float) -> None:
        """After every assignment, with the id the broker knows us by; raises SlotTaken."""
        if not id:  # thrown out, or not joined yet
            return
        if not self._id:
            self._since = now
        elif id != self._id:
            self._came_second |= now - self._since < NEW_S
            self._lost.append(now)
        self._id = id
        within = SECOND_WITHIN_S if self._came_second else FIRST_WITHIN_S
        lately = sum(now - lost <= within for lost in self._lost)
        if lately >= (self._second_loses if self._came_second else FIRST_LOSES):
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
