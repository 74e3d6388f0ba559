"""Earlier referrals by the keys they are found under, as a batch goes on: a few of each key, however many share it.

Comes in: what was loaded (persons.sql bounds it alike), then each referral of the batch. Goes out: the newest of each
key. Without the bound a batch of one common name compared each with each: 1,500 took 35 s, and the group was lost.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

MOST = 22
"""As many as are loaded for one key: eleven persons, two referrals each."""


class Near(dict[UUID, deque[UUID]]):
    """Key -> the newest few referrals."""

    def __init__(self, loaded: Mapping[UUID, Collection[UUID]]) -> None:
        super().__init__((key, deque(sorted(found), MOST)) for key, found in loaded.items())

    def note(self, keys: Iterable[UUID], referral: UUID) -> None:
        """A referral of this batch is found under these keys; the oldest makes room."""
        for key in keys:
            found = self.setdefault(key, deque(maxlen=MOST))
            if referral not in found:
                found.append(referral)
