"""Small cells: a count of people below 11 is not shown, nor anything that would give it away.

Comes in: one table of counts that add up to a total known elsewhere. Goes out: the counts as text. Pure.
"""

from collections.abc import Mapping

LEAST = 11
SMALL = f"<{LEAST}"
WITHHELD = "–"


def is_small(count: int) -> bool:
    """Whether a count must be hidden; 0 says nothing about anybody."""
    return 0 < count < LEAST


def published(counts: Mapping[str, int]) -> tuple[dict[str, str], str]:
    """Every count as it may be shown, and the total.

    One hidden cell alone would be total minus the rest, so the smallest others are withheld beside it until what is
    hidden cannot be told apart; where there are no others, the total is withheld.
    """
    hidden = {name for name, count in counts.items() if is_small(count)}
    others = sorted((n for n, c in counts.items() if c >= LEAST), key=lambda n: (counts[n], n))
    while hidden and others and _told(hidden, counts):
        hidden.add(others.pop(0))
    cells = {n: (SMALL if is_small(c) else WITHHELD if n in hidden else str(c)) for n, c in counts.items()}
    alone = bool(hidden) and _told(hidden, counts)
    whole = sum(counts.values())
    return cells, WITHHELD if alone else SMALL if is_small(whole) else str(whole)


def _told(hidden: set[str], counts: Mapping[str, int]) -> bool:
    """Whether the sum of the hidden cells gives one of them away."""
    known = sum(counts[n] for n in hidden)
    small = sum(is_small(counts[n]) for n in hidden)
    extreme = small == len(hidden) and known in (small, small * (LEAST - 1))
    return len(hidden) < 2 or known < LEAST or extreme
