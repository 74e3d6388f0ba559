"""A run in one number: every row and every record, so that two runs are the same or are not.

Comes in: an Outcome, or tables. Goes out: hexadecimal text. Must not depend on the order in which rows were made.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from tests.simulation.database import Row
from tests.simulation.run import Outcome


def digest(outcome: Outcome) -> str:
    """Of everything: rows, records in their places, who committed when, how long it took."""
    whole = sha256(
        rows_digest({name: rows.values() for name, rows in outcome.database.tables.items()}).encode()
    )
    for entry in outcome.log.entries(lambda _: True):
        whole.update(repr(entry).encode())
    for done in outcome.database.commits:
        whole.update(f"{done.process} {sorted(done.written)}".encode())
    whole.update(f"{outcome.seconds} {outcome.deaths} {outcome.errors}".encode())
    return whole.hexdigest()[:16]


def rows_digest(tables: Mapping[str, Iterable[Row]]) -> str:
    """Of rows alone."""
    whole = sha256()
    for name in sorted(tables):
        for line in sorted(repr(sorted(_plain(row).items())) for row in tables[name]):
            whole.update(f"{name} {line}".encode())
    return whole.hexdigest()


def _plain(row: Row) -> dict[str, Any]:
    return {key: str(value) for key, value in row.items()}
