"""Small cells: counts of people below 11 are not shown, nor what would give them away.

Comes in: a table of counts. Goes out: the same as text, with `<11` and, where a margin would reveal a single
hidden cell, no margin. Pure.
"""

from collections.abc import Mapping, Sequence

LEAST = 11
HIDDEN = f"<{LEAST}"
WITHHELD = "–"


def shown(count: int) -> str:
    """A count as it may be published: 0 says nothing about anybody."""
    return HIDDEN if 0 < count < LEAST else str(count)


def total(counts: Sequence[int]) -> str:
    """The sum, unless exactly one of its parts is hidden or the sum itself is small."""
    hidden = sum(0 < c < LEAST for c in counts)
    return WITHHELD if hidden == 1 else shown(sum(counts))


def table(counts: Mapping[str, Sequence[int]]) -> tuple[dict[str, list[str]], list[str]]:
    """Rows with their own total as last cell, and the bottom row of column totals.

    Once any single hidden cell stands alone in its row or column, all totals across that direction's grand
    total are withheld, because differences between published totals would give it back.
    """
    columns = list(zip(*counts.values(), strict=True)) if counts else []
    rows = {name: [*map(shown, row), total(row)] for name, row in counts.items()}
    bottom = [total(column) for column in columns]
    margins = [total([sum(row) for row in counts.values()])] if counts else []
    lone = any(sum(0 < c < LEAST for c in line) == 1 for line in [*counts.values(), *columns])
    return rows, [*bottom, *([WITHHELD] if lone else margins)]
