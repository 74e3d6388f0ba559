"""How often at once each receiver of webhooks may be called: one that does not answer rests, and costs no other.

Comes in: calls that began and how they ended. Goes out: the room each receiver has now. Pure but for its arguments;
remembers only receivers that are being called or have just failed.
"""

from msgspec import Struct

EACH = 16
"""Calls to one receiver at once: a hub hears of a whole state, and one that hangs still holds few of all the slots."""
ALTOGETHER = 256
"""Calls at once: bounds sockets and memory, whatever is due."""
LONGEST_REST_S = 60.0


class Receiver(Struct):
    """One receiver: calls on their way, failures in a row, and until when it rests."""

    calls: int = 0
    failures: int = 0
    rests_until: float = 0.0

    def room(self, now: float) -> int:
        """How many more calls it may get: after a failure none while it rests, then one to see."""
        if now < self.rests_until:
            return 0
        return max(0, (1 if self.failures else EACH) - self.calls)


class Receivers:
    """All receivers, by organization."""

    def __init__(self) -> None:
        self._known: dict[str, Receiver] = {}

    @property
    def free(self) -> int:
        """How many more calls may be made to all together."""
        return ALTOGETHER - sum(r.calls for r in self._known.values())

    def rooms(self, now: float) -> dict[str, int]:
        """The room of every receiver that has less than all."""
        return {id: receiver.room(now) for id, receiver in self._known.items()}

    def began(self, id: str) -> None:
        """A call is on its way."""
        self._known.setdefault(id, Receiver()).calls += 1

    def ended(self, id: str, answered: bool, now: float, jitter: float) -> None:
        """A call is over; `answered`: the receiver is there, whatever it said. `jitter`: 0..1."""
        receiver = self._known[id]
        receiver.calls -= 1
        if answered:
            receiver.failures, receiver.rests_until = 0, 0.0
        else:
            receiver.failures += 1
            rest: float = min(LONGEST_REST_S, 2.0 ** min(receiver.failures, 10))
            receiver.rests_until = now + rest * (0.5 + jitter / 2)
        if not receiver.calls and not receiver.failures:
            del self._known[id]
